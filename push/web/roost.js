// Adds to pusher-js what a Roost server can do beyond its protocol: resuming.
//
//   import Pusher from "pusher-js";
//   import { resume } from "/roost.js"; // of the server
//   const pusher = new Pusher(key, { wsHost: … });
//   resume(pusher);
//   pusher.subscribe("orders-7").bind("roost:missed", refetch);
//
// After a lost connection, events of a channel with history that were missed
// arrive first, in order and once. When the server no longer has them, the
// channel gets "roost:missed" instead: fetch the state anew. Waits before
// connecting again grow and are jittered, so that clients don't return as one,
// and a server that sends its clients elsewhere says when to be there.
//
// options.positions: where to resume, by channel, from an earlier page.
// options.minBackoff, options.maxBackoff: milliseconds, 1000 and 30000.
// Returns { positions }: what the application has handled, to be kept for later.
//
// It reaches into pusher-js 8 at four places: send_event, unsubscribe,
// connection.retryIn and the transport's emit, since SDKs drop fields of a frame
// they don't know.
export function resume(pusher, options = {}) {
  const positions = { ...options.positions };
  asPosition(pusher, positions);
  const advice = { after: 0 }; // ms, of a server that sends us elsewhere
  filter(pusher, positions, advice);
  backOff(pusher.connection, advice, options.minBackoff ?? 1000, options.maxBackoff ?? 30000);
  return { positions };
}

// asPosition names the last position in each subscription. Whoever unsubscribes
// wants nothing that comes meanwhile.
function asPosition(pusher, positions) {
  const send = pusher.send_event.bind(pusher);
  pusher.send_event = (name, data, channel) => {
    if (name === "pusher:subscribe" && positions[data.channel]) {
      data = { ...data, position: positions[data.channel] };
    }
    return send(name, data, channel);
  };
  const unsubscribe = pusher.unsubscribe.bind(pusher);
  pusher.unsubscribe = (channel) => { // pusher-js sends nothing of it while it isn't subscribed
    delete positions[channel];
    return unsubscribe(channel);
  };
}

// filter sees each frame before pusher-js does. The transport is new with each
// connection, and has brought nothing but the greeting when that is connected.
function filter(pusher, positions, advice) {
  const watch = () => {
    const transport = pusher.connection.connection.transport;
    const emit = transport.emit.bind(transport);
    transport.emit = (name, message, ...rest) => {
      const after = name === "message" ? take(pusher, positions, advice, message.data) : () => {};
      if (!after) return transport; // had already
      const result = emit(name, message, ...rest);
      after();
      return result;
    };
  };
  pusher.connection.bind("connected", watch);
  if (pusher.connection.state === "connected") watch();
}

// take returns what to do once a frame was handled, or null to drop it.
function take(pusher, positions, advice, text) {
  let frame;
  try { frame = JSON.parse(text); } catch { return () => {}; }
  const channel = frame.channel;
  if (frame.event === "pusher:error") {
    const { reconnect_after_ms: ms } = typeof frame.data === "string" ? JSON.parse(frame.data) : frame.data ?? {};
    advice.after = Number(ms) || 0;
  }
  if (frame.event === "pusher_internal:subscription_succeeded") {
    const { position, recovered } = typeof frame.data === "string" ? JSON.parse(frame.data) : frame.data ?? {};
    const missed = channel in positions && !recovered;
    if (position) positions[channel] = position;
    else delete positions[channel]; // the server keeps no history of it, or no longer
    return () => { if (missed) pusher.channel(channel)?.emit("roost:missed", {}); };
  }
  const { position } = frame, last = positions[channel];
  if (!position) return () => {};
  if (last && last.epoch === position.epoch && position.seq <= last.seq) return null;
  return () => { if (pusher.channel(channel)) positions[channel] = position; };
}

// backOff spreads the waits. The server may ask for one immediate return; two in
// a row would let it spin us.
function backOff(connection, advice, min, max) {
  const retryIn = connection.retryIn.bind(connection);
  let attempt = 0, rushed = false;
  connection.bind("connected", () => { attempt = 0; });
  connection.retryIn = (delay) => {
    if (delay === 0 && !rushed) {
      rushed = true;
      const wait = Math.max(0, Math.min(max, advice.after));
      advice.after = 0;
      return retryIn(wait);
    }
    rushed = false;
    const wait = Math.min(max, min * 2 ** attempt++);
    return retryIn(wait / 2 + Math.random() * wait / 2);
  };
}

// authorizer returns a channelAuthorization.customHandler for pusher-js that asks
// the backend once for many channels, and after a lost connection at a random
// moment, so that clients who all come back don't stampede it. (What the backend
// signs holds for one connection, so it can't be kept for the next.)
//
//   import { authorizer } from "/roost.js";
//   new Pusher(key, { …, channelAuthorization: { customHandler: authorizer("/pusher/auths") } });
//
// The endpoint gets POST {"socket_id":…,"channels":[…]} and answers
// {"channels":{NAME:{"auth":…,"channel_data":…},…}}; a channel that it leaves out
// is refused.
//
// options.spread: ms over which clients ask after a lost connection, 2000.
// options.headers: of the request, or a function that returns them.
export function authorizer(endpoint, options = {}) {
  let batch = null;
  return ({ socketId, channelName }, done) => {
    if (batch?.socketId !== socketId) {
      const wait = batch ? Math.random() * (options.spread ?? 2000) : 0;
      batch = { socketId, wait, waiting: new Map() };
    }
    const own = batch;
    if (own.waiting.size === 0) {
      setTimeout(() => {
        const waiting = own.waiting;
        own.waiting = new Map();
        own.wait = 0;
        if (own === batch) authorize(endpoint, options, socketId, waiting); // else the connection is gone
      }, own.wait + gather);
    }
    own.waiting.set(channelName, done);
  };
}

const gather = 10, most = 100; // ms in which channels are gathered; channels in one request

async function authorize(endpoint, options, socketId, waiting) {
  const names = [...waiting.keys()];
  for (let i = 0; i < names.length; i += most) {
    const channels = names.slice(i, i + most);
    let signed = {}, failed = null;
    try {
      const headers = typeof options.headers === "function" ? options.headers() : options.headers;
      const response = await fetch(endpoint, {
        method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify({ socket_id: socketId, channels }),
      });
      if (!response.ok) throw new Error(endpoint + " answered " + response.status);
      signed = (await response.json()).channels ?? {};
    } catch (error) {
      failed = error;
    }
    for (const name of channels) {
      if (signed[name]) waiting.get(name)(null, signed[name]);
      else waiting.get(name)(failed ?? new Error("channel " + name + " was refused"), null);
    }
  }
}
