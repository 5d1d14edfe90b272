// Usage: node server.mjs FOLDER_WITH_NODE_MODULES '{"cert": PEM, "key": PEM}'
// An echo server that grants what clients ask for. It prints where it listens and
// ends with its input.
import { createServer as createPlain } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { createRequire } from 'node:module';

const [folder, text] = process.argv.slice(2);
const { WebSocketServer } = createRequire(`${folder}/`)('ws');
const pair = JSON.parse(text);
const server = pair.cert ? createSecure(pair) : createPlain();
const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
sockets.on('connection', (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })));
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
process.stdin.resume().on('end', () => process.exit(0));
