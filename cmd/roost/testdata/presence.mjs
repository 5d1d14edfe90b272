// pusher-js, one client on each of three servers of a fleet: argv is a folder with
// pusher-js and pusher, and the servers' addresses. It says when it wants the
// third server killed, and ends with what it saw after.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [root, ...addresses] = process.argv.slice(2);
const require = createRequire(root + "/");
const Pusher = require("pusher-js"), Backend = require("pusher");
const key = "key", secret = "secret", appId = "1";
const backends = addresses.map((host) => new Backend({ appId, key, secret, host: host.split(":")[0], port: host.split(":")[1], timeout: 10000 }));
const errors = [];

function client(node, id, watchlist) {
  const backend = backends[node], [wsHost, wsPort] = addresses[node].split(":");
  const pusher = new Pusher(key, {
    wsHost, wsPort: Number(wsPort), forceTLS: false, enabledTransports: ["ws"], cluster: "",
    channelAuthorization: { customHandler: ({ socketId, channelName }, done) =>
      done(null, backend.authorizeChannel(socketId, channelName, channelName.startsWith("presence-") ? { user_id: id, user_info: { node } } : undefined)) },
    userAuthentication: { customHandler: ({ socketId }, done) => done(null, backend.authenticateUser(socketId, { id, watchlist })) },
  });
  pusher.connection.bind("error", (e) => errors.push([id, e.error?.data?.code ?? e.data?.code]));
  return pusher;
}
const until = async (what, true_) => {
  for (const end = Date.now() + 20000; !(await true_()); await new Promise((r) => setTimeout(r, 20))) {
    if (Date.now() > end) throw new Error("not within 20 s: " + what);
  }
};

const watched = [];
const ann = client(0, "ann", ["bob"]), bob = client(1, "bob"), carol = client(2, "carol"), twin = client(1, "carol");
ann.user.watchlist.bind("online", (e) => watched.push("online " + e.user_ids));
ann.user.watchlist.bind("offline", (e) => watched.push("offline " + e.user_ids));
ann.signin();
await until("ann is told that bob is away", () => watched.includes("offline bob"));
bob.signin();
await until("ann is told that bob has come, to another server", () => watched.includes("online bob"));

const rooms = [ann, bob, carol, twin].map((pusher) => pusher.subscribe("presence-room"));
const heard = [];
rooms[0].bind("pusher:member_added", (m) => heard.push("added " + m.id));
rooms[0].bind("pusher:member_removed", (m) => heard.push("removed " + m.id));
await until("all see all members", () => rooms.every((room) => room.members.count === 3));
assert.deepEqual(rooms[0].members.get("bob").info, { node: 1 });
const other = carol.subscribe("presence-other");
await until("carol is in the other room", () => other.subscribed);
for (const backend of backends) {
  const ask = async (path, params) => (await backend.get({ path, params })).json();
  await until("every server tells the same", async () =>
    JSON.stringify(await ask("/channels/presence-room/users")) === '{"users":[{"id":"ann"},{"id":"bob"},{"id":"carol"}]}' &&
    JSON.stringify(await ask("/channels", { filter_by_prefix: "presence-", info: "user_count,subscription_count" })) ===
    '{"channels":{"presence-other":{"subscription_count":1,"user_count":1},"presence-room":{"subscription_count":4,"user_count":3}}}');
}

const counts = [];
ann.subscribe("news").bind("pusher:subscription_count", (e) => counts.push(e.subscription_count));
bob.subscribe("news");
await until("ann is told of both subscribers", () => counts.at(-1) === 2);

console.log("kill");
const backend = backends[0];
await until("the other room is vacated", async () => JSON.stringify(await (await backend.get({ path: "/channels", params: { filter_by_prefix: "presence-" } })).json()) === '{"channels":{"presence-room":{}}}');
assert.deepEqual(heard.filter((h) => h.startsWith("removed")), [], "carol is on another server still");
twin.disconnect();
await until("carol has gone with her last connection", () => heard.includes("removed carol"));
assert.equal(rooms[0].members.count, 2);

await backends[0].terminateUserConnections("bob"); // he is on the second server
await until("bob is told that he may not come back", () => errors.some(([id, code]) => id === "bob" && code === 4009));
await until("ann is told that bob has gone", () => heard.includes("removed bob") && watched.at(-1) === "offline bob");
console.log("done");
process.exit(0);
