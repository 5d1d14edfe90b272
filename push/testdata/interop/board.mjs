// Usage: NPM_ROOT=… URL=… TOKEN=… node board.mjs
// Uses the dashboard in Chromium as a person would, and prints a line of JSON for
// each thing that was tried: {"name":…,"error":…}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.env.NPM_ROOT + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { URL: base, TOKEN: token } = process.env;
const hostile = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;

const check = (ok, what) => { if (!ok) throw new Error(what); };
const strangers = []; // what went wrong behind the page's back

async function open(browser, options = {}, fragment = "#token=" + token) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10000);
  page.on("request", (r) => { if (!r.url().startsWith(base) && !r.url().startsWith("data:")) strangers.push("asked for " + r.url()); });
  page.on("websocket", (w) => { if (!w.url().startsWith(base.replace("http", "ws"))) strangers.push("connected to " + w.url()); });
  page.on("pageerror", (e) => strangers.push("threw " + e.message));
  page.on("console", (m) => { if (m.type() === "error" && !/status of (401|400)/.test(m.text())) strangers.push("logged " + m.text()); });
  await options.before?.(page);
  await page.goto(base + "/" + fragment);
  return page;
}

const live = (page) => page.locator("#status[data-state=on]").waitFor();
const connected = (page) => page.locator("#channels li[data-state=on]", { hasText: "news" }).waitFor();
const audit = async (page) => {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  check(violations.length === 0, violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")).join("\n"));
};
const focused = (page) => page.evaluate(() => {
  const e = document.activeElement, s = getComputedStyle(e);
  return { id: e.id || e.textContent.trim(), seen: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 };
});
// tabTo presses Tab until id has the focus; each stop on the way must show it.
async function tabTo(page, id) {
  for (const path = []; ;) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    check(at.seen, "the focus on " + at.id + " can't be seen");
    if (at.id === id) return path;
    path.push(at.id);
    check(path.length < 40, id + " isn't reached by Tab: " + path);
  }
}
const shade = (page) => page.evaluate(() => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
  return (r + g + b) / 3;
});
const pixels = (page, id) => page.locator("#chart-" + id + " canvas").evaluate((c) => c.toDataURL());

