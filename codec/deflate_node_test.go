package codec

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// nodeScript reads a list of cases and answers, for each, what zlib makes of our
// payload, and its own payload for the same message and history.
const nodeScript = `
const zlib = require('zlib'), tail = Buffer.from([0, 0, 255, 255]);
const cases = JSON.parse(require('fs').readFileSync(0));
const options = c => ({ windowBits: c.Bits, finishFlush: zlib.constants.Z_SYNC_FLUSH, chunkSize: 256,
  ...(c.History ? { dictionary: Buffer.from(c.History, 'base64') } : {}) });
console.log(JSON.stringify(cases.map(c => {
  const msg = zlib.inflateRawSync(Buffer.concat([Buffer.from(c.Payload || '', 'base64'), tail]), options(c));
  const theirs = zlib.deflateRawSync(Buffer.from(c.Message || '', 'base64'), options(c));
  return { Message: msg.toString('base64'), Payload: theirs.subarray(0, theirs.length - 4).toString('base64') };
})));`

type nodeCase struct {
	Bits                      uint8
	History, Message, Payload []byte
}

func TestZlibReadsUsAndWeReadZlib(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("node is not installed: zlib, the second implementation of windows, is not tried")
	}
	f := NewFlate(1, 2)
	var cases []nodeCase
	for bits := uint8(8); bits <= 15; bits++ {
		for _, content := range contents {
			var out Window
			var sent []byte
			for i, n := range []int{64, 1, 300, 64, 5000, 200, 40000} {
				c := nodeCase{Bits: bits, Message: content(n, uint64(i)), History: bytes.Clone(tail(sent, bits))}
				c.Payload = f.Compress(nil, c.Message, bits, &out, true)
				cases = append(cases, c)
				sent = append(sent, c.Message...)
			}
		}
	}
	answers := runNode(t, node, cases)
	var b Bytes
	for i, c := range cases {
		if !bytes.Equal(answers[i].Message, c.Message) {
			t.Errorf("bits %d, %d bytes after %d: zlib reads %d bytes, or others", c.Bits, len(c.Message), len(c.History), len(answers[i].Message))
		}
		in := Window{text: c.History}
		if msg := mustInflate(t, f, answers[i].Payload, c.Bits, &in, &b); !bytes.Equal(msg, c.Message) {
			t.Errorf("bits %d, %d bytes after %d: we read %d bytes of zlib's, or others", c.Bits, len(c.Message), len(c.History), len(msg))
		}
	}
}

func runNode(t *testing.T, node string, cases []nodeCase) (answers []nodeCase) {
	t.Helper()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", nodeScript)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("node answered %d of %d cases, %v", len(answers), len(cases), err)
	}
	return answers
}
