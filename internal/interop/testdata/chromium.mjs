// Usage: node chromium.mjs FOLDER_WITH_NODE_MODULES '[{"url": ..., "compressed": ...}, ...]'
// Opens a page of each server in Chromium and lets it converse with the echo server.
import { createRequire } from 'node:module';

const [folder, text] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)('playwright-core');
const jobs = JSON.parse(text);

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// converse runs in the page.
async function converse({ url, compressed }) {
  const check = (ok, what) => { if (!ok) throw new Error(what); };
  const next = (ws, event) => new Promise((resolve, reject) => {
    ws.addEventListener(event, resolve, { once: true });
    if (event !== 'close') ws.addEventListener('close', (e) => reject(new Error(`closed with ${e.code}`)), { once: true });
  });
  const bytes = async (data) => new Uint8Array(data instanceof Blob ? await data.arrayBuffer() : data);
  for (const binaryType of ['arraybuffer', 'blob']) {
    const ws = new WebSocket(url);
    ws.binaryType = binaryType;
    await next(ws, 'open');
    check(ws.extensions.startsWith('permessage-deflate') === compressed, `extensions ${ws.extensions}`);
    for (const n of [0, 1, 125, 126, 65535, 65536, 200_000]) {
      const prose = 'all work and no play '.repeat(n / 21 + 1).slice(0, n);
      for (const sent of [prose, prose.toUpperCase(), prose, 'Grüße, 世界 🌍']) {
        ws.send(sent);
        const { data } = await next(ws, 'message');
        check(data === sent, `text of ${sent.length}: got ${data.length}`);
      }
      const noise = new Uint8Array(n);
      for (let at = 0; at < n; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
      for (const sent of [noise, new Uint8Array(n), noise]) {
        ws.send(sent);
        const got = await bytes((await next(ws, 'message')).data);
        check(got.length === n && got.every((b, i) => b === sent[i]), `${n} bytes: got ${got.length}`);
      }
    }
    ws.close(4321, 'bye');
    const { code, reason, wasClean } = await next(ws, 'close');
    check(code === 4321 && reason === 'bye' && wasClean, `closed with ${code} ${reason}, clean ${wasClean}`);
  }
}

try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  for (const job of jobs) {
    const page = await context.newPage();
    await page.goto(job.url.replace(/^ws/, 'http'));
    await page.evaluate(converse, job).catch((e) => { throw new Error(`${job.name}: ${e.message}`); });
    await page.close();
  }
  console.log('all good');
} finally {
  await browser.close();
}
