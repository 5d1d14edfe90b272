// An echo with npm's ws.
const { WebSocketServer } = require('ws');
const { host, port, broadcast, maxMessage } = require('./options.js');

const server = new WebSocketServer({ host, port, perMessageDeflate: false, maxPayload: maxMessage, backlog: 4096 });
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, binary) => {
    if (!broadcast) return socket.send(data, { binary });
    for (const to of server.clients) to.send(data, { binary });
  });
});
