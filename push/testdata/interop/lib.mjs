// What the scripts share: unmodified clients and a backend for the server at
// HOST:PORT.
import { createRequire } from "node:module";

const require = createRequire(process.env.NPM_ROOT + "/");
export const { HOST, PORT, APP_ID, KEY, SECRET } = process.env;
const Backend = require("pusher");
export const Pusher = require("pusher-js");
export const { default: Echo } = await import(new URL("node_modules/laravel-echo/dist/echo.js", "file://" + process.env.NPM_ROOT + "/"));
export const backend = new Backend({
  appId: APP_ID, key: KEY, secret: SECRET, host: HOST, port: PORT, useTLS: false, timeout: 10000,
  encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString("base64"),
});

// options of a client that is user id, whose backend signs what it asks for.
export const options = (id, watchlist) => ({
  wsHost: HOST, wsPort: Number(PORT), forceTLS: false, enabledTransports: ["ws"], cluster: "",
  nacl: require("tweetnacl"), // what pusher-js/with-encryption sets, which runs in browsers only
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, done) => {
      const member = channelName.startsWith("presence-") ? { user_id: id, user_info: { name: id.toUpperCase() } } : undefined;
      done(null, backend.authorizeChannel(socketId, channelName, member));
    },
  },
  userAuthentication: {
    customHandler: ({ socketId }, done) => done(null, backend.authenticateUser(socketId, { id, watchlist })),
  },
});
export const client = (id, watchlist) => new Pusher(KEY, options(id, watchlist));

// event resolves with what the next event of that name carries.
export const event = (source, name) => new Promise((resolve, reject) => {
  const late = setTimeout(() => reject(new Error("no " + name + " within 10 s")), 10000);
  const heard = (data) => { clearTimeout(late); source.unbind(name, heard); resolve(data); };
  source.bind(name, heard);
});
export const subscribed = async (pusher, name) => {
  const channel = pusher.subscribe(name);
  if (!channel.subscribed) await event(channel, "pusher:subscription_succeeded");
  return channel;
};
// answered resolves once the server has dealt with all that was sent before.
export const answered = async (pusher) => {
  const pong = new Promise((resolve) => {
    const heard = (m) => { if (m.event === "pusher:pong") { pusher.connection.unbind("message", heard); resolve(); } };
    pusher.connection.bind("message", heard);
  });
  pusher.connection.send_event("pusher:ping", {});
  await pong;
};
// codeOf is the protocol's code in what an error event carries.
export const codeOf = (e) => e.error?.data?.code ?? e.data?.code;
