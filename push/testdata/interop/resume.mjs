// pusher-js with roost.js (its address is argv[2]) against a server whose
// connections are cut: every event comes once and in order.
import assert from "node:assert/strict";
import { backend, client, event, subscribed } from "./lib.mjs";

const source = await (await fetch(process.argv[2])).text();
const { resume } = await import("data:text/javascript," + encodeURIComponent(source));
const cut = (pusher) => pusher.connection.connection?.transport.socket.close();

const pusher = client("ann");
const { positions } = resume(pusher, { minBackoff: 50, maxBackoff: 200 });
const channel = await subscribed(pusher, "kept-a");
const got = [];
channel.bind("e", (data) => got.push(data.n));
channel.bind("roost:missed", () => assert.fail("missed"));
const most = 200;
const done = new Promise((resolve) => channel.bind("e", (data) => data.n === most && resolve()));
for (let n = 1; n <= most; n++) {
  await backend.trigger("kept-a", "e", { n });
  if (n % 40 === 0) cut(pusher);
}
await done;
assert.deepEqual(got, Array.from({ length: most }, (_, i) => i + 1));
assert.equal(positions["kept-a"].seq, most);

// Around a subscription an event may come twice: the second is dropped.
const transport = pusher.connection.connection.transport;
const repeated = JSON.stringify({ event: "e", channel: "kept-a", data: { n: most }, position: positions["kept-a"] });
transport.emit("message", { data: repeated });
assert.equal(got.length, most);

// Whoever unsubscribes while it is away wants nothing that comes meanwhile.
cut(pusher);
await event(pusher.connection, "connecting");
pusher.unsubscribe("kept-a");
await backend.trigger("kept-a", "e", { n: most + 1 });
const again = pusher.subscribe("kept-a");
again.bind("roost:missed", () => assert.fail("missed"));
const first = event(again, "e");
if (!again.subscribed) await event(again, "pusher:subscription_succeeded");
await backend.trigger("kept-a", "e", { n: most + 2 });
assert.deepEqual(await first, { n: most + 2 });

// What can't be recovered is told.
const other = client("bob");
resume(other, { positions: { "kept-a": { epoch: "of another life", seq: 7 } } });
await event(other.subscribe("kept-a"), "roost:missed");

// Without history nothing changes.
const plain = await subscribed(pusher, "news");
const story = event(plain, "story");
await backend.trigger("news", "story", { x: 1 });
assert.deepEqual(await story, { x: 1 });
assert.equal("news" in positions, false);
process.exit(0);
