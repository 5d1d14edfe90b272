// The flags that every peer understands: -addr host:port, -broadcast, -deflate,
// -tls-cert and -tls-key with PEM files.
const { parseArgs } = require('node:util');

const args = process.argv.slice(2).map((a) => a.replace(/^-(?=[a-z]{2})/, '--'));
const { values } = parseArgs({
  args,
  options: {
    addr: { type: 'string', default: '127.0.0.1:9001' },
    broadcast: { type: 'boolean', default: false },
    deflate: { type: 'boolean', default: false },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
  },
});
const [host, port] = values.addr.split(':');
module.exports = {
  host,
  port: Number(port),
  broadcast: values.broadcast,
  deflate: values.deflate,
  cert: values['tls-cert'],
  key: values['tls-key'],
  maxMessage: 16 << 20,
};
