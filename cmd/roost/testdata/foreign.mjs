// Usage: node foreign.mjs FOLDER_WITH_NODE_MODULES echo|broadcast
// A server of the npm package ws, for the load tester. It prints its URL and ends
// with its input.
import { createRequire } from 'node:module';

const [folder, mode] = process.argv.slice(2);
const { WebSocketServer } = createRequire(`${folder}/`)('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, clientTracking: true });
server.on('connection', (ws) => {
  ws.on('error', () => {}); // resets are part of the test
  ws.on('message', (data, binary) => {
    if (mode === 'echo') ws.send(data, { binary });
    else for (const other of server.clients) other.send(data, { binary });
  });
});
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}/`));
process.stdin.resume().on('end', () => process.exit(0));
