import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import axe from "axe-core";

import { NETWORK, writeReport } from "../fixture.js";
import { goTo, launch, open } from "./open.js";

let browser;
let address;
before(async () => {
  address = writeReport(NETWORK);
  browser = await launch();
});
after(() => browser?.close());

/** What axe finds wrong on the page as it is. */
async function faults(page) {
  await page.evaluate(axe.source);
  // A scope's name is what its own row says, not all that it holds, which the rule compares it with.
  const rules = { "label-content-name-mismatch": { enabled: false } };
  const { violations } = await page.evaluate((off) => window.axe.run(document, { rules: off }), rules);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
}

for (const colorScheme of ["dark", "light"]) {
  for (const width of [1280, 390]) {
    test(`axe finds no fault in the ${colorScheme} page at ${width} pixels`, async () => {
      const page = await open(browser, address, { colorScheme, viewport: { width, height: 800 } });
      await page.keyboard.press("p");
      for (const layer of NETWORK.layers) {
        await goTo(page, `l=${encodeURIComponent(layer.name)}`);
        assert.deepEqual(await faults(page), [], layer.name);
      }
      await goTo(page, "l=nothing");
      await page.keyboard.press("?");
      assert.deepEqual(await faults(page), [], "the dialog");
    });
  }
}

for (const [colorScheme, width] of [
  ["dark", 1280],
  ["light", 320],
]) {
  test(`axe finds no fault in the ${colorScheme} start and the tour at ${width} pixels`, async () => {
    const page = await open(browser, address, { start: true, colorScheme, viewport: { width, height: 800 } });
    await page.waitForSelector("#start[data-ready]");
    assert.deepEqual(await faults(page), []);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
    await page.click("#start-tour");
    await page.click("#tour-next");
    assert.deepEqual(await faults(page), [], "the tour");
  });
}

test("nothing moves for those who asked for less motion", async () => {
  const page = await open(browser, address, { reducedMotion: "reduce", viewport: { width: 390, height: 800 } });
  assert.equal(await page.evaluate(() => getComputedStyle(document.getElementById("layers")).transitionDuration), "0s");
});
