import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { colourOf, writeReport } from "../fixture.js";
import { goTo, launch, open } from "./open.js";

// A map of 2 x 4 tokens, 0 to 255 on viridis. At its left: the middle, far above the scale, not a number.
const floats = (...values) => Buffer.from(Float32Array.of(...values).buffer).toString("base64");
const VIT = {
  runs: [{ name: "one" }],
  look: { scale: "layer", colormap: "viridis" },
  layers: [
    {
      name: "norm",
      layout: "NTC",
      extent: [2, 4],
      tokens: { grid: [2, 4], prefix: 3, status: "exact" },
      maps: [
        [
          [0, 10, 20, 30, 40, 50, 60, 255],
          [1, 2, 3, 4, 5, 6, 7, 8],
        ],
      ],
      runFacts: { prefix: floats(127.9, 9000, NaN, 0, 0, 255) },
    },
    {
      name: "lstm",
      layout: "LNGC",
      form: "band",
      extent: [3],
      groups: 2,
      maps: [
        [
          [1, 2, 3],
          [4, 5, 6],
          [7, 8, 9],
          [1, 3, 2],
        ],
      ],
    },
  ],
};

let browser;
let page;
before(async () => {
  browser = await launch();
  page = await open(browser, `${writeReport(VIT)}#l=norm&c=0&scale=layer&colormap=viridis`);
});
after(() => browser?.close());

/** The colours of the canvas in a column of pixels, each with how many follow one another. */
const column = (x, height) =>
  page.evaluate(
    ([left, count]) => {
      const { data } = document.getElementById("maps").getContext("2d").getImageData(left, 0, 1, count);
      return Array.from({ length: count }, (_, y) => [...data.slice(4 * y, 4 * y + 3)]);
    },
    [x, height],
  );

test("tokens of no place stand at the left of their map, on its scale", async () => {
  const frame = await page.evaluate(() => document.getElementById("tile-frame").getBoundingClientRect().x);
  const left = await page.evaluate(() => document.getElementById("maps").getBoundingClientRect().x);
  const side = await page.evaluate(() => document.getElementById("tile-frame").getBoundingClientRect().height / 2);
  // Three values on a map of two rows are two columns and a gap.
  assert.ok(Math.abs(frame - left - 2 * side - 2) <= 3, `${frame - left} for ${side}`);
  const first = await column(side / 2, 2 * side);
  assert.deepEqual(first[side / 2], colourOf("viridis", 128));
  assert.deepEqual(first[side + side / 2], colourOf("viridis", 255));
  const second = await column(side + side / 2, 2 * side);
  assert.notDeepEqual(second[side / 2], second[side + side / 2]);
  assert.match(await page.locator("#channel-facts").textContent(), /at its left128, 9,?000, NaN/);
});

test("what stands beside maps is in the saved SVG", async () => {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#save-svg")]);
  const svg = readFileSync(await file.path(), "utf-8");
  const [red, green, blue] = colourOf("viridis", 128);
  assert.ok(svg.includes(`fill="rgb(${red} ${green} ${blue})"`));
});

test("groups of bands are named where they begin", async () => {
  await goTo(page, "l=lstm&c=2");
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#save-svg")]);
  const svg = readFileSync(await file.path(), "utf-8");
  const texts = [...svg.matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text);
  assert.deepEqual(
    texts.filter((text) => /^(G?\d)$/.test(text)),
    ["0", "1", "2", "3", "G0", "G1"],
  );
  assert.deepEqual(page.complaints, []);
});
