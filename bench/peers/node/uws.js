// An echo with uWebSockets, by its Node binding: the C++ is uWebSockets' own, the
// calls into it and out of it are Node's.
const uWS = require('uwebsockets');
const { host, port, broadcast, maxMessage } = require('./options.js');

const app = uWS.App();
app.ws('/*', {
  compression: uWS.DISABLED,
  maxPayloadLength: maxMessage,
  maxBackpressure: maxMessage,
  idleTimeout: 0,
  sendPingsAutomatically: false,
  open: (ws) => { if (broadcast) ws.subscribe('all'); },
  message: (ws, data, binary) => {
    if (broadcast) app.publish('all', data, binary);
    else ws.send(data, binary);
  },
});
app.listen(host, port, (socket) => {
  if (!socket) throw new Error(`cannot listen on ${host}:${port}`);
});
