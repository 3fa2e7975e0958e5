// Explanations in a report: layers whose maps lie over the input, class by class, each input with classes of its own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { pngUri, writeReport } from "../fixture.js";
import { goTo, launch, open } from "./open.js";

const picture = (shade) => ({ uri: pngUri(8, 8, () => [shade, shade, shade]), height: 8, width: 8, input: "image" });
const run = (name, shade) => ({ name, source: {}, fed: [], classes: [], picture: picture(shade) });
const maps = (first) => [
  [first, 1, 2, 3],
  [3, 2, 1, first],
];
const REPORT = {
  runs: [run("cat", 90), run("cup", 160)],
  layers: [
    { name: "conv", extent: [2, 2], labels: null, receptive_field: null, notes: [], maps: [maps(0), maps(1)] },
    {
      name: "gradcam/conv",
      op: "gradcam",
      kind: "",
      explains: "class",
      extent: [2, 2],
      labels: ["tabby", "lynx"],
      receptive_field: null,
      notes: ["bright: parts whose maps raise the target"],
      maps: [maps(0), maps(0)],
      runFacts: [{}, { labels: ["espresso", "tabby"] }],
    },
    {
      name: "guided of units",
      op: "guided",
      kind: "",
      explains: "unit",
      extent: [2, 2],
      labels: ["conv#11@0,1", "conv#1@1,0"],
      receptive_field: null,
      notes: ["edges that the units on the way respond to"],
      maps: [maps(0), maps(0)],
    },
  ],
};

let browser;
let address;
before(async () => {
  address = writeReport(REPORT);
  browser = await launch();
});
after(() => browser?.close());

const overlay = (page) =>
  page.evaluate(() => {
    const canvas = document.getElementById("overlay");
    return { shown: getComputedStyle(canvas).display !== "none", opacity: Number(getComputedStyle(canvas).opacity) };
  });

test("the start has a row for each way to explain, with the classes of the input and what it can say", async () => {
  const page = await open(browser, address, { start: true });
  await page.waitForSelector("#start[data-ready]");
  const rows = await page.locator(".start-row").allInnerTexts();
  assert.match(rows[0], /^Why this answer\? gradcam\/conv\nbright: parts whose maps raise the target\ntabby\nlynx/);
  assert.match(rows[1], /^What drives it\? guided of units\nedges/);
  assert.match(rows[2], /^conv\n2 channels of 2 × 2/);
  await page.selectOption("#run", "1");
  await page.waitForFunction(() => document.getElementById("start-rows").innerText.includes("espresso\ntabby"));
  assert.deepEqual(page.complaints, []);
});

test("a class that is chosen lies over the picture, and another input has its own", async () => {
  const page = await open(browser, `${address}#l=gradcam%2Fconv&c=1`);
  await page.waitForFunction(() => document.getElementById("channel-title").innerText.includes("lynx"));
  const heat = await overlay(page);
  assert.ok(heat.shown && heat.opacity > 0.3);
  assert.match(await page.locator("#across").innerText(), /lynx · max 3[^]*tabby · max 3/);
  await goTo(page, "#l=gradcam%2Fconv&c=1&run=1");
  await page.waitForFunction(() => document.getElementById("channel-title").innerText.includes("tabby"));
  // Maps of the network lie over the picture only if that is asked for.
  await goTo(page, "#l=conv&c=1");
  await page.waitForFunction(() => document.getElementById("channel-title").innerText === "Channel 1");
  const own = await overlay(page);
  assert.ok(!own.shown || own.opacity === 0);
  assert.deepEqual(page.complaints, []);
});

test("beside a channel stands what drives its unit, and leads to the map", async () => {
  const page = await open(browser, `${address}#l=conv&c=0`);
  const box = page.locator("#drivers-box");
  assert.equal(await box.isHidden(), true);
  await goTo(page, "#l=conv&c=1");
  await page.waitForSelector("#drivers-box .heat");
  assert.match(await box.innerText(), /^What drives it here\s+edges that the units on the way respond to$/);
  await page.click("#drivers-box .driver");
  await page.waitForFunction(() => document.getElementById("channel-title").innerText.includes("conv#1@1,0"));
  assert.equal(await box.isHidden(), true);
  assert.deepEqual(page.complaints, []);
});
