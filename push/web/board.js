// The page: signs in, shows the samples of the feed, and lends the console its app.
import { call, hasToken, listen, setToken, signOut } from "./session.js";
import { $, bytes, element, rate, rows, span, time, whole } from "./tables.js";
import { Charts } from "./charts.js";
import { Console } from "./console.js";

// ---- light and dark

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").value = name;
  localStorage.setItem("roost-theme", name);
}

// ---- figures

const figures = [
  ["connections", (s) => whole(s.conns)],
  ["in a second", (s) => rate(s.in)],
  ["out a second", (s) => rate(s.out)],
  ["published a second", (s) => rate(s.published)],
  ["p99 of delivery", (s) => s.p99 === undefined ? undefined : "< " + time(s.p99)],
  ["channels", (s) => whole(s.channels)],
  ["subscriptions", (s) => whole(s.subscriptions)],
];
const ofProcess = [
  ["CPU", (s) => s.cpu === undefined ? undefined : s.cpu.toFixed(2) + " cores"],
  ["memory", (s) => bytes(s.memory)],
  ["goroutines", (s) => whole(s.goroutines)],
  ["GC pause", (s) => time(s.gc_pause)],
  ["up", (s) => span(s.uptime)],
];

// fill shows a list of [name, text], in place, and leaves out what is not known.
function fill(list, kinds, sample) {
  const known = kinds.map(([name, of]) => [name, of(sample)]).filter(([, text]) => text !== undefined);
  while (list.children.length > known.length) list.lastElementChild.remove();
  known.forEach(([name, text], i) => {
    let box = list.children[i];
    if (!box) {
      box = element("div");
      box.append(element("dt"), element("dd"));
      list.append(box);
    }
    if (box.firstChild.textContent !== name) box.firstChild.textContent = name;
    if (box.lastChild.textContent !== text) box.lastChild.textContent = text;
  });
}

function status(state, text) {
  if ($("status").textContent !== text) $("status").textContent = text; // or it is read out again
  $("status").dataset.state = state;
}

// ---- samples

let latest = null;
const charts = new Charts($("charts"));

function show(sample) {
  latest = sample;
  if (sample.bus) status("bad", "bus: " + sample.bus);
  else if (sample.draining) status("bad", "draining");
  else status("on", "live");
  fill($("figures"), figures, sample);
  fill($("process"), ofProcess, sample);
  charts.add(sample);
  perApp(sample);
  const slow = [["messages dropped by a full outbox", sample.dropped], ...(sample.slow || []).map((s) => [s.policy, s.count])];
  rows($("slow"), slow, "");
  part("nodes", sample.nodes, (n, i) => [
    (n.addr || n.id) + (i === 0 ? " (this one)" : ""), n.draining ? "draining" : "serving",
    n.connections, n.channels, n.published, n.sent, n.version,
  ], "");
}

// perApp shows the tables of the app that is chosen, or of all.
function perApp(sample) {
  const id = $("app").value;
  const apps = sample.apps.filter((a) => id === "" || a.id === id);
  const merge = (name) => apps.flatMap((a) => (a[name] || []).map((c) => [apps.length > 1 ? c.name + " (app " + a.id + ")" : c.name, c.count]))
    .sort((a, b) => b[1] - a[1]).slice(0, 10);
  rows($("largest"), merge("largest"), "no channel has a subscriber");
  rows($("busiest"), merge("busiest"), "no channel had an event in the last second");
  rows($("apps"), apps.map((a) => [a.id, a.conns, a.channels, a.subscriptions, a.published]), "");
  const hooks = apps.flatMap((a) => (a.webhooks || []).map((h) => [h.host, "app " + a.id, h.waiting, h.most]));
  part("webhooks", hooks.length ? hooks : undefined, (h) => h, "");
}

// part shows a section as soon as there is something to show in it.
function part(name, list, row, empty) {
  $("part-" + name).hidden = !list;
  if (list) rows($(name), list.map(row), empty);
}

// ---- start

async function start() {
  let state;
  try {
    state = await call("console/state");
  } catch (err) {
    $("unlock").hidden = false;
    if (hasToken() || err.status !== 401) {
      $("why").className = "why-bad";
      $("why").textContent = err.message;
    }
    $("token").focus();
    return;
  }
  const typed = !$("unlock").hidden;
  $("unlock").hidden = true;
  $("desk").hidden = $("nav").hidden = $("sign-out").hidden = false;
  for (const a of state.apps) $("app").append(new Option("app " + a.id, a.id));
  if (typed) $("main").focus(); // or the focus would go with the form
  $("choose").hidden = state.apps.length < 2;
  const panel = new Console(state.apps);
  $("app").onchange = () => {
    panel.use($("app").value || state.apps[0].id);
    if (latest) perApp(latest);
  };
  panel.use(state.apps[0].id);
  listen((kind, data) => kind === "past" ? charts.begin(data) : show(data), () => status("bad", "server is away"));
}

$("theme").onchange = () => { theme($("theme").value); charts.redraw(); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.redraw());
theme(["light", "dark"].includes(localStorage.getItem("roost-theme")) ? localStorage.getItem("roost-theme") : "system");
$("sign-out").onclick = signOut;
$("token-form").onsubmit = (e) => {
  e.preventDefault();
  setToken($("token").value);
  start();
};
start();
