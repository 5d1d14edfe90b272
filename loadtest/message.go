package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/roost-ws/roost/codec"
)

// Messages are what a scenario sends instead of messages of its own making. Several are
// sent in turn, each connection beginning with another. A value may be used by
// several runs at a time.
type Messages struct {
	op    codec.Opcode
	lines []*message
}

const (
	maxMessage  = 1 << 20 // bytes of one
	maxMessages = 64 << 20

	fieldHelp = "fields are {{.Conn}} (the connection's number), {{.Seq}} (the message's on it), {{.Now}} (Unix time in nanoseconds) and {{.Rand 64}} (as many random letters and digits)"
)

// message is a template. One of text and plain fields is rendered from parts; any
// other by text/template.
type message struct {
	source string
	parts  []messagePart
	whole  *template.Template // when parts do not do
	most   int                // bytes that it may have
}

// messagePart is text, or a field behind it.
type messagePart struct {
	text  string
	field string // "Conn", "Seq", "Now", "Rand" or ""
	n     int    // of Rand
}

// messageFields are what templates see.
type messageFields struct {
	Conn, Seq uint32
	Now       int64
}

// Rand is for {{.Rand 64}}.
func (f messageFields) Rand(n int) (string, error) {
	if n < 0 || n > maxMessage {
		return "", fmt.Errorf("%d random characters: want 0 to %d", n, maxMessage)
	}
	return string(f.appendRand(nil, n)), nil
}

const randomLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// appendRand appends n characters that depend on the other fields.
func (f messageFields) appendRand(dst []byte, n int) []byte {
	x := mix(uint64(f.Conn)<<32|uint64(f.Seq)) ^ mix(uint64(f.Now))
	for ; n > 0; n-- {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		dst = append(dst, randomLetters[x>>58])
	}
	return dst
}

// ParseMessage reads one template of [text/template]. Errors wrap [ErrOptions], show
// the template, and name the fields there are.
func ParseMessage(text string) (*Messages, error) {
	m, err := parseMessage(text)
	if err != nil {
		return nil, err
	}
	return &Messages{op: codec.Text, lines: []*message{m}}, nil
}

// ReadMessages reads a template from each line that is not empty; with binary it is
// one binary message, of all that is there and as it is. Errors are as those of [ParseMessage].
func ReadMessages(from io.Reader, binary bool) (*Messages, error) {
	data, err := io.ReadAll(io.LimitReader(from, maxMessages+1))
	switch {
	case err != nil:
		return nil, invalid("messages: %w", err)
	case len(data) > maxMessages:
		return nil, invalid("messages of more than %d bytes together", maxMessages)
	case binary && len(data) > maxMessage:
		return nil, invalid("a message of %d bytes: want at most %d", len(data), maxMessage)
	case binary:
		m := &message{source: "(binary)", parts: []messagePart{{text: string(data)}}, most: len(data)}
		return &Messages{op: codec.Binary, lines: []*message{m}}, nil
	}
	all := &Messages{op: codec.Text}
	for i, line := range bytes.Split(data, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			continue
		}
		m, err := parseMessage(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		all.lines = append(all.lines, m)
	}
	if len(all.lines) == 0 {
		return nil, invalid("no message: want one a line")
	}
	return all, nil
}

func parseMessage(text string) (*message, error) {
	m, err := parseWhole(text)
	if err != nil {
		return nil, err
	}
	if m.whole.Tree != nil {
		m.compile(m.whole.Root)
	}
	return m, nil
}

// parseWhole leaves the template whole.
func parseWhole(text string) (*message, error) {
	bad := func(err error) error {
		return invalid("message %q: %w; %s", shortened(text), err, fieldHelp)
	}
	t, err := template.New("message").Parse(text)
	if err != nil {
		return nil, bad(err)
	}
	m := &message{source: text, whole: t, most: maxMessage}
	sample, err := m.append(nil, messageFields{})
	if err != nil { // the library names the type of ours besides
		return nil, bad(errors.New(strings.ReplaceAll(err.Error(), " in type loadtest.messageFields", "")))
	}
	if len(sample) > maxMessage {
		return nil, bad(fmt.Errorf("it has %d bytes: want at most %d", len(sample), maxMessage))
	}
	return m, nil
}

// compile takes the template apart, if it has nothing but text and fields.
func (m *message) compile(root *parse.ListNode) {
	var parts []messagePart
	most := 0
	for _, n := range root.Nodes {
		var p messagePart
		switch n := n.(type) {
		case *parse.TextNode:
			p.text = string(n.Text)
		case *parse.ActionNode:
			var ok bool
			if p, ok = fieldOf(n); !ok {
				return
			}
		case *parse.CommentNode:
			continue
		default:
			return
		}
		parts = append(parts, p)
		most += len(p.text) + p.n
		if p.field != "" {
			most += len("-9223372036854775808")
		}
	}
	m.parts, m.whole, m.most = parts, nil, most
}

func fieldOf(n *parse.ActionNode) (p messagePart, ok bool) {
	if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 {
		return p, false
	}
	args := n.Pipe.Cmds[0].Args
	f, ok := args[0].(*parse.FieldNode)
	if !ok || len(f.Ident) != 1 {
		return p, false
	}
	p.field = f.Ident[0]
	if p.field != "Rand" {
		return p, len(args) == 1
	}
	if len(args) != 2 {
		return p, false
	}
	number, ok := args[1].(*parse.NumberNode)
	if !ok || !number.IsInt {
		return p, false
	}
	p.n = int(number.Int64)
	return p, true
}

// append renders m.
func (m *message) append(dst []byte, f messageFields) ([]byte, error) {
	if m.whole != nil {
		b := bytes.NewBuffer(dst)
		err := m.whole.Execute(b, f)
		return b.Bytes(), err
	}
	for i := range m.parts {
		p := &m.parts[i]
		dst = append(dst, p.text...)
		switch p.field {
		case "Conn":
			dst = strconv.AppendUint(dst, uint64(f.Conn), 10)
		case "Seq":
			dst = strconv.AppendUint(dst, uint64(f.Seq), 10)
		case "Now":
			dst = strconv.AppendInt(dst, f.Now, 10)
		case "Rand":
			dst = f.appendRand(dst, p.n)
		}
	}
	return dst, nil
}

// append renders message seq of connection id, sent at a Unix time in nanoseconds.
func (m *Messages) append(dst []byte, id, seq uint32, unix int64) ([]byte, error) {
	line := m.lines[(uint64(id)+uint64(seq))%uint64(len(m.lines))]
	at := len(dst)
	dst, err := line.append(dst, messageFields{Conn: id, Seq: seq, Now: unix})
	if n := len(dst) - at; err == nil && n > maxMessage {
		err = fmt.Errorf("it has %d bytes: want at most %d", n, maxMessage)
	}
	if err != nil {
		return dst, invalid("message %d of connection %d, %q: %w", seq, id, shortened(line.source), err)
	}
	return dst, nil
}

// most is how many bytes the largest may have.
func (m *Messages) most() (n int) {
	for _, line := range m.lines {
		n = max(n, line.most)
	}
	return n
}
