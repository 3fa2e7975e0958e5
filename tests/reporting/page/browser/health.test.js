import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { noise, writeReport } from "../fixture.js";
import { launch, open } from "./open.js";

const WELL = { channels: 2, alive: 2, dead: 0, values: 8, nan: 0, inf: 0, saturated_low: 0, saturated_high: 0 };
const maps = () => [[noise(4, 1), noise(4, 2)]];
const layer = (name, health) => ({
  name,
  scope: name.split("/")[0],
  form: "map",
  extent: [2, 2],
  runFacts: { health: { ...WELL, ...health } },
  maps: maps(),
});
const ILL = {
  runs: [{ name: "cat" }],
  layers: [
    layer("stem/conv", {}),
    layer("stem/clip", { saturated_high: 4 }),
    layer("body/conv", { nan: 3 }),
    layer("body/relu", { dead: 2, alive: 0 }),
    layer("body/join", {}),
  ],
};

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const badges = (page) => page.locator(".layer-badge:visible").allInnerTexts();
const rows = (page) => page.locator("#tree [data-layer]:visible").evaluateAll((all) => all.map((row) => row.title));

test("over several inputs the pooled counts speak: dead is what never was alive", async () => {
  const dead = { ...WELL, dead: 2, alive: 0 };
  const both = (name, pooled) => ({ ...layer(name, { dead: 2, alive: 0 }), maps: [...maps(), ...maps()], pooled });
  const report = { runs: [{ name: "cat" }, { name: "cup" }], layers: [both("a/conv", WELL), both("b/conv", dead)] };
  const page = await open(browser, writeReport(report));
  assert.deepEqual(await badges(page), ["dead"]);
  assert.equal(await page.locator("#health-words").innerText(), "1 layer is not well over all inputs");
  assert.deepEqual(page.complaints, []);
});

test("layers that are not well have a badge, and the first that is not finite is named", async () => {
  const page = await open(browser, writeReport(ILL));
  assert.deepEqual(await badges(page), ["saturated", "NaN", "dead"]);
  const words = "3 layers are not well · first not finite: body/conv";
  assert.equal(await page.locator("#health-words").innerText(), words);
  assert.equal(await page.locator("#found").innerText(), "5 layers");
  assert.deepEqual(page.complaints, []);
});

test("the list leads to them, and their facts say why", async () => {
  const page = await open(browser, writeReport(ILL));
  await page.locator("#health-words").click();
  const entries = await page.locator("#health-list li").allInnerTexts();
  const lines = entries.map((entry) => entry.split(/\n+/));
  assert.deepEqual(lines, [
    ["stem/clip", "50 % saturated"],
    ["body/conv", "3 NaN"],
    ["body/relu", "2 of 2 channels dead"],
  ]);
  await page.locator("#health-list button").nth(1).click();
  await page.waitForFunction(() => document.getElementById("layer-name").innerText === "body/conv");
  assert.match(await page.locator("#layer-facts").innerText(), / · 3 NaN$/);
});

test("the tree shows them alone, together with what is searched", async () => {
  const page = await open(browser, writeReport(ILL));
  await page.locator("#health-words").click();
  await page.locator("#health-only").check();
  assert.deepEqual(await rows(page), ["stem/clip", "body/conv", "body/relu"]);
  assert.equal(await page.locator("#found").innerText(), "3 of 5 layers");
  await page.locator("#search").fill("body");
  assert.deepEqual(await rows(page), ["body/conv", "body/relu"]);
  await page.locator("#health-only").uncheck();
  assert.deepEqual(await rows(page), ["body/conv", "body/relu", "body/join"]);
});

test("where all is well nothing is said", async () => {
  const page = await open(browser, writeReport({ ...ILL, layers: [layer("stem/conv", {}), layer("a", undefined)] }));
  assert.equal(await page.locator("#health").isHidden(), true);
  assert.deepEqual(await badges(page), []);
});
