import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { NETWORK, noise, writeReport } from "../fixture.js";
import { goTo, launch, open } from "./open.js";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const NAMES = [
  "</script><script>alert(1)</script>",
  '<img src=x onerror="alert(2)">',
  "--><svg onload=alert(3)>",
  "\u202egnp.tac/\u2066x",
  "a&b=c#l=%3Cscript%3E&c=9",
  "javascript:alert(4)",
  "</title></style><iframe src=//example.com>",
  "__proto__",
  "\ud800 alone",
  "\u2028\u2029 \u0001\ufffe",
  "x".repeat(10_000),
  Array(3000).fill("y").join("/"),
];

test("names are shown as text, whatever they say", async () => {
  const layers = NAMES.map((name, place) => ({
    name,
    scope: place % 2 ? name.slice(0, Math.max(0, name.lastIndexOf("/"))) : name,
    kind: name,
    op: name.slice(0, 300),
    form: place === 3 ? "vector" : "map",
    extent: place === 3 ? [] : [3, 3],
    labels: place === 3 ? [name, NAMES[1]] : null,
    layout: name.slice(0, 4),
    notes: [name.slice(0, 200)],
    maps: [[noise(place === 3 ? 1 : 9, 1), noise(place === 3 ? 1 : 9, 2)]],
  }));
  const runs = [
    { name: NAMES[0], classes: [{ name: NAMES[1], index: 0, value: 1 }], fed: [{ name: NAMES[2], shape: [1] }] },
  ];
  const address = writeReport({ layers, runs, model: NAMES.join(" "), leftOut: NAMES[0] });
  const page = await open(browser, address);
  const counted = await page.evaluate(() => [document.scripts.length, document.images.length]);
  for (const [place, name] of NAMES.entries()) {
    await page.evaluate((layer) => document.querySelector(`[data-layer="${layer}"] .row`).click(), place);
    await page.waitForTimeout(40);
    const shown = await page.evaluate(() => document.getElementById("layer-name").textContent);
    assert.ok(name.startsWith(shown.slice(0, 100)) || shown.replace("…", "").length > 0, name.slice(0, 40));
    if (name.length < 200) assert.equal(shown, name);
    await page.evaluate(() => document.getElementById("pin").click());
    // The address that the page wrote leads back to the same layer.
    const hash = await page.evaluate(() => location.hash);
    await goTo(page, "");
    await goTo(page, hash.slice(1));
    const again = await page.evaluate(() => document.getElementById("layer-name").textContent);
    assert.equal(again, shown);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 1280, "the page grew wide");
  }
  assert.deepEqual(await page.evaluate(() => [document.scripts.length, document.images.length]), counted);
  assert.equal(
    await page.evaluate(() => document.querySelectorAll("iframe, object, embed, svg[onload], body script[src]").length),
    0,
  );
  assert.deepEqual(page.complaints, []);
});

test("the page asks nothing of a network, and breaks no rule of its own policy", async () => {
  const page = await open(browser, writeReport(NETWORK));
  for (const layer of NETWORK.layers) await goTo(page, `l=${encodeURIComponent(layer.name)}`);
  for (const id of ["pin", "theme", "zoom-in", "copy"]) await page.click(`#${id}`).catch(() => {});
  assert.deepEqual(
    page.requests.filter((address) => !/^(file|data|blob):/.test(address)),
    [],
  );
  assert.equal(page.requests.filter((address) => address.startsWith("file:")).length, 1);
  assert.deepEqual(page.complaints, []);
});

test("the policy lets no other script run", async () => {
  const page = await open(browser, writeReport(NETWORK));
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    const picture = document.createElement("img");
    picture.setAttribute("onerror", "window.ran = true");
    picture.src = "x";
    document.body.append(picture);
  });
  await page.waitForTimeout(100);
  assert.equal(await page.evaluate(() => window.ran), undefined);
});

test("a damaged block is told, and other layers open", async () => {
  const address = writeReport({
    ...NETWORK,
    layers: NETWORK.layers.map((layer, place) => (place === 1 ? { ...layer, extent: [5, 8] } : layer)),
  });
  const page = await open(browser, address);
  await page.click('[data-layer="1"] .row');
  await page.waitForFunction(() => !document.getElementById("notice").hidden);
  assert.match(await page.locator("#notice-text").textContent(), /cannot be read: 71 bytes where 81/);
  await page.click('[data-layer="0"] .row');
  await page.waitForFunction(() => document.getElementById("layer-name").innerText === "stem/conv");
});
