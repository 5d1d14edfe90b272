// An echo with npm's ws.
const { WebSocketServer } = require('ws');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:https');
const { host, port, broadcast, deflate, cert, key, maxMessage } = require('./options.js');

// Level 1 as the others have it: zlib's default is 6.
const perMessageDeflate = deflate && { threshold: 0, zlibDeflateOptions: { level: 1 } };
const options = { perMessageDeflate, maxPayload: maxMessage };
if (cert) {
  options.server = createServer({ cert: readFileSync(cert), key: readFileSync(key) });
  options.server.listen({ host, port, backlog: 4096 });
} else Object.assign(options, { host, port, backlog: 4096 });
const server = new WebSocketServer(options);
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, binary) => {
    if (!broadcast) return socket.send(data, { binary });
    for (const to of server.clients) to.send(data, { binary });
  });
});
