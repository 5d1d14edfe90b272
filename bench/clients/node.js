// Echo over npm ws: node node.js URL CONNS SIZE WARMUP_MS MEASURED_MS. It prints one JSON line:
// messages that came back while measuring, and this process's CPU meanwhile.
"use strict";
const WebSocket = require("ws");

const [url, conns, size, warmup, measured] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const message = Buffer.alloc(size, 0x5a);
let open = 0, messages = 0, ending = false;

function begin() {
  setTimeout(() => {
    const cpu = process.cpuUsage(), at = process.hrtime.bigint(), before = messages;
    setTimeout(() => {
      const used = process.cpuUsage(cpu), took = Number(process.hrtime.bigint() - at) / 1e9, n = messages - before;
      console.log(JSON.stringify({ messages: n, cpu_us: used.user + used.system, seconds: took }));
      ending = true;
      process.exit(0);
    }, measured);
  }, warmup);
}

const all = [];
function dial() {
  const ws = new WebSocket(url, { perMessageDeflate: false });
  all.push(ws);
  ws.on("open", () => {
    if (++open < conns) return dial();
    for (const c of all) c.send(message);
    begin();
  });
  ws.on("message", (data) => {
    if (!message.equals(data)) throw new Error("another message came back than was sent");
    messages++;
    ws.send(message);
  });
  ws.on("error", (e) => { if (!ending) throw e; });
}
dial();
