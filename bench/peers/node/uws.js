// An echo with uWebSockets, by its Node binding: the C++ is uWebSockets' own, the
// calls into it and out of it are Node's. npm's uwebsockets is a republication of
// uWebSockets.js, whose author publishes on GitHub alone; its file source_commit
// says of what.
const uWS = require('uwebsockets');
const { host, port, broadcast, deflate, cert, key, maxMessage } = require('./options.js');

// Its compressor has no setting for the level: it is zlib's default, 6.
const app = cert ? uWS.SSLApp({ cert_file_name: cert, key_file_name: key }) : uWS.App();
app.ws('/*', {
  compression: deflate ? uWS.SHARED_COMPRESSOR : uWS.DISABLED,
  maxPayloadLength: maxMessage,
  maxBackpressure: maxMessage,
  idleTimeout: 0,
  sendPingsAutomatically: false,
  open: (ws) => { if (broadcast) ws.subscribe('all'); },
  message: (ws, data, binary) => {
    if (broadcast) app.publish('all', data, binary, deflate);
    else ws.send(data, binary, deflate);
  },
});
app.listen(host, port, (socket) => {
  if (!socket) throw new Error(`cannot listen on ${host}:${port}`);
});
