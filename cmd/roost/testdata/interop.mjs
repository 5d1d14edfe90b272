// Usage: node interop.mjs FOLDER_WITH_NODE_MODULES URL SCENARIO
// Drives the npm package ws against an echo server. Exits with 0 when all held.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';

const [folder, url, scenario] = process.argv.slice(2);
const WebSocket = createRequire(`${folder}/`)('ws');

async function open(options) {
  const ws = new WebSocket(url, options);
  await once(ws, 'open');
  return ws;
}

// ends resolves with the code and reason that the server's side closed with.
const ends = async (ws) => {
  const [code, reason] = await once(ws, 'close');
  return { code, reason: reason.toString() };
};

async function echoes(ws, data) {
  ws.send(data);
  const [got, binary] = await once(ws, 'message');
  assert.equal(binary, typeof data !== 'string');
  assert.ok(got.equals(Buffer.from(data)), `${got.length} bytes came back for ${data.length}`);
}

const scenarios = {
  async echo() {
    const ws = await open();
    for (const n of [0, 1, 125, 126, 65535, 65536, 16 << 20]) await echoes(ws, randomBytes(n));
    for (const text of ['', 'Grüße, 世界 🌍', 'x'.repeat(1 << 20)]) await echoes(ws, text);
    ws.close(1000, 'done');
    assert.deepEqual(await ends(ws), { code: 1000, reason: 'done' });
  },

  // Run with --deflate.
  async deflate() {
    const offers = [
      {},
      { serverNoContextTakeover: true },
      { clientNoContextTakeover: true },
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      { clientMaxWindowBits: 9 },
      { serverMaxWindowBits: 10 },
    ];
    for (const offer of offers) {
      const ws = await open({ perMessageDeflate: { threshold: 0, ...offer } });
      assert.match(ws.extensions, /^permessage-deflate/);
      // The second of each tells whether both sides keep the same window.
      for (const n of [0, 1, 1000, 100_000, 3 << 20]) {
        for (let i = 0; i < 2; i++) {
          await echoes(ws, 'all work and no play '.repeat(n / 21 + 1).slice(0, n));
          await echoes(ws, randomBytes(n));
        }
      }
      ws.send('begin ', { fin: false });
      ws.send('end');
      const [whole] = await once(ws, 'message');
      assert.equal(whole.toString(), 'begin end');
      ws.close(1000);
      assert.equal((await ends(ws)).code, 1000);
    }
  },

  async fragments() {
    const ws = await open();
    const parts = Array.from({ length: 100 }, (_, i) => randomBytes(i * 37));
    parts.forEach((part, i) => {
      ws.send(part, { binary: true, fin: i === parts.length - 1 });
      ws.ping();
    });
    const [got, binary] = await once(ws, 'message');
    assert.ok(binary && got.equals(Buffer.concat(parts)));
    // A character may be cut anywhere (RFC 6455 section 5.6).
    const text = Buffer.from('世界🌍');
    text.forEach((byte, i) => ws.send(text.subarray(i, i + 1), { binary: false, fin: i === text.length - 1 }));
    const [whole, isBinary] = await once(ws, 'message');
    assert.ok(!isBinary && whole.equals(text));
    ws.terminate();
  },

  async ping() {
    const ws = await open();
    for (const data of ['', 'one', 'p'.repeat(125)]) {
      ws.ping(data);
      const [got] = await once(ws, 'pong');
      assert.equal(got.toString(), data);
    }
    ws.pong('nobody asked');
    await echoes(ws, 'still open');
    ws.terminate();
  },

  async close() {
    for (const [code, reason] of [[1000, ''], [1001, 'leaving'], [3000, 'x'.repeat(123)], [4999, 'ü']]) {
      const ws = await open();
      ws.close(code, reason);
      assert.deepEqual(await ends(ws), { code, reason });
    }
    const ws = await open();
    ws.close();
    assert.equal((await ends(ws)).code, 1005);
  },

  // Run with --max-payload 4KiB.
  async refused() {
    const cases = [
      [1009, (ws) => ws.send(randomBytes(4097))],
      [1007, (ws) => ws.send(Buffer.from([0xc3, 0x28]), { binary: false })],
    ];
    for (const [want, offend] of cases) {
      const ws = await open({ perMessageDeflate: false });
      offend(ws);
      assert.equal((await ends(ws)).code, want);
    }
  },

  // Run with small buffers: the server must stop reading from a paused client.
  async pause() {
    const ws = await open();
    const count = 512;
    let received = 0;
    ws.on('message', (data) => assert.equal(data.readUInt32BE(), received++));
    ws.pause();
    for (let i = 0; i < count; i++) {
      const data = Buffer.alloc(64 << 10);
      data.writeUInt32BE(i);
      ws.send(data);
    }
    const stuck = await standstill(() => ws.bufferedAmount);
    assert.ok(stuck > 0, 'the server took all from a client that reads nothing');
    ws.resume();
    while (received < count) await once(ws, 'message');
    ws.terminate();
  },

  async shutdown() {
    const ws = await open();
    console.log('open');
    assert.equal((await ends(ws)).code, 1001);
  },
};

// standstill resolves with the value once it has been the same for a second.
async function standstill(value) {
  for (let last = -1, same = 0; ; ) {
    const now = value();
    same = now === last ? same + 1 : 0;
    last = now;
    if (same === 20) return now;
    await new Promise((go) => setTimeout(go, 50));
  }
}

setTimeout(() => { console.error('no end within 30 s'); process.exit(1); }, 30_000).unref();
await scenarios[scenario]();
process.exit(0);
