// pusher (the backend library), or PACKAGE with its interface, unmodified, against the
// server at HOST:PORT.
// argv[2] is a socket id to leave out once. It ends with status 0 when every
// answer was right.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const installed = createRequire(process.env.NPM_ROOT + "/").resolve(process.env.PACKAGE ?? "pusher");
const { default: Pusher } = await import(pathToFileURL(installed));
const { HOST, PORT, APP_ID, KEY, SECRET } = process.env;
const pusher = new Pusher({ appId: APP_ID, key: KEY, secret: SECRET, host: HOST, port: PORT, useTLS: false, timeout: 10000 });
const refused = (status) => (e) => e.status === status && JSON.parse(e.body).error.length > 0;

let res = await pusher.trigger(["news", "private-desk"], "story", { title: "Füchse & \"Gänse\"", n: [1, null] });
assert.equal(res.status, 200);
assert.deepEqual(await res.json(), {});

res = await pusher.triggerBatch([
  { channel: "news", name: "first", data: "plain text" },
  { channel: "news", name: "second", data: { n: 2 } },
]);
assert.equal(res.status, 200);

res = await pusher.trigger("news", "not-for-you", {}, { socket_id: process.argv[2] });
assert.equal(res.status, 200);

res = await pusher.trigger("news", "last", "", { info: "subscription_count" });
assert.deepEqual(await res.json(), { channels: { news: { subscription_count: 1 } } });

res = await pusher.get({ path: "/channels", params: { filter_by_prefix: "private-", info: "subscription_count" } });
assert.deepEqual(await res.json(), { channels: { "private-desk": { subscription_count: 1 } } });

res = await pusher.get({ path: "/channels/news", params: { info: "subscription_count" } });
assert.deepEqual(await res.json(), { occupied: true, subscription_count: 1 });

await assert.rejects(pusher.trigger("news", "large", "x".repeat(10 * 1024 + 1)), refused(413));
await assert.rejects(pusher.get({ path: "/channels", params: { info: "user_count" } }), refused(400));
const stranger = new Pusher({ appId: APP_ID, key: KEY, secret: "wrong", host: HOST, port: PORT, useTLS: false });
await assert.rejects(stranger.trigger("news", "e", ""), refused(401));
