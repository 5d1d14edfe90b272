// The flags that every peer understands: -addr host:port, -broadcast.
const { parseArgs } = require('node:util');

const args = process.argv.slice(2).map((a) => a.replace(/^-(?=[a-z]{2})/, '--'));
const { values } = parseArgs({
  args,
  options: { addr: { type: 'string', default: '127.0.0.1:9001' }, broadcast: { type: 'boolean', default: false } },
});
const [host, port] = values.addr.split(':');
module.exports = { host, port: Number(port), broadcast: values.broadcast, maxMessage: 16 << 20 };
