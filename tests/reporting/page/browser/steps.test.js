import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { noise, writeReport } from "../fixture.js";
import { goTo, launch, open, readout } from "./open.js";

// Two channels of 16 steps of 2 x 3 maps, the first of them step 16: a value is its place.
const COUNTED = [0, 1].map((channel) => Array.from({ length: 96 }, (_, place) => 100 * channel + place));
const STEPS = { first: 16, last: 31, total: 1000, noun: "step", words: "steps 16 to 31 of 1,000" };
const LOOP = {
  runs: [{ name: "sound" }],
  layers: [
    { name: "loop/maps", layout: "SNCHW", form: "volume", extent: [16, 2, 3], steps: STEPS, maps: [COUNTED] },
    {
      name: "loop/bands",
      layout: "SNC",
      form: "band",
      extent: [16],
      steps: STEPS,
      groups: 2,
      maps: [[1, 2, 3, 4].map((seed) => noise(16, seed))],
    },
    {
      name: "loop/numbers",
      layout: "S",
      form: "vector",
      extent: [],
      steps: { first: 2, last: 4, total: 3, noun: "element", words: "3 elements" },
      maps: [[[0.5], [-7], [2]]],
    },
    {
      name: "codes",
      form: "map",
      extent: [2, 2],
      notes: ["uint8 dequantised: (q - 113) x 0.431"],
      runFacts: { at_ends: [0, 0.0772] },
      maps: [[noise(4, 9)]],
    },
  ],
};

let browser;
let address;
before(async () => {
  address = writeReport(LOOP);
  browser = await launch();
});
after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();

test("a slider goes through the steps of a loop by their own numbers", async () => {
  const page = await open(browser, `${address}#l=loop%2Fmaps&c=1&d=3&y=1&x=2`);
  assert.equal(await text(page, "slice-name"), "Step");
  assert.equal(await text(page, "slice-words"), "19 of 16 … 31 (1,000 in all)");
  assert.match(await text(page, "layer-facts"), /steps 16 to 31 of 1,000/);
  const read = await readout(page);
  assert.equal(read.position, "step 19, row 1, column 2");
  assert.ok(Math.abs(read.value - (100 + 3 * 6 + 5)) <= 95 / 512);
  await page.locator("#slice").fill("0");
  await page.waitForFunction(() => location.hash.includes("d=0"));
  assert.equal((await readout(page)).position, "step 16, row 1, column 2");
  assert.deepEqual(page.complaints, []);
});

test("steps are the columns of bands and the units of a vector", async () => {
  const page = await open(browser, `${address}#l=loop%2Fbands&c=3&x=5`);
  const read = await readout(page);
  assert.deepEqual([read.channel, read.position], ["3, 1 of group 1", "step 21"]);
  assert.equal(await page.locator("#slice-box").isHidden(), true);
  await goTo(page, "l=loop%2Fnumbers&c=1");
  assert.equal(await text(page, "channel-title"), "Element 3");
  assert.equal((await readout(page)).channel, "element 3");
  assert.equal(await text(page, "histogram-title"), "All elements");
  // Steps come in their order, not the strongest first.
  await page.locator("#stage").focus();
  await page.keyboard.press("Home");
  assert.equal(await text(page, "channel-title"), "Element 2");
});

test("how many values lie at the ends of their codes is among the facts", async () => {
  const page = await open(browser, `${address}#l=codes`);
  assert.match(
    await text(page, "layer-facts"),
    /uint8 dequantised: \(q - 113\) x 0\.431 · 0 % and 7\.72 % at the ends/,
  );
});

test("the start counts steps apart from the sizes of maps", async () => {
  const page = await open(browser, address, { start: true });
  await page.waitForSelector("#start[data-ready]");
  const rows = await page.locator(".start-name").allInnerTexts();
  assert.match(rows[0], /2 channels of 2 × 3, steps 16 to 31 of 1,000/);
  assert.match(rows[1], /4 channels, steps 16 to 31 of 1,000/);
});
