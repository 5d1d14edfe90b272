// Each feature of the protocol, through pusher-js, pusher and laravel-echo,
// unmodified. argv[2] is the feature; status 0 means that it works.
import assert from "node:assert/strict";
import { KEY, Echo, Pusher, answered, backend, client, codeOf, event, options, subscribed } from "./lib.mjs";

const features = {
  async presence() {
    const [ann, bob] = [client("ann"), client("bob")];
    const room = await subscribed(ann, "presence-room");
    assert.equal(room.members.count, 1);
    assert.deepEqual(room.members.me, { id: "ann", info: { name: "ANN" } });
    const added = event(room, "pusher:member_added");
    const other = await subscribed(bob, "presence-room");
    assert.deepEqual(await added, { id: "bob", info: { name: "BOB" } });
    assert.deepEqual(other.members.get("ann"), { id: "ann", info: { name: "ANN" } });
    let res = await backend.get({ path: "/channels/presence-room/users" });
    assert.deepEqual(await res.json(), { users: [{ id: "ann" }, { id: "bob" }] });
    res = await backend.get({ path: "/channels", params: { filter_by_prefix: "presence-", info: "user_count" } });
    assert.deepEqual(await res.json(), { channels: { "presence-room": { user_count: 2 } } });
    const removed = event(room, "pusher:member_removed");
    bob.disconnect();
    assert.equal((await removed).id, "bob");
    assert.equal(room.members.count, 1);
  },

  async clientEvents() {
    const [ann, bob] = [client("ann"), client("bob")];
    const mine = await subscribed(ann, "presence-room");
    const theirs = await subscribed(bob, "presence-room");
    mine.bind("client-typing", () => assert.fail("echoed to its sender"));
    const typing = new Promise((resolve) => theirs.bind("client-typing", (data, meta) => resolve([data, meta])));
    assert.ok(mine.trigger("client-typing", { n: 1 }));
    assert.deepEqual(await typing, [{ n: 1 }, { user_id: "ann" }]);
    await answered(ann);
    const refused = event(ann.connection, "error");
    for (let i = 0; i < 20; i++) mine.trigger("client-typing", { i });
    assert.equal(codeOf(await refused), 4301);
    assert.equal(ann.connection.state, "connected");
  },

  async cache() {
    const ann = client("ann");
    const empty = ann.subscribe("cache-weather");
    await event(empty, "pusher:cache_miss");
    await backend.trigger("cache-weather", "rain", { mm: 3 });
    const late = client("bob");
    assert.deepEqual(await event(late.subscribe("cache-weather"), "rain"), { mm: 3 });
  },

  async encrypted() {
    const ann = client("ann");
    const secret = await subscribed(ann, "private-encrypted-room");
    const told = event(secret, "e");
    await backend.trigger("private-encrypted-room", "e", { secret: true });
    assert.deepEqual(await told, { secret: true });
    assert.throws(() => secret.trigger("client-e", {})); // the SDK sends none
  },

  async users() {
    const watcher = client("watcher", ["ann"]);
    watcher.signin();
    const away = event(watcher.user.watchlist, "offline");
    assert.deepEqual((await away).user_ids, ["ann"]);
    const online = event(watcher.user.watchlist, "online");
    const ann = client("ann");
    ann.signin();
    assert.deepEqual((await online).user_ids, ["ann"]);
    await ann.user.signinDonePromise;
    await answered(ann);
    const mine = new Promise((resolve) => ann.user.bind("note", resolve));
    await backend.sendToUser("ann", "note", { text: "hello" });
    assert.deepEqual(await mine, { text: "hello" });
    const closed = event(ann.connection, "error");
    const offline = event(watcher.user.watchlist, "offline");
    await backend.terminateUserConnections("ann");
    assert.equal(codeOf(await closed), 4009);
    assert.deepEqual((await offline).user_ids, ["ann"]);
    assert.equal(ann.connection.state, "disconnected"); // 4000-4099: it does not come back
  },

  async batchInfo() {
    const ann = client("ann");
    await subscribed(ann, "presence-room");
    const res = await backend.triggerBatch([
      { channel: "presence-room", name: "a", data: {}, info: "user_count,subscription_count" },
      { channel: "news", name: "b", data: "x" },
    ]);
    assert.deepEqual(await res.json(), { batch: [{ user_count: 1, subscription_count: 1 }, {}] });
  },

  async echo() {
    globalThis.Pusher = Pusher;
    const echo = (id) => new Echo({ broadcaster: "pusher", key: KEY, Pusher, ...options(id) });
    const [ann, bob] = [echo("ann"), echo("bob")];
    const here = await new Promise((resolve) => ann.join("room").here(resolve));
    assert.deepEqual(here, [{ name: "ANN" }]);
    const joining = new Promise((resolve) => ann.join("room").joining(resolve));
    const whisper = new Promise((resolve) => ann.join("room").listenForWhisper("typing", resolve));
    const leaving = new Promise((resolve) => ann.join("room").leaving(resolve));
    const room = await new Promise((resolve) => { const c = bob.join("room"); c.here(() => resolve(c)); });
    assert.deepEqual(await joining, { name: "BOB" });
    room.whisper("typing", { n: 1 });
    assert.deepEqual(await whisper, { n: 1 });
    const order = new Promise((resolve) => bob.private("orders").listen(".shipped", resolve).subscribed(() => backend.trigger("private-orders", "shipped", { id: 7 })));
    assert.deepEqual(await order, { id: 7 });
    const story = new Promise((resolve) => bob.channel("news").listen("Story", resolve).subscribed(() =>
      backend.trigger("news", "App\\Events\\Story", { title: "x" }, { socket_id: ann.socketId() })));
    assert.deepEqual(await story, { title: "x" });
    bob.leave("room");
    assert.deepEqual(await leaving, { name: "BOB" });
  },
};

await features[process.argv[2]]();
process.exit(0);
