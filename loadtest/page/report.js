"use strict";
// Draws the charts of the runs, which the page puts into the constant runs. All
// charts over time begin at each run's own start, so that runs lie on each other.
const colours = ["#1f77b4", "#d9480f", "#2b8a3e", "#9c36b5"];
const dashes = [[], [6, 4]]; // the first run is solid, the second dashed
const style = getComputedStyle(document.documentElement);
const ink = style.getPropertyValue("--dim"), line = style.getPropertyValue("--line");
const seconds = (ns) => ns / 1e9, ms = (ns) => ns / 1e6;

const short = (x) => {
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (Math.abs(x) >= unit) return +(x / unit).toFixed(2) + name;
  return String(+x.toFixed(3));
};

// draw adds a chart of series {label, x, y}, each with its own points, all in one unit.
function draw(title, unit, series, axis = {}) {
  const shown = series.filter((s) => s.y.some((y) => y !== null));
  if (shown.length === 0) return;
  const box = document.createElement("div");
  box.className = "chart";
  box.append(Object.assign(document.createElement("h2"), { textContent: title + (unit && ", " + unit) }));
  document.querySelector(".charts").append(box);
  const data = uPlot.join(shown.map((s) => [s.x, s.y]));
  const grid = { stroke: line, width: 1 }, look = { stroke: ink, grid, ticks: grid };
  const size = () => ({ width: box.clientWidth, height: 260 });
  const chart = new uPlot({
    ...size(),
    scales: { x: { time: false }, y: { range: (u, min, max) => [Math.min(0, min), max > 0 ? max * 1.05 : 1] } },
    axes: [{ ...look, ...axis }, { ...look, size: 64, values: (u, all) => all.map(short) }],
    series: [
      { label: axis.label || "seconds", value: (u, x) => (x === null ? "" : axis.text ? axis.text(x) : x.toFixed(1)) },
      ...shown.map((s) => ({
        label: s.label, stroke: colours[s.colour], dash: dashes[s.run % 2], width: 1.5, spanGaps: true,
        value: (u, y) => (y === null ? "" : short(y)),
      })),
    ],
  }, data, box);
  addEventListener("resize", () => chart.setSize(size()));
}

const named = (run, label) => (runs.length > 1 ? ["before", "after"][run] + " " : "") + label;

// over makes series over time: each value is [label, function of a sample].
const over = (...values) => runs.flatMap((r, run) => values.map(([label, f], colour) => ({
  label: named(run, label), colour, run, x: r.samples.map((s) => seconds(s.at_ns)), y: r.samples.map(f),
})));
const each = (f) => (s) => f(s) / seconds(s.length_ns);
const heard = (f) => (s) => (s.p99_ns > 0 ? ms(f(s)) : null);
const some = (f) => runs.some((r) => r.samples.some((s) => f(s) > 0));

// tail stretches percentiles: 90, 99 and 99.9 are as far from each other.
const tail = (percent) => -Math.log10(Math.max(1 - percent / 100, 1e-6));
const marks = [0, 50, 90, 99, 99.9, 99.99, 99.999];
const percent = { label: "percentile", splits: () => marks.map(tail), values: () => marks.map(String), text: (x) => +(100 * (1 - 10 ** -x)).toFixed(3) + " %" };
const curve = (r, run, name, label, colour) => {
  const of = r.echo || r.broadcast || (r.push && { ...r.push, ...r.push.slow }) || (r.storm && { ...r.storm.events, back: r.storm.back }) || (r.slow && { latency: r.slow.loaded.latency, baseline: r.slow.baseline.latency }) || (r.churn && { latency: (r.churn.echo || {}).latency, handshake: r.churn.handshake, close: r.churn.close }) || {};
  const points = ((of[name] && of[name].curve) || []).filter((p) => p.percent < 100);
  return { label: named(run, label), colour, run, x: points.map((p) => tail(p.percent)), y: points.map((p) => ms(p.at_ns)) };
};

if (some((s) => s.messages)) draw("Messages", "a second", over(["messages", each((s) => s.messages)]));
draw("Latency", "ms", over(["p50", heard((s) => s.p50_ns)], ["p99", heard((s) => s.p99_ns)], ["max", heard((s) => s.max_ns)]));
draw("Latency by percentile", "ms", runs.flatMap((r, run) => [curve(r, run, "latency", "latency", 0), curve(r, run, "uncorrected", "uncorrected", 1),
  curve(r, run, "baseline", "without slow ones", 1), curve(r, run, "handshake", "handshake", 2), curve(r, run, "back", "back after the cut", 2), curve(r, run, "close", "close", 3)]), percent);
const steps = (r, run, name, colour, f) => {
  const all = r.find ? r.find.steps.toSorted((a, b) => a.load - b.load) : [];
  return { label: named(run, name), colour, run, x: all.map((s) => s.load), y: all.map((s) => (f(s) > 0 ? ms(f(s)) : null)) };
};
const load = { label: "load", values: (u, all) => all.map(short), text: short };
draw("Latency by load", "ms", runs.flatMap((r, run) => [steps(r, run, "p50", 0, (s) => s.latency.p50_ns),
  steps(r, run, "p99, held", 2, (s) => s.held && s.latency.p99_ns), steps(r, run, "p99, failed", 1, (s) => !s.held && s.latency.p99_ns)]), load);
if (runs.some((r) => r.churn || r.storm)) draw("Handshakes", "a second", over(["handshakes", each((s) => s.opened)]));
draw("Connections", "open", over(["open", (s) => s.open]));
draw("Errors", "a second", over(["handshakes failed", each((s) => s.failed)], ["connections lost", each((s) => s.lost)]));
draw("CPU", "cores", over(["server", (s) => (s.server_rss >= 0 || s.server_cores > 0 ? s.server_cores : null)], ["harness", (s) => s.client_cores]));
if (some((s) => s.lag_ns)) draw("Harness woke late", "ms, the most", over(["lag", (s) => ms(s.lag_ns || 0)]));
const mib = (x) => (x === undefined || x < 0 ? null : x / 2 ** 20);
const server = (f) => (s) => (s.server && f(s.server) >= 0 ? f(s.server) : null);
if (some((s) => s.server_rss)) draw("Server memory", "MiB", over(["RSS", (s) => mib(s.server_rss)], ["PSS", (s) => mib(s.server?.pss)]));
if (some(server((w) => w.descriptors))) draw("Server descriptors", "open", over(["descriptors", server((w) => w.descriptors)]));
if (some(server((w) => w.slab))) draw("Kernel memory of this machine", "MiB", over(["slab", (s) => mib(s.server?.slab)], ["TCP buffers", (s) => mib(s.server?.socket_buffers)],
  ["cgroup's kernel", (s) => mib(s.server?.cgroup?.kernel)]));

// What the server tells of itself: a chart for each metric, a line for each of its series.
const families = {};
for (const r of runs) for (const s of r.samples) for (const name of Object.keys(s.scraped || {})) (families[name.replace(/\{.*\}/, "")] ||= new Set()).add(name);
for (const family of Object.keys(families).sort()) {
  const label = (name) => (name.match(/\{(.*)\}/) || [, "value"])[1];
  draw(family.replace(/\/s$/, ""), family.endsWith("/s") ? "a second" : "", over(...[...families[family]].sort().slice(0, colours.length).map((name) => [label(name), (s) => s.scraped?.[name] ?? null])));
}
