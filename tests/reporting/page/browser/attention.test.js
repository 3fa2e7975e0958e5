import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { pngUri, writeReport } from "../fixture.js";
import { goTo, launch, open, readout } from "./open.js";

// A class token and 2 x 3 others. What query q gives to key k is 10 q + k, by 100 more in the second head.
const COUNT = 7;
const MATRIX = [0, 100].map((more) =>
  Array.from({ length: 49 }, (_, place) => more + 10 * Math.floor(place / 7) + (place % 7)),
);
const side = { grid: [2, 3], prefix: 1, status: "exact", ordered: true };
const attention = {
  layout: "NCTT",
  form: "map",
  drawing: "attention",
  extent: [COUNT, COUNT],
  notes: ["rows are queries"],
  maps: [MATRIX],
};
const picture = { uri: pngUri(16, 24, (y, x) => [x * 9, y * 9, 90]), height: 16, width: 24, input: "image" };
const MODEL = {
  runs: [{ name: "one", picture }],
  layers: [
    { name: "placed", tokens: { keys: side, queries: side }, ...attention },
    { name: "text", tokens: null, ...attention },
    { name: "windows", tokens: { keys: { ...side, ordered: false }, queries: null }, ...attention },
    {
      name: "tokens",
      layout: "NTC",
      form: "map",
      extent: [2, 3],
      tokens: { grid: [2, 3], prefix: 1, status: "exact" },
      receptive_field: { size: [8, 8], stride: null, start: null, status: "exact", global: true },
      maps: [[[1, 2, 3, 4, 5, 6]]],
    },
  ],
};

let browser;
let address;
before(async () => {
  address = writeReport(MODEL);
  browser = await launch();
});
after(() => browser?.close());

const facts = (page) => page.locator("#layer-facts").textContent();
const near = (read, value) => assert.ok(Math.abs(read - value) < 0.3, `${read} for ${value}`);

test("attention begins with the class token's, over the picture", async () => {
  const page = await open(browser, `${address}#l=placed&c=1&y=1&x=2`);
  assert.match(await facts(page), /class token's attention$/);
  assert.equal(await page.locator("#query").inputValue(), "class");
  const read = await readout(page);
  assert.equal(read.position, "row 1, column 2");
  // Row 1, column 2 of the grid is key 6, the class token query 0.
  near(read.value, 100 + 6);
  assert.equal(read.channel, "1 · class 100");
  assert.deepEqual(page.complaints, []);
});

test("a click on a token shows its attention in every head, and the address says whose it is", async () => {
  const page = await open(browser, `${address}#l=placed&c=0`);
  const tile = await page.locator("#tile-frame").boundingBox();
  await page.mouse.click(tile.x + tile.width / 2, tile.y + (tile.height * 3) / 4);
  await page.waitForFunction(() => location.hash.includes("query=1%2C1"));
  assert.match(await facts(page), /attention of the token in row 1, column 1/);
  // The token in row 1, column 1 is query 5, and key 5.
  near((await readout(page)).value, 55);
  await goTo(page, "l=placed&c=1&y=0&x=0&query=1,1");
  near((await readout(page)).value, 100 + 51);
  await page.locator("#query").selectOption("mean");
  await page.waitForFunction(() => location.hash.includes("query=mean"));
  await goTo(page, "l=placed&c=1&y=0&x=0&query=mean");
  near((await readout(page)).value, 100 + 31);
  // Arrow keys go from head to head, and leave the query as it is.
  await page.locator("#stage").focus();
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.locator("#query").inputValue(), "mean");
});

test("the whole matrix is there, and all there is of text and windows", async () => {
  const page = await open(browser, `${address}#l=placed&c=0&y=5&x=6&query=matrix`);
  near((await readout(page)).value, 56);
  for (const layer of ["text", "windows"]) {
    await goTo(page, `l=${layer}&c=0&y=6&x=6`);
    near((await readout(page)).value, 66);
    assert.equal(await page.locator("#query-box").isHidden(), true);
  }
  await goTo(page, "l=placed&query=nonsense");
  assert.match(await page.locator("#notice-text").textContent(), /there is no query “nonsense”/i);
  await goTo(page, "l=placed&query=9,9");
  assert.match(await facts(page), /no query 9,9: class token's attention/);
});

test("a report begins with the query that the pictures were asked for", async () => {
  const page = await open(browser, writeReport({ ...MODEL, look: { query: "0,2" } }));
  assert.match(await facts(page), /attention of the token in row 0, column 2/);
});

test("a token frames its patch", async () => {
  const page = await open(browser, `${address}#l=tokens&c=0&y=1&x=2`);
  const shown = await page.evaluate(() => [
    document.getElementById("read-field").textContent,
    document.getElementById("read-pixels").textContent,
    document.getElementById("field").hidden,
  ]);
  assert.deepEqual(shown, ["8 × 8 px, exact, and the whole input", "rows 8…15, columns 16…23", false]);
});

test("a report asks for no pictures of yours", async () => {
  const page = await open(browser, address, { start: true });
  assert.equal(await page.locator("#live-box").isVisible(), false);
  assert.equal(
    await page.evaluate(() => new Set([...document.querySelectorAll("[id]")].map(({ id }) => id)).size),
    await page.locator("[id]").count(),
  );
});
