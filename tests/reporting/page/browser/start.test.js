import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { NETWORK, writeReport } from "../fixture.js";
import { launch, open } from "./open.js";

let browser;
let address;
before(async () => {
  address = writeReport(NETWORK);
  browser = await launch();
});
after(() => browser?.close());

const atStart = (page) => page.locator("#start").isVisible();
const opens = (page, name) =>
  page.waitForFunction((wanted) => document.getElementById("layer-name").innerText === wanted, name, { timeout: 9000 });

test("a report without an address begins with the picture, the classes and a row for each stage", async () => {
  const page = await open(browser, address, { start: true });
  await page.waitForSelector("#start[data-ready]");
  assert.equal(await atStart(page), true);
  assert.equal(await page.locator("main").isVisible(), false);
  const rows = await page.locator(".start-row").allInnerTexts();
  // The sizes of the fixture's maps, worked out by hand; the vector is no stage.
  const maps = NETWORK.layers.filter(({ form }) => form !== "vector");
  assert.ok(rows.length > 1 && rows.length <= maps.length);
  assert.match(rows[0], /^stem\/conv\n/);
  assert.equal(await page.locator("#start-words p").count(), 3);
  assert.match(await page.locator("#start-said").innerText(), /The model says/);
  assert.ok((await page.locator(".start-row canvas").count()) >= rows.length);
  assert.equal(new URL(page.url()).hash, "");
  assert.deepEqual(page.complaints, []);
});

test("a row leads into its layer, the house back to the start", async () => {
  const page = await open(browser, address, { start: true });
  await page.waitForSelector("#start[data-ready]");
  await page.click(".start-row");
  await opens(page, "stem/conv");
  assert.equal(await atStart(page), false);
  assert.match(page.url(), /#l=stem%2Fconv/);
  await page.click("#home");
  assert.equal(await atStart(page), true);
  assert.equal(new URL(page.url()).hash, "");
  await page.goBack();
  await opens(page, "stem/conv");
  assert.equal(await atStart(page), false);
  await page.keyboard.press("h");
  assert.equal(await atStart(page), true);
  await page.keyboard.press("]");
  await opens(page, "stem/conv");
});

test("an address with a place leads there, and not to the start", async () => {
  const page = await open(browser, `${address}#l=body%2Fband`);
  assert.equal(await atStart(page), false);
  assert.equal(await page.locator("#layer-name").innerText(), "body/band");
});

test("a report of a single layer begins with it", async () => {
  const page = await open(browser, writeReport({ ...NETWORK, layers: NETWORK.layers.slice(0, 1) }), { start: true });
  assert.equal(await atStart(page), false);
  assert.equal(await page.locator("#layer-name").innerText(), "stem/conv");
});

test("play goes through the layers until somebody does something else", async () => {
  const page = await open(browser, address, { start: true });
  await page.click("#start-play");
  await opens(page, "stem/conv");
  assert.equal(await page.locator("#play").getAttribute("aria-pressed"), "true");
  await opens(page, NETWORK.layers[1].name);
  await page.mouse.click(640, 20);
  assert.equal(await page.locator("#play").getAttribute("aria-pressed"), "false");
  await page.waitForTimeout(1800);
  assert.equal(await page.locator("#layer-name").innerText(), NETWORK.layers[1].name);
  // From where it stopped it goes on to the last, and stops there.
  await page.keyboard.press("k");
  await page.waitForFunction(
    (last) =>
      document.getElementById("layer-name").innerText === last &&
      document.getElementById("play").getAttribute("aria-pressed") === "false",
    NETWORK.layers.at(-1).name,
    { timeout: 20_000 },
  );
});

test("the tour leads through six steps and ends at the start", async () => {
  const page = await open(browser, address, { start: true });
  await page.click("#start-tour");
  for (let step = 1; step <= 6; step++) {
    await page.waitForFunction((words) => document.getElementById("tour-place").innerText === words, `${step} of 6`);
    assert.equal(await atStart(page), step === 1);
    assert.ok((await page.locator("#tour-text").innerText()).length > 60);
    await page.click("#tour-next");
  }
  await page.waitForFunction(() => document.getElementById("tour").hidden);
  assert.equal(await atStart(page), true);
  assert.deepEqual(page.complaints, []);
});
