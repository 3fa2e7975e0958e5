import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";

import { NETWORK, makeReport, writeReport } from "../fixture.js";
import { goTo, launch, open, readout } from "./open.js";

let browser;
let address;
before(async () => {
  address = writeReport(NETWORK);
  browser = await launch();
});
after(() => browser?.close());

const title = (page) => page.locator("#layer-name").innerText();
const opens = (page, name) =>
  page.waitForFunction((wanted) => document.getElementById("layer-name").innerText === wanted, name, { timeout: 5000 });
const focused = (page) =>
  page.evaluate(() => document.activeElement?.id || document.activeElement?.getAttribute("data-layer") || "");

test("an address opens just there", async () => {
  const page = await open(
    browser,
    `${address}#l=body%2Fvolume&c=1&d=2&y=3&x=4&run=1&scale=layer&colours=magma&order=max`,
  );
  assert.equal(await title(page), "body/volume");
  const read = await readout(page);
  assert.deepEqual([read.channel, read.position], ["1", "slice 2, row 3, column 4"]);
  assert.equal(await page.locator("#scale").inputValue(), "layer");
  assert.equal(await page.locator("#colours").inputValue(), "magma");
  assert.equal(await page.locator("#order").inputValue(), "max");
  assert.equal(await page.locator("#run").inputValue(), "1");
  assert.equal(await page.locator("#slice").inputValue(), "2");
  assert.equal(await page.locator("#notice").isHidden(), true);
});

test("without an address the page begins as the pictures were asked for", async () => {
  const look = { scale: "layer", colormap: "magma", order: "deviation", theme: "light" };
  const asked = writeReport({ ...NETWORK, look });
  const page = await open(browser, asked);
  const chosen = async () => [
    await page.locator("#scale").inputValue(),
    await page.locator("#colours").inputValue(),
    await page.locator("#order").inputValue(),
  ];
  assert.deepEqual(await chosen(), ["layer", "magma", "deviation"]);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  assert.match(page.url(), /scale=layer&colormap=magma&order=deviation/);
  // An address says all that is not automatic.
  await page.goto("about:blank");
  await page.goto(`${asked}#l=stem%2Fconv&scale=std`);
  await page.waitForSelector("body[data-ready]");
  assert.deepEqual(await chosen(), ["std", "auto", "auto"]);
  assert.deepEqual(page.complaints, []);
});

test("a bad address opens the first layer and says so", async () => {
  for (const hash of [
    "l=no%2Fsuch",
    "l=%E0%A4%A",
    "l=<img src=x onerror=alert(1)>",
    "nonsense",
    `l=${"x".repeat(5000)}&c=1`,
  ]) {
    const page = await open(browser, `${address}#${hash}`);
    assert.equal(await title(page), "stem/conv", hash);
    assert.equal(await page.locator("#notice").isVisible(), true, hash);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  }
});

test("a bad channel or position is said, and the layer is shown", async () => {
  const page = await open(browser, `${address}#l=stem%2Fsigned&c=9`);
  assert.equal(await title(page), "stem/signed");
  assert.match(await page.locator("#notice-text").textContent(), /Channel 9 does not exist: the layer has 2/);
  await goTo(page, "l=stem%2Fsigned&c=1&y=5&x=0");
  assert.match(await page.locator("#notice-text").textContent(), /position 5, 0 lies outside the map of 5 × 7/i);
  await goTo(page, "l=body%2Fhalved&c=2");
  assert.match(await page.locator("#notice-text").textContent(), /channel 2 is not in this file/i);
  await goTo(page, "l=stem%2Fsigned&c=1&run=1");
  assert.match(await page.locator("#notice-text").textContent(), /has no such layer/);
  await goTo(page, "l=stem%2Fconv&c=1&y=1&x=1");
  assert.equal(await page.locator("#notice").isHidden(), true);
});

test("the address follows what is shown, back goes back, and the link is copied", async () => {
  const page = await open(browser, address);
  await page
    .context()
    .grantPermissions(["clipboard-read", "clipboard-write"])
    .catch(() => {});
  await page.click('[data-layer="3"] .row');
  await opens(page, "body/band");
  await page.click('[data-layer="0"] .row');
  await opens(page, "stem/conv");
  const tile = await page.locator("#tile-frame").boundingBox();
  await page.mouse.click(tile.x + tile.width - 2, tile.y + 2);
  await page.waitForFunction(() => location.hash.includes("&y="));
  assert.match(page.url(), /#l=stem%2Fconv&c=0&y=0&x=7$/);
  await page.click("#copy");
  await page.waitForFunction(() => document.getElementById("copy").innerText.includes("copied"));
  // Of a file on this disk what is of use elsewhere: its name, and the place in it.
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "report.html#l=stem%2Fconv&c=0&y=0&x=7");
  await page.goBack();
  await page.waitForFunction(() => document.getElementById("layer-name").innerText.includes("band"));
});

