import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { NETWORK, colourOf, writeReport } from "../fixture.js";
import { goTo, launch, open, readout } from "./open.js";

let browser;
let address;
before(async () => {
  address = writeReport(NETWORK);
  browser = await launch();
});
after(() => browser?.close());

const axes = ["d", "y", "x"];

/** Some positions of a layer's maps: corners and the middle. */
function positions(extent) {
  return [0, 0.5, 1].map((part) => extent.map((side) => Math.min(side - 1, Math.floor(part * side))));
}

/** What the page must say of a stored value. */
function check(read, values, offset, vector, where) {
  const truth = values[offset];
  if (!Number.isFinite(truth)) {
    assert.equal(read.value, truth, where);
    assert.equal(read.text, Number.isNaN(truth) ? "NaN" : truth > 0 ? "inf" : "−inf", where);
    return;
  }
  const finite = values.filter(Number.isFinite).map(Math.fround);
  const range = Math.max(...finite) - Math.min(...finite);
  const most = vector || range === 0 ? 0 : (range / 512) * 1.0001;
  assert.ok(
    Math.abs(read.value - Math.fround(truth)) <= most + Math.abs(truth) * 1e-9,
    `${where}: ${read.value} for ${truth}`,
  );
  const written = Number(read.text.split(" ")[0].replaceAll("−", "-"));
  assert.ok(Math.abs(written - truth) <= most * 1.2 + Math.abs(truth) * 1e-6, `${where}: “${read.text}” for ${truth}`);
}

test("every kind of map is read back within half a step, in both runs", async () => {
  const page = await open(browser, address);
  for (const layer of NETWORK.layers.filter((one) => !one.halved)) {
    for (const [run, channels] of layer.maps.entries()) {
      for (const [channel, values] of (channels ?? []).entries()) {
        for (const position of positions(layer.extent)) {
          const at = position.map((value, axis) => `&${axes[axes.length - position.length + axis]}=${value}`).join("");
          await goTo(page, `l=${encodeURIComponent(layer.name)}&c=${channel}${at}&run=${run}`);
          const offset = position.reduce((sum, value, axis) => sum * layer.extent[axis] + value, 0);
          const read = await readout(page);
          check(read, values, offset, layer.form === "vector", `${layer.name} ${run} ${channel} ${position}`);
        }
      }
    }
  }
  assert.deepEqual(page.complaints, []);
});

test("the value under the pointer is the one that lies there", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv&c=2`);
  const tile = await page.locator("#tile-frame").boundingBox();
  const values = NETWORK.layers[0].maps[0][2];
  for (const [row, column] of [
    [0, 0],
    [7, 7],
    [2, 5],
    [0, 3],
    [1, 1],
    [2, 2],
  ]) {
    await page.mouse.move(tile.x + ((column + 0.5) * tile.width) / 8, tile.y + ((row + 0.5) * tile.height) / 8);
    const read = await readout(page);
    assert.equal(read.channel, "2");
    assert.equal(read.position, `row ${row}, column ${column}`);
    check(read, values, row * 8 + column, false, `${row}, ${column}`);
  }
});

test("after scrolling, too, what is read is what is painted under the pointer", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv&c=0&scale=channel`);
  for (let step = 0; step < 6; step++) await page.keyboard.press("+");
  const stage = await page.locator("#stage").boundingBox();
  const maps = NETWORK.layers[0].maps[0];
  let read = 0;
  for (const [left, top] of [
    [0, 0],
    [7, 9],
    [60, 203],
    [9999, 9999],
  ]) {
    await page.evaluate(([x, y]) => document.getElementById("stage").scrollTo(x, y), [left, top]);
    await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => setTimeout(painted, 20))));
    for (const [right, down] of [
      [3, 2],
      [41, 44],
      [200, 131],
      [403, 307],
    ]) {
      await page.mouse.move(stage.x + right, stage.y + down);
      const { channel, position } = await readout(page);
      const values = maps[Number(channel)]?.map(Math.fround);
      // Between tiles nothing is read; constant maps are hatched.
      if (!channel || !["0", "4"].includes(channel)) continue;
      const [row, column] = position.match(/\d+/g).map(Number);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const code = Math.min(255, Math.floor(((values[row * 8 + column] - low) / (high - low)) * 256));
      const pixel = await page.evaluate(
        ([x, y]) => {
          const canvas = document.getElementById("maps");
          const box = canvas.getBoundingClientRect();
          return [...canvas.getContext("2d").getImageData(x - box.left, y - box.top, 1, 1).data].slice(0, 3);
        },
        [stage.x + right, stage.y + down],
      );
      assert.deepEqual(pixel, colourOf("viridis", code), `${left}, ${top}: ${channel}, ${position}`);
      read++;
    }
  }
  assert.ok(read >= 6, `only ${read} were read`);
});

test("what cannot be known to a value is said: halved maps are means", async () => {
  const page = await open(browser, `${address}#l=body%2Fhalved&c=4&y=5&x=2`);
  const read = await readout(page);
  assert.equal(read.position, "row 4…5, column 2…3");
  assert.match(read.text, /mean of 4 positions/);
  assert.ok(Math.abs(read.value - NETWORK.layers[5].maps[0][1][2 * 4 + 1]) <= 1 / 512);
  assert.match(
    await page.locator("#layer-facts").textContent(),
    /2 of 5 live · only the 2 that vary most are here · maps halved once/,
  );
  // Rows 4 and 5 see 8 to 10 and 10 to 12.
  assert.equal(read.pixels, "rows 8…12, columns 4…8");
});

