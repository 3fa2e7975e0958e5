// The page of `mine`, of a small network whose layers, classes and pictures have hostile names.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { PYTHON, REPOSITORY } from "../fixture.js";
import { goTo, launch, open } from "./open.js";

let browser;
let address;
let report;
let truth;
let classes;
before(async () => {
  const folder = mkdtempSync(join(tmpdir(), "onnxviz-units-"));
  const script = join(REPOSITORY, "tests/reporting/page/units.py");
  const made = execFileSync(PYTHON, [script, folder], {
    env: { ...process.env, PYTHONPATH: REPOSITORY },
    encoding: "utf-8",
  });
  ({ truth, classes } = JSON.parse(made.trim().split("\n").at(-1)));
  address = `file://${join(folder, "units", "index.html")}`;
  report = `file://${join(folder, "maps", "report.html")}`;
  browser = await launch();
});
after(() => browser?.close());

const place = (layer, unit) => `l=${encodeURIComponent(layer)}&u=${unit}`;

/** What the panel shows. */
function panel(page) {
  return page.evaluate(() => ({
    title: document.getElementById("unit-title").textContent,
    values: [...document.querySelectorAll(".patch bdi")].map((each) => each.textContent),
    files: [...document.querySelectorAll("#files a")].map((each) => each.href),
    hidden: document.getElementById("panel").hidden,
  }));
}

test("each unit has its strongest pictures, with links that lead to the files", async () => {
  const page = await open(browser, address);
  for (const [layer, unit, top] of truth) {
    await goTo(page, place(layer, unit));
    await page.waitForFunction(
      (wanted) => document.getElementById("unit-title").textContent.startsWith(wanted),
      [`Unit ${unit}`],
    );
    const { files, values } = await panel(page);
    assert.deepEqual(
      files.map((file) => decodeURIComponent(file.split("/").at(-1))),
      top.map(([, file]) => file),
    );
    for (const file of files) assert.ok(statSync(fileURLToPath(file)).isFile());
    if (!values.length) continue; // never above 0: on no sheet
    for (const [rank, [value, , name]] of top.entries()) {
      const shown = Number(values[rank].split("  ")[0].replace("−", "-"));
      assert.ok(Math.abs(shown - value) <= 0.006 * Math.abs(value), `${values[rank]} for ${value}`);
      assert.equal(values[rank].split("  ")[1], name);
    }
  }
  assert.deepEqual(page.complaints, []);
});

test("only the sheets of the layers that are shown are loaded, and nothing of a network", async () => {
  const page = await open(browser, `${address}#${place("deep/conv", 2)}`);
  await page.waitForFunction(() => document.querySelectorAll("#patches .sprite").length === 9);
  await page.waitForTimeout(100);
  const loaded = page.requests.map((each) => decodeURIComponent(each.split("/").at(-1)));
  assert.ok(page.requests.every((each) => each.startsWith("file:")));
  const sheet = await page.evaluate(() => {
    const sprite = document.querySelector("#units .sprite");
    return decodeURIComponent(new URL(sprite.style.backgroundImage.slice(5, -2), location.href).pathname);
  });
  assert.match(sheet, /sheets\/002-.*\.jpg$/);
  assert.equal(loaded.length, 2, loaded.join(" "));
  // What the browser cuts is a picture, not an empty window: the sheet has the size that the page says.
  const size = await page.evaluate(async () => {
    const sprite = document.querySelector("#units .sprite");
    const image = new Image();
    image.src = sprite.style.backgroundImage.slice(5, -2);
    await image.decode();
    return [`${image.naturalWidth}px ${image.naturalHeight}px`, sprite.style.backgroundSize];
  });
  assert.equal(size[0], size[1]);
  assert.deepEqual(page.complaints, []);
});

