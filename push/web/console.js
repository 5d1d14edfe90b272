// The console: listens over Pusher Channels protocol 7 like any other client,
// and publishes through the server's own endpoint, which wants the token.
"use strict";

const $ = (id) => document.getElementById(id);
const keepMost = 200; // notifications on the page
const clipAt = 4000; // characters shown of one

// The token comes in the fragment, which is not sent to any server. It moves to
// this tab's storage, so that the address can be shared or photographed.
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.get("token")) {
  sessionStorage.setItem("roost-token", fragment.get("token"));
  history.replaceState(null, "", location.pathname);
}

addEventListener("hashchange", () => location.reload()); // another token was pasted

async function call(path, body) {
  const headers = { Authorization: "Bearer " + (sessionStorage.getItem("roost-token") || "") };
  if (body) headers["Content-Type"] = "application/json";
  const res = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  const answer = await res.json().catch(() => ({}));
  if (!res.ok) throw Object.assign(new Error(answer.error || res.statusText), { status: res.status });
  return answer;
}

// ---- connection

const wanted = new Map(); // channel name -> its list item
let socket = null, key = "", activity = 120, silence = 0, attempt = 0;

function show(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = text;
}

function connect() {
  const url = new URL("app/" + key + "?protocol=7&client=roost-console&version=1.0", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  const ws = socket = new WebSocket(url);
  ws.onmessage = (m) => receive(ws, JSON.parse(m.data));
  ws.onclose = (e) => {
    clearTimeout(silence);
    wanted.forEach((item) => { item.dataset.state = "off"; });
    if (e.code >= 4000 && e.code < 4100) return show("bad", "refused: " + e.reason);
    const wait = e.code >= 4200 && e.code < 4300 ? 0 : Math.min(30, 2 ** attempt++) * (0.5 + Math.random() / 2);
    show("bad", "reconnecting");
    setTimeout(connect, wait * 1000);
  };
}

const send = (event, data) => {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ event, data }));
};

// After so much silence the server is asked whether it lives.
function listenOn(ws) {
  clearTimeout(silence);
  silence = setTimeout(() => {
    send("pusher:ping", {});
    silence = setTimeout(() => ws.close(), 30000);
  }, activity * 1000);
}

function receive(ws, frame) {
  listenOn(ws);
  let data = frame.data;
  const item = wanted.get(frame.channel);
  switch (frame.event) {
    case "pusher:connection_established":
      activity = JSON.parse(data).activity_timeout;
      attempt = 0;
      show("on", "connected");
      wanted.forEach((_, channel) => send("pusher:subscribe", { channel }));
      return;
    case "pusher:ping": return send("pusher:pong", {});
    case "pusher:pong": case "pusher:cache_miss": return;
    case "pusher_internal:subscription_succeeded":
      if (item) item.dataset.state = "on";
      return;
    case "pusher:subscription_error":
      if (item) item.dataset.state = "bad";
      data = JSON.parse(data).error;
      break;
    case "pusher:error": data = data.message; break;
  }
  note(frame.channel || "", frame.event, data);
}

// ---- channels

function subscribe(channel) {
  if (wanted.has(channel)) return;
  const item = document.createElement("li"), remove = document.createElement("button");
  item.textContent = channel;
  remove.textContent = "×";
  remove.type = "button";
  remove.setAttribute("aria-label", "Unsubscribe from " + channel);
  remove.onclick = () => {
    send("pusher:unsubscribe", { channel });
    wanted.delete(channel);
    item.remove();
    $("s-channel").focus();
  };
  item.append(remove);
  $("channels").append(item);
  wanted.set(channel, item);
  send("pusher:subscribe", { channel });
}

// ---- notifications, drawn once a frame however many come

let queue = [], total = 0, paused = false, drawing = false;

function note(channel, event, data) {
  total++;
  queue.push({ channel, event, data, at: new Date() });
  if (queue.length > keepMost) queue.shift();
  if (!drawing) requestAnimationFrame(draw);
  drawing = true;
}

function draw() {
  drawing = false;
  const text = total === 1 ? "1 came" : total + " came";
  $("count").textContent = paused ? text + ", paused" : text;
  if (paused) return;
  const items = queue.reverse().map(render);
  queue = [];
  $("log").prepend(...items);
  while ($("log").childElementCount > keepMost) $("log").lastElementChild.remove();
}

function render({ channel, event, data, at }) {
  const item = document.createElement("li"), head = document.createElement("div"), pre = document.createElement("pre");
  head.className = "head";
  for (const [tag, name, text] of [["span", "event", event], ["span", "channel", channel], ["time", "", at.toLocaleTimeString()]]) {
    const part = document.createElement(tag);
    part.className = name;
    part.textContent = text;
    head.append(part);
  }
  pre.textContent = pretty(data);
  item.append(head, pre);
  return item;
}

function pretty(data) {
  let text = String(data);
  try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
  return text.length > clipAt ? text.slice(0, clipAt) + "…" : text;
}

// ---- forms

$("subscribe-form").onsubmit = (e) => {
  e.preventDefault();
  subscribe($("s-channel").value);
  $("s-channel").value = "";
};

$("publish-form").onsubmit = async (e) => {
  e.preventDefault();
  const channel = $("p-channel").value, out = $("published");
  try {
    await call("console/publish", { channel, name: $("p-event").value, data: $("p-data").value });
    out.className = "note";
    out.textContent = "Published to " + channel + " at " + new Date().toLocaleTimeString() + ".";
    figures();
  } catch (err) {
    out.className = "note bad";
    out.textContent = err.message;
  }
};

$("p-data").onkeydown = (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) $("publish-form").requestSubmit();
};

$("pause").onclick = () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  draw();
};

$("clear").onclick = () => {
  queue = [];
  total = 0;
  $("log").replaceChildren();
  $("count").textContent = "Nothing came yet.";
};

$("token-form").onsubmit = (e) => {
  e.preventDefault();
  const text = $("token").value.trim();
  sessionStorage.setItem("roost-token", text.replace(/^.*#token=/, ""));
  start();
};

// ---- figures and start

const span = (s) => s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min" : s < 86400 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " d";

function fill(state) {
  for (const name of ["connections", "channels", "subscriptions", "published"]) $("f-" + name).textContent = state[name].toLocaleString();
  $("f-uptime").textContent = span(state.uptime);
}

async function figures() {
  try { fill(await call("console/state")); } catch { /* the pill tells that the server is away */ }
}

async function start() {
  try {
    const state = await call("console/state");
    fill(state);
    key = state.key;
  } catch (err) {
    $("unlock").hidden = false;
    if (sessionStorage.getItem("roost-token") || err.status !== 401) {
      $("why").className = "why-bad";
      $("why").textContent = err.message;
    }
    $("token").focus();
    return;
  }
  $("unlock").hidden = true;
  $("desk").hidden = false;
  subscribe("news");
  connect();
  setInterval(() => { if (!document.hidden) figures(); }, 2000);
}

start();