test("the receptive field is framed on the picture, where it is known", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv&c=0&y=2&x=3`);
  const [picture, field] = [await page.locator("#picture").boundingBox(), await page.locator("#field").boundingBox()];
  const [down, across] = [picture.height / 32, picture.width / 48];
  // Row 2 sees -1 + 2 * 4 = 7 to 9, column 3 sees -1 + 3 * 6 = 17 to 19.
  const near = (one, other) => assert.ok(Math.abs(one - other) < 0.6, `${one} is not ${other}`);
  near(field.y - picture.y, 7 * down);
  near(field.x - picture.x, 17 * across);
  near(field.height, 3 * down);
  near(field.width, 3 * across);
  assert.equal((await readout(page)).field, "3 × 3 px, exact");
  await goTo(page, "l=stem%2Fsigned&c=0&y=2&x=3");
  assert.equal(await page.locator("#field").isHidden(), true);
  assert.equal((await readout(page)).field, "whole input");
  await goTo(page, "l=body%2Fone&c=0&y=0&x=0");
  assert.equal((await readout(page)).field, "9 × 9 px, upper bound, and the whole input through a gate");
  await goTo(page, "l=body%2Fvolume&c=0&d=0&y=0&x=0");
  assert.equal((await readout(page)).field, "unknown");
});

test("a signal is drawn as a picture, and its field is a part of its length", async () => {
  const [picture] = NETWORK.runs.map((run) => run.picture);
  const layer = NETWORK.layers.find(({ form }) => form === "band");
  const signal = {
    ...layer,
    receptive_field: { ...NETWORK.layers[0].receptive_field, size: [5], stride: [1], start: [-2] },
  };
  const flat = { ...picture, height: 4 };
  const page = await open(
    browser,
    `${writeReport({ runs: [{ name: "one", picture: flat }], layers: [{ ...signal, maps: [signal.maps[0]] }] })}#l=body%2Fband&c=0&x=10`,
  );
  const [whole, field] = [await page.locator("#picture").boundingBox(), await page.locator("#field").boundingBox()];
  const near = (one, other) => assert.ok(Math.abs(one - other) < 0.6, `${one} is not ${other}`);
  near(field.x - whole.x, (8 * whole.width) / 48);
  near(field.width, (5 * whole.width) / 48);
  near(field.height, whole.height);
  assert.ok(whole.height > 40);
});

for (const deviceScaleFactor of [1, 1.5, 2]) {
  test(`every value is a sharp square of its colour, at ${deviceScaleFactor} pixels to one of CSS`, async () => {
    const page = await open(browser, `${address}#l=stem%2Fconv&c=0&scale=channel`, { deviceScaleFactor });
    const values = NETWORK.layers[0].maps[0][0].map(Math.fround);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const codes = values.map((value) => Math.min(255, Math.floor(((value - low) / (high - low)) * 256)));
    for (const clicks of [0, 3]) {
      for (let click = 0; click < clicks; click++) await page.click("#zoom-in");
      const zoom = Number((await page.locator("#zoom-words").textContent()).split(" ")[0]);
      const pixels = await page.evaluate((side) => {
        const canvas = document.getElementById("maps");
        return [...canvas.getContext("2d").getImageData(0, 0, side, side).data];
      }, 8 * zoom);
      for (let y = 0; y < 8 * zoom; y++) {
        for (let x = 0; x < 8 * zoom; x++) {
          const start = 4 * (y * 8 * zoom + x);
          const place = codes[Math.floor(y / zoom) * 8 + Math.floor(x / zoom)];
          assert.deepEqual(pixels.slice(start, start + 3), colourOf("viridis", place), `${y}, ${x}`);
        }
      }
      const shown = await page.evaluate(
        () =>
          document.getElementById("maps").getBoundingClientRect().width * devicePixelRatio -
          document.getElementById("maps").width,
      );
      assert.ok(Math.abs(shown) < 0.01, "the canvas is stretched");
    }
  });
}

test("a channel's histogram, range and ranks are its own", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv&c=4`);
  const facts = await page.locator("#channel-facts").innerText();
  const maps = NETWORK.layers[0].maps[0];
  assert.match(facts, /range\s+1000 … 1001/);
  assert.match(facts, /rank by maximum\s+1 of 6/);
  const most = (values) => Math.max(...values.filter(Number.isFinite));
  const rank = maps.filter((values) => most(values) > most(maps[0])).length + 1;
  await goTo(page, "l=stem%2Fconv&c=0");
  assert.match(await page.locator("#channel-facts").innerText(), new RegExp(`rank by maximum\\s+${rank} of 6`));
  assert.match(await page.locator("#histogram").getAttribute("aria-label"), /histogram of 64 values, 0/);
  await goTo(page, "l=stem%2Fconv&c=2");
  assert.equal(await page.locator("#channel-note").textContent(), "not finite: 1 NaN, 2 infinite");
  assert.match(await page.locator("#histogram").getAttribute("aria-label"), /histogram of 61 values/);
  await goTo(page, "l=stem%2Fconv&c=3");
  assert.equal(await page.locator("#channel-note").textContent(), "constant: the same value everywhere");
  await goTo(page, "l=stem%2Fconv&c=5");
  assert.match(await page.locator("#channel-note").textContent(), /64 NaN/);
});

test("live channels are counted in the tree, and others can be left out", async () => {
  const page = await open(browser, address);
  // Dead, constant and all-NaN channels say nothing; one with some NaN does.
  assert.match(await page.locator('[data-layer="0"] .layer-live').textContent(), /^3 live$/);
  await page.locator("#live").check();
  assert.equal(await page.evaluate(() => document.getElementById("nothing").hidden), true);
  await page.locator("#stage").focus();
  const seen = [];
  for (let step = 0; step < 5; step++) {
    await page.keyboard.press(step ? "ArrowRight" : "Home");
    seen.push((await readout(page)).channel);
  }
  assert.deepEqual(seen, ["0", "2", "4", "4", "4"]);
});