test("the first layer is shown while the rest of the file is still read, others wait for it", async () => {
  const text = makeReport(NETWORK);
  const cut = text.indexOf('id="block-3">') + 20;
  let rest;
  const released = new Promise((release) => (rest = release));
  const parts = async function* () {
    yield text.slice(0, cut);
    await released;
    yield text.slice(cut);
  };
  const server = createServer((_, answer) => {
    answer.setHeader("Content-Type", "text/html; charset=utf-8");
    Readable.from(parts()).pipe(answer);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`, { waitUntil: "commit" });
  await page.waitForSelector("body[data-ready]");
  assert.match(await page.locator(".start-row").first().innerText(), /^stem\/conv/);
  assert.equal(await page.evaluate(() => document.readyState), "loading");
  await page.keyboard.press("Escape");
  await opens(page, "stem/conv");
  assert.equal(await page.evaluate(() => document.readyState), "loading");
  await page.locator('[data-layer="5"] .row').click();
  rest();
  await opens(page, "body/halved");
  assert.equal(await page.locator("#notice").isHidden(), true);
  await context.close();
  server.close();
});

test("everything is reached by keyboard", async () => {
  const page = await open(browser, address);
  await page.keyboard.press("/");
  assert.equal(await focused(page), "search");
  await page.keyboard.type("volume");
  assert.equal(await page.locator("#found").textContent(), "1 of 7 layers");
  await page.keyboard.press("Enter");
  await opens(page, "body/volume");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "4");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await opens(page, "body/band");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowDown");
  // The first scope is folded: the next row is the second scope.
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^body, 4 layers$/);
  await page.keyboard.press("]");
  await opens(page, "body/volume");
  for (let step = 0; (await focused(page)) !== "stage"; step++) {
    assert.ok(step < 20, "Tab does not reach the maps");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowDown");
  let read = await readout(page);
  assert.deepEqual([read.channel, read.position], ["1", "slice 1, row 3, column 2"]);
  assert.match(await page.locator("#speech").textContent(), /^channel 1, slice 1, row 3, column 2: .*; sees unknown$/);
  await page.keyboard.press("p");
  assert.equal(await page.locator("#pin-list li").count(), 1);
  const fitted = await page.locator("#zoom-words").textContent();
  await page.keyboard.press("+");
  assert.notEqual(await page.locator("#zoom-words").textContent(), fitted);
  await page.keyboard.press("0");
  assert.equal(await page.locator("#zoom-words").textContent(), fitted);
  await page.keyboard.press("?");
  assert.equal(await page.locator("#keys").isVisible(), true);
  await page.keyboard.press("Escape");
  await page.locator("#slice").focus();
  await page.keyboard.press("ArrowRight");
  read = await readout(page);
  assert.equal(read.position, "slice 2, row 3, column 2");
  assert.deepEqual(page.complaints, []);
});

test("controls have names, the tree its roles", async () => {
  const page = await open(browser, address);
  const nameless = await page.evaluate(() =>
    [
      ...document.querySelectorAll(
        "button, input, select, [role=application], [role=tree], [role=treeitem], [role=img]",
      ),
    ]
      .filter(
        (one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.[0]?.textContent.trim()),
      )
      .map((one) => `${one.tagName} ${one.id}`),
  );
  assert.deepEqual(nameless, []);
  const selected = page.locator('[role="treeitem"][aria-selected="true"]');
  assert.equal(await selected.count(), 1);
  assert.equal(await page.getByRole("treeitem", { name: "conv 3 live Conv 6 × 8 × 8", selected: true }).count(), 1);
  assert.equal(await page.locator('[role="tree"] [tabindex="0"]').count(), 1);
});

test("channels are pinned from several layers, opened and let go", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv&c=2`);
  await page.click("#pin");
  await goTo(page, "l=head%2Fclasses&c=3");
  await page.click("#pin");
  assert.equal(await page.locator("#pin-list li").count(), 2);
  assert.equal(await page.locator("#pin").textContent(), "Pinned");
  assert.equal(await page.locator("#pin").getAttribute("aria-pressed"), "true");
  // They stand in the address, and come back with it.
  assert.match(page.url(), /pins=stem%2Fconv:2,head%2Fclasses:3$/);
  await page.reload();
  await page.waitForSelector("#pin-list li:nth-child(2)");
  await page.click("#pin-list li:first-child .tile");
  await page.waitForFunction(() => document.getElementById("layer-name").innerText === "stem/conv");
  assert.match(await page.locator("#channel-title").textContent(), /Channel 2/);
  await page.hover("#pin-list li:first-child");
  await page.click("#pin-list li:first-child .remove");
  await page.waitForFunction(() => document.querySelectorAll("#pin-list li").length === 1);
  assert.equal(await page.locator("#pin").textContent(), "Pin");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Unpin head\/classes/);
});

