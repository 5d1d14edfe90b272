// pusher-js with roost.js (its address is argv[2]): many channels are authorized in
// one request, and a server that sends its clients elsewhere is obeyed.
import assert from "node:assert/strict";
import http from "node:http";
import { HOST, KEY, PORT, Pusher, backend, event } from "./lib.mjs";

const source = await (await fetch(process.argv[2])).text();
const { resume, authorizer } = await import("data:text/javascript," + encodeURIComponent(source));

const asked = [];
const app = http.createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { socket_id, channels } = JSON.parse(body);
  asked.push(channels.length);
  const signed = channels.filter((name) => name !== "private-secret").map((name) => [name, backend.authorizeChannel(socket_id, name)]);
  response.end(JSON.stringify({ channels: Object.fromEntries(signed) }));
});
await new Promise((resolve) => app.listen(0, "127.0.0.1", resolve));

const pusher = new Pusher(KEY, {
  wsHost: HOST, wsPort: Number(PORT), forceTLS: false, enabledTransports: ["ws"], cluster: "",
  channelAuthorization: { customHandler: authorizer(`http://127.0.0.1:${app.address().port}/`, { spread: 100 }) },
});
resume(pusher, { minBackoff: 50, maxBackoff: 5000 });
const channels = Array.from({ length: 120 }, (_, i) => pusher.subscribe("private-" + i));
const refused = event(pusher.subscribe("private-secret"), "pusher:subscription_error");
const all = () => Promise.all(channels.map((channel) => event(channel, "pusher:subscription_succeeded")));
await all();
await refused;
assert.deepEqual(asked, [100, 21]);

// The close would follow: what counts is the wait before the next connection.
const transport = pusher.connection.connection.transport;
transport.emit("message", { data: JSON.stringify({ event: "pusher:error", data: { code: 4200, message: "", reconnect_after_ms: 1500 } }) });
const soon = event(pusher.connection, "connecting_in"); // whole seconds
const back = all();
pusher.connection.retryIn(0);
assert.equal(await soon, 2);
await back;
assert.deepEqual(asked, [100, 21, 100, 21]);
process.exit(0);
