// How fast the page is: the first layer on screen, and the switch to another. `npm run bench -- REPORT` or, by itself,
// a report of all conv and pool layers of the bundled model. Figures are medians, in ms, of what a user waits for: from
// the start of the navigation, or the press of the key, to the frame on which the layer is painted.

import { execFileSync } from "node:child_process";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { launch } from "./browser/open.js";
import { PYTHON, REPOSITORY } from "./fixture.js";

const ROUNDS = 7;

function report() {
  if (process.argv[2]) return resolve(process.argv[2]);
  const folder = mkdtempSync(join(tmpdir(), "onnxviz-bench-"));
  const script = join(REPOSITORY, "tests/reporting/page/real.py");
  execFileSync(PYTHON, [script, folder, "cat"], { env: { ...process.env, PYTHONPATH: REPOSITORY }, maxBuffer: 1e8 });
  return join(folder, "report.html");
}

const median = (times) => [...times].sort((one, other) => one - other)[times.length >> 1];

/** In the page: press the key for the next layer, and time it until the frame is on screen that shows it. */
async function switched() {
  const name = document.getElementById("layer-name").textContent;
  const start = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "]", bubbles: true }));
  while (document.getElementById("layer-name").textContent === name) await new Promise((next) => setTimeout(next, 1));
  await new Promise((shown) => requestAnimationFrame(() => setTimeout(shown, 0)));
  return performance.now() - start;
}

/** In the page, before all else: note when the frame is on screen that shows the first layer. */
function timed() {
  const seen = new MutationObserver(() => {
    if (!document.body?.dataset.ready) return;
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => (window.shown = performance.now()), 0));
  });
  seen.observe(document, { subtree: true, childList: true, attributeFilter: ["data-ready"] });
}

const file = report();
const browser = await launch();
const first = [];
const switches = [];
for (let round = 0; round < ROUNDS; round++) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.addInitScript(timed);
  await page.goto(`file://${file}`);
  await page.waitForFunction(() => window.shown);
  first.push(Math.round(await page.evaluate(() => window.shown)));
  if (round < 2) {
    const count = await page.locator("[data-layer]").count();
    for (let layer = 1; layer < count; layer++) {
      switches.push(await page.evaluate(switched));
    }
  }
  await context.close();
}
console.log(`${(statSync(file).size / 1e6).toFixed(2)} MB`);
console.log(`first layer on screen: median ${median(first)} ms, worst ${Math.max(...first)} ms`);
console.log(
  `layer switch: median ${median(switches).toFixed(0)} ms, worst ${Math.max(...switches).toFixed(0)} ms, of ${switches.length}`,
);
await browser.close();