test("text is larger for a projector, and the maps with it", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv`);
  const sizes = () =>
    page.evaluate(() => ({
      text: parseFloat(getComputedStyle(document.getElementById("layer-facts")).fontSize),
      tree: document.getElementById("layers").clientWidth,
      wider: document.documentElement.scrollWidth > innerWidth,
    }));
  const usual = await sizes();
  await page.keyboard.press("a");
  const large = await sizes();
  assert.ok(Math.abs(large.text / usual.text - 1.4) < 0.01);
  assert.ok(large.tree > usual.tree * 1.35);
  assert.equal(large.wider, false);
  await page.click("#size");
  assert.deepEqual(await sizes(), usual);
});

test("paper shows all maps of a layer, and nothing to click", async () => {
  const page = await open(browser, `${address}#l=head%2Fclasses`, { viewport: { width: 1280, height: 420 } });
  const height = () => page.evaluate(() => document.getElementById("maps").height);
  const seen = await height();
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  const whole = await page.evaluate(() => parseFloat(document.getElementById("space").style.height));
  assert.equal(await height(), Math.round(whole));
  for (const id of ["layers", "copy", "scale", "pin"])
    assert.equal(await page.locator(`#${id}`).isVisible(), false, id);
  for (const id of ["layer-name", "maps", "channel-title"]) {
    assert.equal(await page.locator(`#${id}`).isVisible(), true, id);
  }
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await page.emulateMedia({ media: "screen" });
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert.equal(await height(), seen);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
});

test("the same channel stands beside itself on every input", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv&c=0&y=1&x=1`);
  await page.waitForSelector("#across-list li");
  assert.equal(await page.locator("#across-list li").count(), 2);
  await page.click("#across-list li:nth-child(2) .tile");
  await page.waitForFunction(() => document.getElementById("run").value === "1");
  const read = await readout(page);
  assert.ok(Math.abs(read.value - NETWORK.layers[0].maps[1][0][9]) <= 6 / 512);
  await goTo(page, "l=stem%2Fsigned&c=0");
  await page.waitForFunction(() => document.getElementById("across").hidden);
});

test("named units come with their names, the greatest first", async () => {
  const page = await open(browser, `${address}#l=head%2Fclasses`);
  await page.locator("#stage").focus();
  await page.keyboard.press("Home");
  const values = NETWORK.layers[6].maps[0].flat();
  const greatest = values.indexOf(Math.max(...values));
  const read = await readout(page);
  assert.equal(read.channel, `${greatest}, unit ${greatest}`);
  assert.match(await page.locator("#scale-words").textContent(), /greatest first/);
});

test("the scale is said in words, and changes what is painted", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv`);
  const picture = () => page.evaluate(() => document.getElementById("maps").toDataURL());
  const seen = new Set([await picture()]);
  const words = new Set([await page.locator("#scale-words").textContent()]);
  for (const scale of ["layer", "percentile", "symmetric", "std", "inputs"]) {
    await page.locator("#scale").selectOption(scale);
    await page.waitForTimeout(60);
    seen.add(await picture());
    words.add(await page.locator("#scale-words").textContent());
  }
  assert.equal(words.size, 6);
  // The second input has nothing beyond the first's range.
  assert.equal(seen.size, 5, "scales that differ look the same");
  assert.match(await page.locator("#legend-marks").innerText(), /constant[\s\S]*NaN[\s\S]*\+inf[\s\S]*−inf/);
});

test("what is on the canvas is saved with its caption", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  assert.equal(download.suggestedFilename(), "stem_conv.png");
  const bytes = readFileSync(await download.path());
  assert.equal(bytes.subarray(1, 4).toString(), "PNG");
  const canvas = await page.evaluate(() => [
    document.getElementById("maps").width,
    document.getElementById("maps").height,
  ]);
  assert.ok(bytes.readUInt32BE(16) >= canvas[0] && bytes.readUInt32BE(20) > canvas[1] + 60);
});

test("themes follow the system until the button is used", async () => {
  const page = await open(browser, address, { colorScheme: "light" });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await background(), "rgb(255, 255, 255)");
  await page.click("#theme");
  assert.equal(await background(), "rgb(17, 19, 23)");
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await background(), "rgb(17, 19, 23)");
});

test("a phone has all of it: layers in a drawer, nothing wider than the screen, taps choose", async () => {
  const page = await open(browser, address, {
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    deviceScaleFactor: 2,
  });
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(await wide(), 390);
  await page.tap("#open-layers");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  await page.waitForTimeout(250);
  await page.tap('[data-layer="1"] .row');
  await opens(page, "stem/signed");
  await page.waitForTimeout(250);
  const tile = await page.locator("#tile-frame").boundingBox();
  await page.touchscreen.tap(tile.x + tile.width / 2, tile.y + tile.height / 2);
  assert.equal((await readout(page)).position, "row 2, column 3");
  for (let layer = 0; layer < 7; layer++) {
    await goTo(page, `l=${encodeURIComponent(NETWORK.layers[layer].name)}`);
    assert.equal(await wide(), 390, NETWORK.layers[layer].name);
  }
});
