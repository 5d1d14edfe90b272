// Usage: node client.mjs FOLDER_WITH_NODE_MODULES JOB
// Converses with an echo server once for each of the job's sets of parameters.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [folder, text] = process.argv.slice(2);
const WebSocket = createRequire(`${folder}/`)('ws');
const job = JSON.parse(text);
const ca = job.ca ? readFileSync(job.ca) : undefined;

async function echoes(ws, data) {
  ws.send(data);
  const [got, binary] = await once(ws, 'message');
  assert.equal(binary, typeof data !== 'string');
  assert.ok(got.equals(Buffer.from(data)), `${got.length} bytes came back for ${data.length}`);
}

// agreed are the parameters that the server's answer names.
function agreed(response) {
  const header = response.headers['sec-websocket-extensions'] ?? '';
  return Object.fromEntries(header.split(';').map((p) => p.trim().split('=')));
}

async function converse(params) {
  const ws = new WebSocket(job.url, { ca, perMessageDeflate: params ? { threshold: 0, ...params } : false });
  const [response] = await once(ws, 'upgrade');
  if (ws.readyState !== WebSocket.OPEN) await once(ws, 'open');
  const got = agreed(response);
  assert.equal('permessage-deflate' in got, params !== null);
  if (params) {
    assert.equal('server_no_context_takeover' in got, params.serverNoContextTakeover);
    assert.equal('client_no_context_takeover' in got, params.clientNoContextTakeover);
    assert.equal(Number(got.server_max_window_bits), params.serverMaxWindowBits);
    assert.equal(Number(got.client_max_window_bits), params.clientMaxWindowBits);
  }
  for (const n of job.sizes) {
    const prose = 'all work and no play '.repeat(n / 21 + 1).slice(0, n);
    for (const data of [prose, randomBytes(n), prose, prose.toUpperCase()]) await echoes(ws, data);
  }
  await echoes(ws, 'Grüße, 世界 🌍');
  ws.close(1000, 'bye');
  const [code, reason] = await once(ws, 'close');
  assert.deepEqual([code, reason.toString()], [1000, 'bye']);
}

for (const params of job.params) {
  try {
    await converse(params);
  } catch (err) {
    console.error(params, err);
    process.exit(1);
  }
}
console.log('all good');
