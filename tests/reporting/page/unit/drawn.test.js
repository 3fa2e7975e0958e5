// The page beside the pictures that the package draws: the same maps on the same scales, in the same colours and words.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { PYTHON, REPOSITORY } from "../fixture.js";
import { PAGE_COLOURS, chooseColormap } from "../../../../onnxviz/reporting/page/colour.js";
import { bytesOfBase64, inflate, unpack } from "../../../../onnxviz/reporting/page/decode.js";
import { formatNumber } from "../../../../onnxviz/reporting/page/numbers.js";
import { statisticsOf } from "../../../../onnxviz/reporting/page/report.js";
import { scaleLimits } from "../../../../onnxviz/reporting/page/scale.js";

const script = join(REPOSITORY, "tests/reporting/page/unit/drawn.py");
const environment = { ...process.env, PYTHONPATH: REPOSITORY };
const drawn = JSON.parse(execFileSync(PYTHON, [script], { env: environment, encoding: "utf-8", maxBuffer: 1e8 }));
const { scale_rules: rules, scales, themes, colormaps } = drawn.appearance;

/** The values of a layer as the page decodes them. */
async function decoded({ shape, block, entry }) {
  const [count, ...extent] = shape;
  const size = extent.reduce((product, side) => product * side, 1);
  return { size, values: unpack(await inflate(bytesOfBase64(block)), entry, count * size) };
}

for (const [name, layer] of Object.entries(drawn.layers)) {
  test(`maps have the scales that their picture has: ${name}`, async () => {
    const statistics = statisticsOf(layer.entry, rules);
    const scaled = { statistics, others: [], ...(await decoded(layer)) };
    for (const [mode, picture] of Object.entries(layer.scales)) {
      const found = scaleLimits(mode, scaled, rules);
      assert.equal(found.mode, picture.mode, mode);
      assert.equal(scales[found.mode].ends !== null, picture.own, mode);
      for (const [theme, colormap] of Object.entries(picture.colormaps)) {
        assert.equal(chooseColormap("auto", found.diverging, themes[theme], Object.keys(colormaps)), colormap, mode);
      }
      for (const [channel, [low, high]] of picture.ends.entries()) {
        // Ends found from codes are half a step off at most, statistics as much as float32 is.
        const range = statistics.high[channel] - statistics.low[channel];
        const room = found.mode === "percentile" && range > 0 ? range / 512 : 0;
        const near = (one, other) => Math.abs(one - other) <= room + 1e-6 * Math.abs(other) + 1e-30;
        const words = `${mode} ${channel}: ${found.low[channel]} … ${found.high[channel]} for ${low} … ${high}`;
        assert.ok(near(found.low[channel], low) && near(found.high[channel], high), words);
      }
    }
    // Maps of one value are never hatched.
    if (scaled.size > 1) assert.deepEqual(statistics.constant, layer.constant);
  });
}

test("numbers are written as on pictures, but for the sign", () => {
  for (const [value, text] of drawn.numbers) {
    const number = { nan: NaN, inf: Infinity, "-inf": -Infinity }[value] ?? Number(value);
    assert.equal(formatNumber(number), text.replaceAll("-", "−"), value);
  }
});

test("canvases and the page around them have the same colours", () => {
  const sheet = readFileSync(join(REPOSITORY, "onnxviz/reporting/page/base.css"), "utf-8");
  const [dark, light] = sheet.match(/:root[^{]*\{[^}]*\}/g);
  for (const [name, block] of Object.entries({ dark, light })) {
    const variable = (/** @type {string} */ key) => block.match(new RegExp(`--${key}: #(\\w+);`))[1];
    const theme = { ...themes[name], ...PAGE_COLOURS[name] };
    const pairs = {
      back: "background",
      ink: "ink",
      nan: "nan",
      hatch: "hatch_line",
      "hatch-back": "hatch_back",
      bar: "bar",
    };
    for (const [key, colour] of Object.entries(pairs)) assert.equal(variable(key), theme[colour], `${name} ${key}`);
  }
});