test("filters, orders and keys", async () => {
  const page = await open(browser, `${address}#${place("small/conv", 1)}`);
  const shown = () =>
    page.evaluate(() => [...document.querySelectorAll("#units .unit")].map((each) => Number(each.dataset.unit)));
  assert.deepEqual(await shown(), [1, 2, 3]);
  await page.check("#dead");
  assert.deepEqual(await shown(), [0]);
  await page.uncheck("#dead");
  await page.fill("#wanted", "0, 2-3");
  assert.deepEqual(await shown(), [0, 2, 3]);
  await page.fill("#wanted", "");
  await page.selectOption("#order", "strength");
  const strength = new Map(truth.filter(([name]) => name === "small/conv").map(([, unit, top]) => [unit, top[0][0]]));
  assert.deepEqual(
    await shown(),
    [1, 2, 3].sort((first, second) => strength.get(second) - strength.get(first)),
  );
  const most = (top) => classes.map((name) => top.filter(([, , other]) => other === name).length);
  const best = (top) => most(top).indexOf(Math.max(...most(top)));
  await page.selectOption("#order", "unit");
  await page.selectOption("#class", "0");
  assert.deepEqual(
    await shown(),
    truth.filter(([name, unit, top]) => name === "small/conv" && unit && best(top) === 0).map(([, unit]) => unit),
  );
  await page.selectOption("#class", "");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("ArrowRight");
  assert.match(await page.evaluate(() => location.hash), /&u=2$/);
  await page.keyboard.press("]");
  await page.waitForFunction(() => document.getElementById("layer-name").textContent === "deep/conv");
  await page.keyboard.press("Home");
  assert.match(await page.evaluate(() => location.hash), /deep%2Fconv&u=0$/);
  await page.keyboard.press("Escape");
  assert.equal((await panel(page)).hidden, true);
  await page.keyboard.press("/");
  await page.keyboard.type("small");
  assert.equal(await page.locator("#layer-list li:visible").count(), 1);
  assert.deepEqual(page.complaints, []);
});

test("a place that is not there is said", async () => {
  const page = await open(browser, `${address}#l=nowhere&u=3`);
  assert.match(await page.locator("#notice-text").textContent(), /no layer “nowhere”/);
  await goTo(page, place("small/conv", 99));
  assert.match(await page.locator("#notice-text").textContent(), /units 0 to 3, no 99/);
  await goTo(page, "%E0%A4%A&&==u");
  assert.deepEqual(page.complaints, []);
});

test("it fits on a phone, in both themes", async () => {
  for (const colorScheme of ["dark", "light"]) {
    const options = { colorScheme, viewport: { width: 390, height: 800 } };
    const page = await open(browser, `${address}#${place("deep/conv", 2)}`, options);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
    await page.click("#open-layers");
    await page.click('[data-layer="0"]');
    await page.waitForFunction(() => document.getElementById("layer-name").textContent.startsWith("<img"));
    assert.deepEqual(page.complaints, []);
  }
});

test("a report shows the strongest patches beside a channel, and leads to its unit", async () => {
  const page = await open(browser, report);
  for (const [layer, unit, top] of truth) {
    await goTo(page, `l=${encodeURIComponent(layer)}&c=${unit}`);
    await page.waitForFunction((number) => {
      const link = document.getElementById("strongest-link");
      return link.textContent.startsWith(`Unit ${number} `);
    }, unit);
    assert.equal(await page.locator("#strongest-words").innerText(), "of 36 pictures");
    const shown = await page.locator("#strongest-patches .sprite").count();
    const isOnSheet = top.length > 0 && top[0][0] > 0;
    assert.equal(shown, isOnSheet ? 1 : 0);
    if (isOnSheet) {
      // The very file that the page of units shows, and it is there.
      const file = await page.evaluate(() => {
        const sprite = document.querySelector("#strongest-patches .sprite");
        return new URL(sprite.style.backgroundImage.slice(5, -2), location.href).href;
      });
      assert.ok(statSync(fileURLToPath(file)).isFile());
      const wide = await page.evaluate(() =>
        ["#strongest-patches .sprite", "#strongest-box"].map(
          (each) => document.querySelector(each).getBoundingClientRect().width,
        ),
      );
      assert.ok(wide[0] > 100 && wide[0] <= wide[1], `${wide}`);
    }
    assert.equal(
      await page.evaluate(() => document.getElementById("strongest-link").href),
      `${address}#l=${encodeURIComponent(layer)}&u=${unit}`,
    );
  }
  await goTo(page, place("deep/conv", 2).replace("&u=", "&c="));
  await page.locator("#strongest-link").click();
  await page.waitForFunction(() => document.getElementById("unit-title")?.textContent === "Unit 2");
  assert.deepEqual(page.complaints, []);
});
