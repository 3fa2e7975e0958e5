import assert from "node:assert/strict";
import { test } from "node:test";

import { shell } from "../fixture.js";
import { chooseColormap, codePixels, colourPlace, pixelOf } from "../../../../onnxviz/reporting/page/colour.js";
import { chooseOrder, orderChannels, rankOf } from "../../../../onnxviz/reporting/page/order.js";
import { statisticsOf } from "../../../../onnxviz/reporting/page/report.js";
import { isConstant, layerRange, scaleLimits } from "../../../../onnxviz/reporting/page/scale.js";

const floats = (...values) => Float32Array.of(...values);
const RULES = { constant: 1e-6, held: 0.98, kept: 0.1, percentiles: [0.01, 0.99], deviations: 3, one_sided: 10 };

/** Statistics of three channels: 0 to 4, -1 to 1, and one without a finite value. */
function statistics() {
  return {
    low: floats(0, -1, NaN),
    high: floats(4, 1, NaN),
    mean: floats(1, 0, NaN),
    std: floats(0.5, 0.25, NaN),
    held: floats(4, 1, NaN),
    nan: [0, 0, 4],
    inf: [0, 0, 0],
  };
}

function limits(mode, found = statistics(), size = 4) {
  const values = { codes: null, marks: null, floats: null };
  return scaleLimits(mode, { statistics: found, values, size, others: [] }, RULES);
}

test("the layer's range is over the channels that have one", () => {
  assert.deepEqual(layerRange(statistics()), [-1, 4]);
  assert.deepEqual(layerRange({ low: floats(NaN), high: floats(NaN) }), [NaN, NaN]);
});

test("each mode has its ends", () => {
  const ends = (mode) => [0, 1].map((channel) => [limits(mode).low[channel], limits(mode).high[channel]]);
  assert.deepEqual(ends("channel"), [
    [0, 4],
    [-1, 1],
  ]);
  assert.deepEqual(ends("layer"), [
    [-1, 4],
    [-1, 4],
  ]);
  assert.deepEqual(ends("symmetric"), [
    [-4, 4],
    [-4, 4],
  ]);
  assert.deepEqual(ends("std"), [
    [-0.5, 2.5],
    [-0.75, 0.75],
  ]);
});

test("a channel without a finite value has a scale all the same", () => {
  for (const mode of ["channel", "std"]) assert.deepEqual([limits(mode).low[2], limits(mode).high[2]], [0, 1]);
});

test("automatic is about zero where values have both signs, and one scale for maps of one value", () => {
  assert.equal(limits("auto").mode, "signed");
  assert.ok(limits("auto").diverging);
  assert.equal(limits("auto", statistics(), 1).mode, "symmetric");
  const positive = { ...statistics(), low: floats(0, -0.3, NaN) };
  assert.equal(limits("auto", positive).mode, "clipped");
  assert.equal(limits("auto", positive, 1).mode, "layer");
});

test("all inputs share one scale", () => {
  const others = [statistics(), { ...statistics(), low: floats(-7, 0, 0), high: floats(0, 0, 9) }];
  const found = scaleLimits("inputs", { statistics: statistics(), values: {}, size: 4, others }, RULES);
  assert.deepEqual([found.low[0], found.high[1]], [-7, 9]);
});

test("percentiles leave out what is rare", () => {
  const codes = Uint8Array.from({ length: 1000 }, (_, place) =>
    place === 0 ? 0 : place === 1 ? 255 : 100 + (place % 20),
  );
  const scaled = {
    statistics: { ...statistics(), low: floats(0), high: floats(256) },
    values: { codes, marks: null, floats: null },
    size: 1000,
    others: [],
  };
  const found = scaleLimits("percentile", scaled, RULES);
  assert.deepEqual([found.low[0], found.high[0]], [100.5, 119.5]);
});

