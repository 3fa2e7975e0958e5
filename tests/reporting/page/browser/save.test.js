import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { inflateSync } from "node:zlib";

import { colourOf, NETWORK, writeReport } from "../fixture.js";
import { launch, open } from "./open.js";

let browser;
let address;
before(async () => {
  address = writeReport(NETWORK);
  browser = await launch();
});
after(() => browser?.close());

async function savedSvg(page) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#save-svg")]);
  assert.match(file.suggestedFilename(), /\.svg$/);
  return readFileSync(await file.path(), "utf-8");
}

/** What a browser makes of a file: the kinds of its elements, its texts and its pictures; an error if it is not XML. */
function read(page, text) {
  return page.evaluate((source) => {
    const found = new DOMParser().parseFromString(source, "image/svg+xml");
    const all = (tag) => [...found.querySelectorAll(tag)];
    return {
      error: found.querySelector("parsererror")?.textContent ?? "",
      tags: [...new Set(all("*").map(({ tagName }) => tagName))].sort(),
      texts: all("text").map(({ textContent }) => textContent),
      images: all("image").map((image) => image.getAttribute("href")),
    };
  }, text);
}

/** The colours of a PNG's pixels, of the two kinds that the page writes. */
function pixels(uri) {
  const bytes = Buffer.from(uri.split(",")[1], "base64");
  const chunks = {};
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    chunks[bytes.toString("latin1", at + 4, at + 8)] = bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at));
  }
  const width = chunks.IHDR.readUInt32BE(0);
  const indexed = chunks.IHDR[9] === 3;
  const rows = inflateSync(chunks.IDAT);
  const size = indexed ? 1 : 3;
  return Array.from({ length: width * chunks.IHDR.readUInt32BE(4) }, (_, place) => {
    const start = size * place + Math.floor(place / width) + 1;
    const from = indexed ? chunks.PLTE.subarray(3 * rows[start]) : rows.subarray(start);
    return [...from.subarray(0, 3)];
  });
}

test("an SVG has every channel with its own pixels, and words as text", async () => {
  const page = await open(browser, `${address}#l=stem%2Fconv&scale=channel`);
  const text = await savedSvg(page);
  assert.deepEqual(page.complaints, []);
  const found = await read(page, text);
  assert.equal(found.error, "");
  const [{ maps }] = NETWORK.layers;
  // Two of the six channels are constant, and hatched.
  assert.equal(found.images.length, 4);
  const [values] = maps[0];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const codes = values.map((value) => Math.min(255, Math.floor(((value - low) / (high - low)) * 256)));
  assert.deepEqual(
    pixels(found.images[0]),
    codes.map((code) => colourOf("viridis", code)),
  );
  // NaN, +inf and -inf have their signs, of the dark theme.
  const signs = [0, 9, 18].map((place) => pixels(found.images[1])[place]);
  assert.deepEqual(signs, [
    [0xff, 0x40, 0xc4],
    [0xff, 0x70, 0x20],
    [0x00, 0xd6, 0xe6],
  ]);
  assert.equal(found.texts[0], "stem/conv");
  assert.match(found.texts[1], /^every-kind\.onnx · first · Conv · 1 × 6 × 8 × 8/);
  for (const channel of ["0", "1", "2", "3", "4", "5"]) assert.ok(found.texts.includes(channel), channel);
});

test("every kind of map can be saved as SVG, a thousand channels too", async () => {
  const many = { ...NETWORK.layers[1], name: "many", maps: [Array(1000).fill(NETWORK.layers[1].maps[0][0]), null] };
  const report = writeReport({ ...NETWORK, layers: [...NETWORK.layers, many] });
  for (const [name, images] of [
    ["body/band", 2],
    ["body/volume", 2],
    ["head/classes", 0],
    ["many", 1000],
  ]) {
    const page = await open(browser, `${report}#l=${encodeURIComponent(name)}`);
    const found = await read(page, await savedSvg(page));
    assert.equal(found.error, "");
    assert.equal(found.images.length, images);
    if (!images) for (const label of NETWORK.layers[6].labels) assert.ok(found.texts.includes(label), label);
  }
});

test("names of a model are text in an SVG, whatever they hold", async () => {
  const name = `a<script>alert(1)</script>"'&\u0001\ud800`;
  const report = writeReport({ ...NETWORK, model: `${name}.onnx`, layers: [{ ...NETWORK.layers[0], name }] });
  const page = await open(browser, report);
  const found = await read(page, await savedSvg(page));
  assert.equal(found.error, "");
  assert.deepEqual(found.tags, ["defs", "g", "image", "path", "pattern", "rect", "style", "svg", "text", "title"]);
  assert.equal(found.texts[0], `a<script>alert(1)</script>"'&\ufffd\ufffd`);
});