const tries = {
  async "the token leaves the address and opens the page"(browser) {
    const page = await open(browser);
    await live(page);
    check(!page.url().includes(token), "the token is still in " + page.url());
    check((await page.context().cookies()).length === 0, "a cookie was set");
    check(!(await page.content()).includes(token), "the token is in the document");
    await page.locator("#sign-out").click();
    await page.locator("#unlock").waitFor();
    check(await page.evaluate(() => sessionStorage.length) === 0, "the token was kept");
  },
  async "a wrong token is refused and a right one opens"(browser) {
    const page = await open(browser, {}, "");
    await page.locator("#token").fill("wrong");
    await page.keyboard.press("Enter");
    await page.locator(".why-bad").waitFor();
    await page.locator("#token").fill(token);
    await page.keyboard.press("Enter");
    await live(page);
  },
  async "what is published arrives, and the charts and tables move"(browser) {
    const page = await open(browser);
    await live(page);
    await connected(page);
    await page.locator("#s-channel").fill("orders");
    await page.keyboard.press("Enter");
    await page.locator("#channels li[data-state=on]", { hasText: "orders" }).waitFor();
    await page.locator("#largest", { hasText: "orders" }).waitFor();
    await page.locator("#chart-messages canvas").waitFor();
    const before = await pixels(page, "messages");
    await page.locator("#p-channel").fill("orders");
    await page.locator("#p-event").fill("placed");
    for (let i = 1; i <= 20; i++) {
      await page.locator("#publish-form button").click();
      await page.locator("#count", { hasText: i + " came" }).waitFor();
    }
    check(await page.locator("#log .event").first().textContent() === "placed", "the event isn't shown");
    await page.waitForFunction(() => /events published: .* and ([2-9]|1\d)/.test(document.querySelector("#chart-messages p").textContent));
    check(await pixels(page, "messages") !== before, "the chart didn't move");
    await page.locator("#busiest", { hasText: "orders" }).or(page.locator("#apps", { hasText: "20" })).first().waitFor();
  },
  async "all of it works by keyboard"(browser) {
    const page = await open(browser, {}, "");
    await page.locator("#unlock").waitFor();
    check((await focused(page)).id === "token", "the form doesn't take the focus");
    await page.keyboard.type(token);
    await page.keyboard.press("Enter");
    await live(page);
    await connected(page);
    check((await focused(page)).id === "main", "the focus is lost with the form");
    await page.reload();
    await live(page);
    await connected(page);
    await tabTo(page, "Skip to the content");
    await tabTo(page, "theme");
    await page.keyboard.press("d"); // dark
    check(await shade(page) < 60, "the theme isn't chosen by keyboard");
    const path = await tabTo(page, "p-data");
    check(path.indexOf("p-channel") < path.indexOf("p-event"), "the order of focus is " + path);
    await page.keyboard.press("Control+Enter");
    await page.locator("#log .event", { hasText: "message" }).waitFor();
    await tabTo(page, "s-channel");
    await page.keyboard.type("by-keyboard");
    await page.keyboard.press("Enter");
    await page.locator("#channels li[data-state=on]", { hasText: "by-keyboard" }).waitFor();
    await tabTo(page, "pause");
    await page.keyboard.press("Space");
    check(await page.locator("#pause").getAttribute("aria-pressed") === "true", "pause isn't pressed");
  },
  async "a screen reader finds names, landmarks, words for charts, and contrast"(browser) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(browser, { colorScheme });
      await live(page);
      await connected(page);
      await page.locator("#publish-form button").click();
      await page.locator("#log .event").waitFor();
      await page.locator("#chart-connections p", { hasText: "connections:" }).waitFor({ state: "attached" });
      await audit(page);
      const locked = await open(browser, { colorScheme }, "");
      await locked.locator("#unlock").waitFor();
      await audit(locked);
    }
  },
  async "light and dark follow the system, or the switch"(browser) {
    const page = await open(browser, { colorScheme: "dark" });
    await live(page);
    check(await shade(page) < 60, "dark isn't dark");
    const before = await pixels(page, "connections");
    await page.locator("#theme").selectOption("light");
    check(await shade(page) > 200, "light isn't light");
    check(await pixels(page, "connections") !== before, "the charts keep the dark colours");
    await page.reload();
    await live(page);
    check(await shade(page) > 200, "the choice is forgotten");
    await page.locator("#theme").selectOption("system");
    await page.emulateMedia({ colorScheme: "light" });
    check(await shade(page) > 200, "the system isn't followed");
  },
  async "hostile names stay text"(browser) {
    const name = hostile, ranked = [{ name, count: 9 }];
    const sample = {
      at: 1, conns: 1, in: 1, out: 1, published: 1, memory: 1, uptime: 1, draining: false, bus: hostile, channels: 1, subscriptions: 1,
      goroutines: 1, gc_pause: 0, dropped: 0, nodes: [{ id: "1", addr: name, version: name, connections: 1, channels: 1, published: 1, sent: 1, draining: true }], slow: [{ policy: name, count: 1 }],
      apps: [{ id: name, conns: 1, channels: 1, subscriptions: 1, published: 1, largest: ranked, busiest: ranked, webhooks: [{ host: name, waiting: 1, most: 2 }] }],
    };
    const page = await open(browser, {
      before: (page) => page.route("**/console/stream", (r) => r.fulfill({ contentType: "text/event-stream", body: "data: " + JSON.stringify(sample) + "\n\n" })),
    });
    await connected(page);
    await page.locator("#largest", { hasText: "<img" }).waitFor();
    for (const id of ["largest", "busiest", "nodes", "webhooks", "slow", "apps"]) {
      check((await page.locator("#" + id).textContent()).includes(name), "#" + id + " doesn't show the name as it is");
    }
    await page.locator("#p-event").fill(hostile);
    await page.locator("#p-data").fill(hostile);
    await page.locator("#publish-form button").click();
    await page.locator("#log .event").waitFor();
    check(await page.locator("#log .event").textContent() === hostile && await page.locator("#log pre").textContent() === hostile, "the event isn't shown as it is");
    check(await page.evaluate(() => window.pwned === undefined && document.querySelectorAll("img, main script").length === 0), "a name was run");
  },
};

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
});
try {
  for (const [name, attempt] of Object.entries(tries)) {
    let error = "", began = Date.now();
    await attempt(browser).catch((e) => { error = e.message; });
    console.log(JSON.stringify({ name, error, took: Date.now() - began }));
    for (const context of browser.contexts()) await context.close();
  }
  console.log(JSON.stringify({ name: "nothing is asked of another place, and nothing breaks", error: strangers.join("\n") }));
} finally {
  await browser.close();
}
