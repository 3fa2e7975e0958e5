import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { noise, writeReport } from "../fixture.js";
import { launch, open } from "./open.js";

const maps = (low) => [[noise(4, 1).map((value) => low + Math.abs(value)), noise(4, 2)]].flat();
const layer = (name, more = {}) => ({
  name,
  scope: "",
  form: "map",
  extent: [2, 2],
  ...more,
  maps: ["A", "B", "B - A"].map(() => maps(1)),
});
const COMPARED = {
  model: "A: a.onnx, B: b.onnx",
  lead: ["First to go wrong by itself: two."],
  runs: [{ name: "A" }, { name: "B" }, { name: "B - A", difference: true }],
  layers: [
    layer("one"),
    layer("two", { finding: { badge: "12 dB", words: "biases", severe: true, kind: "to go wrong by itself" } }),
  ],
};

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("it begins with what was found", async () => {
  const page = await open(browser, writeReport(COMPARED));
  assert.equal(await page.locator("#start-title").innerText(), "A: a.onnx, B: b.onnx");
  assert.equal(await page.locator("#start-words").innerText(), "First to go wrong by itself: two.");
  assert.deepEqual(await page.locator(".layer-badge:visible").allInnerTexts(), ["12 dB"]);
  const words = "1 layer is not well · first to go wrong by itself: two";
  assert.equal(await page.locator("#health-words").innerText(), words);
  assert.equal(await page.locator("#run-noun").innerText(), "Shown");
  assert.deepEqual(page.complaints, []);
});

test("figures turn between the runs at the same place, and a difference is drawn about zero", async () => {
  const page = await open(browser, `${writeReport(COMPARED)}#l=two&c=1&y=1&x=0`);
  const legend = () => page.locator("#scale-words").innerText();
  assert.match(await legend(), /greatest 2 %/);
  await page.keyboard.press("3");
  await page.waitForFunction(() => location.hash.includes("run=2"));
  assert.match(await page.evaluate(() => location.hash), /l=two&c=1&y=1&x=0/);
  assert.match(await legend(), /symmetric about 0/);
  await page.keyboard.press("9");
  assert.equal(await page.locator("#run").inputValue(), "2");
  await page.keyboard.press("1");
  await page.waitForFunction(() => !location.hash.includes("run="));
  assert.deepEqual(page.complaints, []);
});