test("scales end where the report says that nearly all magnitudes are held", () => {
  const found = { ...statistics(), low: floats(-1, 0.5, NaN), high: floats(6, 0.75, NaN), held: floats(2, 9, NaN) };
  const ends = (mode) =>
    [0, 1, 2].map((channel) => [limits(mode, found).low[channel], limits(mode, found).high[channel]]);
  assert.deepEqual(ends("signed"), [
    [-2, 2],
    [-9, 9],
    [0, 1],
  ]);
  assert.deepEqual(ends("clipped"), [
    [-1, 2],
    [0.5, 0.75],
    [0, 1],
  ]);
  assert.equal(limits("clipped", { ...found, high: floats(60, 1, NaN) }).high[0], 6);
  assert.ok(limits("signed", found).diverging && !limits("clipped", found).diverging);
});

test("what rounding leaves of a constant is constant; what is not finite is not", () => {
  const ranges = [
    [1, 1.0000005],
    [1, 1.1],
    [0, 0],
    [NaN, NaN],
  ];
  assert.deepEqual(
    ranges.map(([low, high]) => isConstant(low, high, RULES)),
    [true, false, true, false],
  );
  const text = Buffer.from(floats(5, 5, 5, 1).buffer).toString("base64");
  const run = {
    stats: { low: text, high: text, mean: text, std: text, held: text },
    nan: [0, 1, 0, 0],
    inf: [0, 0, 1, 0],
  };
  assert.deepEqual(statisticsOf(run, RULES).constant, [true, false, false, true]);
});

test("colours lie evenly between the ends, and outside are the ends'", () => {
  assert.deepEqual(
    [0, 0.5, 1, -9, 9].map((value) => colourPlace(value, 0, 1)),
    [0, 128, 255, 0, 255],
  );
  assert.equal(colourPlace(0.25, 0, 1, 0.5), 128);
  assert.equal(colourPlace(0, -1.7e308, 1.7e308), 128);
  assert.equal(colourPlace(3, 3, 3), 0);
});

test("a channel's codes get the colours of their values", () => {
  const pixels = Uint32Array.from({ length: 256 }, (_, place) => place);
  const table = codePixels(pixels, [0, 128], [0, 256]);
  assert.deepEqual([table[0], table[254], table[255]], [0, 127, 127]);
  assert.deepEqual([...codePixels(pixels, [0, 1], [0, 1])], [...pixels]);
});

test("a pixel is stored as red, green, blue, opaque", () => {
  const bytes = new Uint8Array(Uint32Array.of(pixelOf("0180ff")).buffer);
  assert.deepEqual([...bytes], [1, 128, 255, 255]);
});

test("automatic colours are diverging only where zero is in the middle", () => {
  const names = ["viridis", "vik", "berlin"];
  const { dark, light } = shell.appearance.themes;
  assert.equal(chooseColormap("auto", false, dark, names), "viridis");
  assert.equal(chooseColormap("auto", true, dark, names), "berlin");
  assert.equal(chooseColormap("auto", true, light, names), "vik");
  assert.equal(chooseColormap("vik", false, dark, names), "vik");
  assert.equal(chooseColormap("nonesuch", true, light, ["viridis"]), "viridis");
});

test("orders put the greatest first, what has no number last, and equals as they were", () => {
  const found = {
    low: floats(0, 0, 0, 0),
    high: floats(2, 5, NaN, 2),
    mean: floats(1, 1, 1, 2),
    std: floats(3, 4, 5, 6),
  };
  assert.deepEqual(orderChannels("index", found), [0, 1, 2, 3]);
  assert.deepEqual(orderChannels("max", found), [1, 0, 3, 2]);
  assert.deepEqual(orderChannels("mean", found), [3, 0, 1, 2]);
  assert.deepEqual(orderChannels("deviation", found), [3, 2, 1, 0]);
  assert.deepEqual(
    [0, 1, 2, 3].map((place) => rankOf("max", found, place)),
    [2, 1, 4, 2],
  );
});

test("units come greatest first by themselves, those without names by their distance from 0", () => {
  assert.equal(chooseOrder("auto", { form: "vector", labels: ["a"] }), "max");
  assert.equal(chooseOrder("auto", { form: "vector", labels: null }), "strength");
  assert.equal(chooseOrder("auto", { form: "map", labels: null }), "index");
  assert.equal(chooseOrder("deviation", { form: "map", labels: null }), "deviation");
});
