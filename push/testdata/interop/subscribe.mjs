// pusher-js, unmodified, against the server at HOST:PORT. It subscribes to the
// channels in argv and prints one line for each thing that happens.
import { createRequire } from "node:module";

const require = createRequire(process.env.NPM_ROOT + "/");
const Pusher = require("pusher-js");
const Backend = require("pusher");

const { HOST, PORT, APP_ID, KEY, SECRET } = process.env;
const say = (...words) => process.stdout.write(words.join(" ") + "\n");

// What an application's own backend does for private channels.
const backend = new Backend({ appId: APP_ID, key: KEY, secret: SECRET, host: HOST, port: PORT });

const pusher = new Pusher(KEY, {
  wsHost: HOST, wsPort: Number(PORT), forceTLS: false, enabledTransports: ["ws"], cluster: "",
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, done) => {
      const member = channelName.startsWith("presence-") ? { user_id: "u" } : undefined;
      done(null, backend.authorizeChannel(socketId, channelName, member));
    },
  },
});
pusher.connection.bind("connected", () => say("connected", pusher.connection.socket_id));
pusher.connection.bind("disconnected", () => say("disconnected"));
let last; // a close is reported twice, by the connection and by its manager
pusher.connection.bind("error", (e) => {
  const code = e.error?.data?.code ?? e.data?.code ?? JSON.stringify(e);
  if (code !== last) say("error", code);
  last = code;
});

for (const name of process.argv.slice(2)) {
  const channel = pusher.subscribe(name);
  channel.bind("pusher:subscription_succeeded", () => say("subscribed", name));
  channel.bind("pusher:subscription_error", (e) => say("refused", name, e.type));
  channel.bind("pusher:cache_miss", () => say("miss", name));
  channel.bind_global((event, data) => {
    if (!event.startsWith("pusher:")) say("event", name, event, JSON.stringify(data));
  });
}

// Each line of input is a command.
process.stdin.on("data", (chunk) => {
  for (const line of chunk.toString().split("\n").filter(Boolean)) {
    const [verb, name] = line.split(" ");
    if (verb === "unsubscribe") pusher.unsubscribe(name);
    if (verb === "ping") {
      const answered = (m) => { if (m.event === "pusher:pong") { pusher.connection.unbind("message", answered); say("pong"); } };
      pusher.connection.bind("message", answered);
      pusher.connection.send_event("pusher:ping", {});
    }
  }
});
process.stdin.on("end", () => process.exit(0));
