// The charts: uPlot on a canvas, and beside it the same in words, for those who
// don't see it.
/* global uPlot */
import { element, rate, bytes, time } from "./tables.js";

const most = 300; // seconds shown

// Each series is [label, colour of the style sheet, value of a sample]. A chart
// appears once a sample has one of its values.
const kinds = [
  { id: "connections", title: "Connections", unit: rate, series: [["connections", "--c1", (s) => s.conns]] },
  { id: "messages", title: "Messages a second", unit: rate, series: [["in", "--c1", (s) => s.in], ["out", "--c2", (s) => s.out], ["events published", "--c3", (s) => s.published]] },
  { id: "delivery", title: "Publish to written, p99", unit: time, series: [["p99", "--c2", (s) => s.p99]] },
  { id: "cpu", title: "CPU, cores", unit: (n) => String(+n.toFixed(2)), series: [["cores", "--c1", (s) => s.cpu]] },
  { id: "memory", title: "Memory", unit: bytes, steps: Array.from({ length: 40 }, (_, i) => 2 ** i), series: [["memory", "--c3", (s) => s.memory]] },
];

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

// A canvas doesn't know light-dark(): an element is asked what it would be.
function colours(element) {
  const style = getComputedStyle(element);
  return (name) => {
    element.style.color = "var(" + name + ")";
    return style.color;
  };
}

class Chart {
  constructor(kind, into) {
    Object.assign(this, kind);
    this.figure = element("figure", undefined, "card chart");
    this.figure.id = "chart-" + this.id;
    this.box = element("div");
    this.box.setAttribute("aria-hidden", "true"); // the words say it
    this.words = element("p", "", "unseen");
    this.figure.append(element("figcaption", this.title), this.box, this.words);
    into.append(this.figure);
    this.plot = null;
  }

  data(samples) {
    return [samples.map((s) => s.at / 1000), ...this.series.map(([, , of]) => samples.map((s) => of(s) ?? null))];
  }

  draw(samples) {
    this.plot?.destroy();
    const colour = colours(this.box);
    const grid = { stroke: colour("--line"), width: 1 }, axis = { stroke: colour("--soft"), grid, ticks: grid };
    this.plot = new uPlot({
      width: this.box.clientWidth, height: 170, legend: { live: false, show: this.series.length > 1 },
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (u, min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [{ ...axis, size: 30, space: 80, values: (u, all) => all.map((at) => clock.format(at * 1000)) }, { ...axis, size: 72, incrs: this.steps, values: (u, all) => all.map(this.unit) }],
      series: [{}, ...this.series.map(([label, c]) => ({ label, stroke: colour(c), width: 2, points: { show: false } }))],
    }, this.data(samples), this.box);
    this.box.style.color = "";
  }

  update(samples) {
    if (this.plot) this.plot.setData(this.data(samples));
    else this.draw(samples);
  }

  say(samples) {
    this.words.textContent = this.series.map(([label, , of]) => {
      const all = samples.map(of).filter((v) => v !== undefined && v !== null);
      if (!all.length) return label + ": nothing yet.";
      const [now, least, highest] = [all.at(-1), Math.min(...all), Math.max(...all)].map(this.unit);
      return label + ": " + now + " now, between " + least + " and " + highest + " in the last " + Math.max(1, Math.round(samples.length / 60)) + " min.";
    }).join(" ");
  }
}

export class Charts {
  constructor(into) {
    this.into = into;
    this.samples = [];
    this.shown = new Map();
    this.said = 0;
    new ResizeObserver(() => this.fit()).observe(into);
  }

  begin(past) { this.samples = past.slice(-most); }

  add(sample) {
    if (this.samples.at(-1)?.at >= sample.at) return;
    this.samples.push(sample);
    if (this.samples.length > most) this.samples.shift();
    const saying = sample.at - this.said >= 2000;
    if (saying) this.said = sample.at;
    for (const kind of kinds) {
      if (!this.shown.has(kind.id) && kind.series.some(([, , of]) => this.samples.some((s) => of(s) !== undefined))) this.show(kind);
      const chart = this.shown.get(kind.id);
      if (!chart) continue;
      if (!document.hidden) chart.update(this.samples);
      if (saying || !chart.words.textContent) chart.say(this.samples);
    }
  }

  // show keeps the order of kinds, whichever comes first.
  show(kind) {
    const chart = new Chart(kind, this.into);
    this.shown.set(kind.id, chart);
    for (const { id } of kinds) if (this.shown.has(id)) this.into.append(this.shown.get(id).figure);
  }

  redraw() { for (const chart of this.shown.values()) chart.draw(this.samples); }
  fit() { for (const c of this.shown.values()) c.plot?.setSize({ width: c.box.clientWidth, height: 170 }); }
}
