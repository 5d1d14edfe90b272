// The console: listens over Pusher Channels protocol 7 like any other client,
// and publishes through the server's own endpoint, which wants the token.
import { call } from "./session.js";
import { $, element } from "./tables.js";

const keepMost = 200; // events on the page
const clipAt = 4000; // characters shown of one

export class Console {
  constructor(apps) {
    this.keys = new Map(apps.map((a) => [a.id, a.key]));
    this.wanted = new Map(); // channel name -> its list item
    this.socket = null;
    this.activity = 120;
    this.silence = this.again = this.attempt = 0;
    this.log = new Log();
    this.forms();
    this.subscribe("news");
  }

  // use turns to an app, by a new connection.
  use(app) {
    if (app === this.app) return;
    this.app = app;
    const before = this.socket;
    clearTimeout(this.again);
    this.attempt = 0;
    this.connect();
    before?.close();
  }

  // ---- connection

  connect() {
    const url = new URL("app/" + this.keys.get(this.app) + "?protocol=7&client=roost-console&version=1.0", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const ws = this.socket = new WebSocket(url);
    ws.onmessage = (m) => { if (ws === this.socket) this.receive(ws, JSON.parse(m.data)); };
    ws.onclose = (e) => {
      if (ws !== this.socket) return;
      clearTimeout(this.silence);
      for (const item of this.wanted.values()) state(item, "off");
      if (e.code >= 4000 && e.code < 4100) return link("bad", "refused: " + e.reason);
      const wait = e.code >= 4200 && e.code < 4300 ? 0 : Math.min(30, 2 ** this.attempt++) * (0.5 + Math.random() / 2);
      link("bad", "reconnecting");
      this.again = setTimeout(() => this.connect(), wait * 1000);
    };
  }

  send(event, data) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ event, data }));
  }

  // After so much silence the server is asked whether it lives.
  listenOn(ws) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.send("pusher:ping", {});
      this.silence = setTimeout(() => ws.close(), 30000);
    }, this.activity * 1000);
  }

  receive(ws, frame) {
    this.listenOn(ws);
    let data = frame.data;
    const item = this.wanted.get(frame.channel);
    switch (frame.event) {
      case "pusher:connection_established":
        this.activity = JSON.parse(data).activity_timeout;
        this.attempt = 0;
        link("on", "connected");
        for (const channel of this.wanted.keys()) this.send("pusher:subscribe", { channel });
        return;
      case "pusher:ping": return this.send("pusher:pong", {});
      case "pusher:pong": case "pusher:cache_miss": return;
      case "pusher_internal:subscription_succeeded":
        if (item) state(item, "on");
        return;
      case "pusher:subscription_error":
        if (item) state(item, "bad");
        data = JSON.parse(data).error;
        break;
      case "pusher:error": data = data.message; break;
    }
    this.log.add(frame.channel || "", frame.event, data);
  }

  // ---- channels

  subscribe(channel) {
    if (this.wanted.has(channel)) return;
    const item = element("li"), remove = element("button", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", "Unsubscribe from " + channel);
    remove.onclick = () => {
      this.send("pusher:unsubscribe", { channel });
      this.wanted.delete(channel);
      item.remove();
      $("s-channel").focus();
    };
    item.append(element("span", channel), element("span", "", "unseen"), remove);
    state(item, "off");
    $("channels").append(item);
    this.wanted.set(channel, item);
    this.send("pusher:subscribe", { channel });
  }

  forms() {
    $("subscribe-form").onsubmit = (e) => {
      e.preventDefault();
      this.subscribe($("s-channel").value);
      $("s-channel").value = "";
    };
    $("publish-form").onsubmit = (e) => {
      e.preventDefault();
      this.publish();
    };
    $("p-data").onkeydown = (e) => {
      if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) $("publish-form").requestSubmit();
    };
  }

  async publish() {
    const channel = $("p-channel").value, out = $("published");
    try {
      await call("console/publish?app=" + encodeURIComponent(this.app), { channel, name: $("p-event").value, data: $("p-data").value });
      out.className = "note";
      out.textContent = "Published to " + channel + " at " + new Date().toLocaleTimeString() + ".";
    } catch (err) {
      out.className = "note bad";
      out.textContent = err.message;
    }
  }
}

function link(name, text) {
  $("link").dataset.state = name;
  $("link").textContent = text;
}

// state is shown as a colour and said as a word.
function state(item, name) {
  item.dataset.state = name;
  item.children[1].textContent = { on: "subscribed", off: "not connected", bad: "refused" }[name];
}

// Log shows what came, drawn once a frame however much it is.
class Log {
  constructor() {
    this.queue = [];
    this.total = 0;
    this.paused = this.drawing = false;
    $("pause").onclick = () => {
      this.paused = !this.paused;
      $("pause").setAttribute("aria-pressed", this.paused);
      this.draw();
    };
    $("clear").onclick = () => {
      this.queue = [];
      this.total = 0;
      $("log").replaceChildren();
      $("count").textContent = "Nothing came yet.";
    };
  }

  add(channel, event, data) {
    this.total++;
    this.queue.push({ channel, event, data, at: new Date() });
    if (this.queue.length > keepMost) this.queue.shift();
    if (!this.drawing) requestAnimationFrame(() => this.draw());
    this.drawing = true;
  }

  draw() {
    this.drawing = false;
    $("count").textContent = this.total + " came" + (this.paused ? ", paused" : "");
    if (this.paused) return;
    const items = this.queue.reverse().map(render);
    this.queue = [];
    $("log").prepend(...items);
    while ($("log").childElementCount > keepMost) $("log").lastElementChild.remove();
  }
}

function render({ channel, event, data, at }) {
  const item = element("li"), head = element("div", undefined, "head");
  head.append(element("span", event, "event"), element("span", channel, "channel"), element("time", at.toLocaleTimeString()));
  item.append(head, element("pre", pretty(data)));
  return item;
}

function pretty(data) {
  let text = String(data);
  try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
  return text.length > clipAt ? text.slice(0, clipAt) + "…" : text;
}
