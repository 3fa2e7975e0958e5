import assert from "node:assert/strict";
import { test } from "node:test";

import { formatAddress, parseAddress } from "../../../../onnxviz/reporting/page/address.js";
import {
  clipWindow,
  fieldWindow,
  fieldWords,
  placeOnPicture,
  withPatches,
} from "../../../../onnxviz/reporting/page/field.js";
import { formatNumber, formatRange } from "../../../../onnxviz/reporting/page/numbers.js";
import { formatValue, positionWords } from "../../../../onnxviz/reporting/page/readout.js";
import { buildTree, searchLayers, splitName } from "../../../../onnxviz/reporting/page/tree.js";

const PLAIN = {
  layer: "",
  channel: null,
  position: null,
  run: 0,
  scale: "auto",
  colormap: "auto",
  order: "auto",
  query: "auto",
  pins: [],
};

test("numbers have three digits", () => {
  const pairs = [
    [0, "0"],
    [2, "2"],
    [-0.12345, "−0.123"],
    [1234567, "1.23e6"],
    [3.2e-7, "3.2e−7"],
    [NaN, "NaN"],
    [-Infinity, "−inf"],
    [1234, "1234"],
    [99.96, "100"],
    [0.00448, "0.00448"],
    [999.6, "1000"],
  ];
  for (const [value, text] of pairs) assert.equal(formatNumber(value), text);
  assert.equal(formatRange(0, 6), "0 … 6");
  assert.equal(formatRange(3, 3), "3");
  assert.equal(formatRange(NaN, NaN), "no finite value");
});

test("values are written as exactly as they are known", () => {
  assert.equal(formatValue(3.12913, 0.0117), "3.129 ± 0.012");
  assert.equal(formatValue(1000.4567, 0.002), "1000.457 ± 0.002");
  assert.equal(formatValue(0.1, 0), "0.1");
  for (const value of [0.00012, 5, 1e4, -77.7]) {
    const written = Number(formatValue(value, 0.013).split(" ")[0].replace("−", "-"));
    assert.ok(Math.abs(written - value) <= 0.0065, `${written} for ${value}`);
  }
});

test("an address comes back as it was", () => {
  const places = [
    { ...PLAIN, layer: "stem/conv", channel: 447, position: [3, 5] },
    {
      ...PLAIN,
      layer: "a&c=1#%/π \u202e=",
      channel: 0,
      position: [1, 2, 3],
      run: 2,
      scale: "std",
      colormap: "vik",
      order: "max",
      pins: [
        { layer: "stem/conv", channel: 3, run: 0 },
        { layer: "a:b,c&d", channel: 0, run: 2 },
      ],
    },
    { ...PLAIN, layer: "band", position: [7] },
  ];
  for (const place of places) assert.deepEqual(parseAddress(`#${formatAddress(place)}`), { place, problems: [] });
  assert.equal(formatAddress(places[0]), "l=stem%2Fconv&c=447&y=3&x=5");
});

test("what is wrong in an address is said, and the rest is used", () => {
  assert.deepEqual(parseAddress(""), { place: PLAIN, problems: [] });
  const { place, problems } = parseAddress("#l=%E0%A4%A&c=-3&y=1&x=1e9&run=two&what=1&scale=layer");
  assert.equal(place.scale, "layer");
  assert.equal(place.channel, null);
  assert.deepEqual(place.position, [1]);
  assert.equal(problems.length, 5);
});

const layer = (field, more = {}) => ({ receptive_field: field, halved: 0, extent: [8, 8], ...more });
const FIELD = { size: [3, 5], stride: [2, 4], start: [-1, -2], status: "exact", global: false };

test("a position sees its window", () => {
  assert.deepEqual(fieldWindow(layer(FIELD), [0, 0]), { start: [-1, -2], size: [3, 5] });
  assert.deepEqual(fieldWindow(layer(FIELD), [3, 2]), { start: [5, 6], size: [3, 5] });
  assert.equal(fieldWindow(layer({ ...FIELD, size: null }), [3, 2]), null);
  assert.equal(fieldWindow(layer(null), [3, 2]), null);
});

test("a halved position sees what its positions see", () => {
  // Positions 2 and 3 of the rows see -1 + 2 * 2 = 3 to 5 and 5 to 7: together 3 to 7.
  assert.deepEqual(fieldWindow(layer(FIELD, { halved: 1 }), [1, 0]), { start: [3, -2], size: [5, 9] });
});

test("stored axes move along their axes of the field, also backwards", () => {
  assert.deepEqual(fieldWindow(layer(FIELD, { axes: [1] }), [2]), { start: [-1, 6], size: [3, 5] });
  assert.equal(fieldWindow(layer(FIELD, { axes: [] }), [2]), null);
  const back = { ...FIELD, stride: [-2, 4], start: [20, -2] };
  assert.deepEqual(fieldWindow(layer(back, { halved: 1 }), [1, 0]), { start: [14, -2], size: [5, 9] });
});

test("a window is cut to the picture, and said with its status", () => {
  const picture = { height: 10, width: 20 };
  assert.deepEqual(clipWindow({ start: [-1, 17], size: [3, 5] }, picture), { top: 0, left: 17, bottom: 2, right: 20 });
  assert.equal(fieldWords(FIELD, { size: [3, 5] }), "3 × 5 px, exact");
  assert.equal(
    fieldWords({ ...FIELD, global: true, status: "upper bound" }, { size: [3, 5] }),
    "3 × 5 px, upper bound, and the whole input through a gate",
  );
  assert.equal(fieldWords({ ...FIELD, status: "whole input" }, null), "whole input");
  assert.equal(fieldWords(null, null), "unknown");
});

test("tokens see their patches where these fill the picture side by side, and else it is said that where is unknown", () => {
  const patch = { size: [8, 4], stride: null, start: null, status: "exact", global: true };
  const tokens = layer(patch, { extent: [2, 3], tokens: { grid: [2, 3], prefix: 1, status: "exact" } });
  const placed = withPatches(tokens, { height: 16, width: 12 });
  assert.deepEqual(fieldWindow(placed, [1, 2]), { start: [8, 8], size: [8, 4] });
  assert.deepEqual(placeOnPicture(placed, { height: 16, width: 12 }), {
    top: 0,
    left: 0,
    height: 16,
    width: 12,
    exact: true,
  });
  assert.equal(fieldWords(patch, { size: [8, 4] }, true), "8 × 4 px, exact, and the whole input");
  // A map that was halved has the grid of the layer.
  const halved = withPatches({ ...tokens, extent: [1, 2], halved: 1 }, { height: 16, width: 12 });
  assert.deepEqual(fieldWindow(halved, [0, 0]), { start: [0, 0], size: [16, 8] });
  const overlapping = withPatches(tokens, { height: 15, width: 12 });
  const bound = { ...tokens, receptive_field: { ...patch, status: "upper bound" } };
  for (const other of [
    overlapping,
    withPatches(bound, { height: 16, width: 12 }),
    withPatches({ ...tokens, tokens: undefined }, { height: 16, width: 12 }),
    withPatches(tokens, null),
  ])
    assert.equal(fieldWindow(other, [1, 2]), null);
  assert.equal(
    fieldWords(patch, fieldWindow(overlapping, [1, 2]), true),
    "8 × 4 px, exact, and the whole input; where is not known",
  );
});

test("a map lies over the middles of what its positions see", () => {
  const lies = placeOnPicture(layer(FIELD), { height: 16, width: 32 });
  // Position 0 sees rows -1 to 1: its middle is row 0, and it is 2 rows tall, -0.5 to 1.5 of pixels' edges.
  assert.deepEqual(lies, { top: -0.5, left: -1.5, height: 16, width: 32, exact: true });
  assert.equal(placeOnPicture(layer(null), { height: 16, width: 32 }).exact, false);
});

test("layers stand in the tree of their scopes", () => {
  const names = [
    ["stem/conv", "stem"],
    ["a/b/c/one", "a/b/c"],
    ["a/b/c/two", "a/b/c"],
    ["a/d", "a"],
    ["stem/pool", "stem"],
    ["alone", ""],
    ["/p.q/r.0/Conv", "p.q/r.0"],
    ["named otherwise", "t"],
  ];
  const tree = buildTree(names.map(([name, scope]) => ({ name, scope })));
  const shown = (scope) =>
    scope.children.map((child) => ("children" in child ? [child.name, shown(child)] : child.name));
  assert.deepEqual(shown(tree), [
    ["stem", ["conv", "pool"]],
    ["a", [["b/c", ["one", "two"]], "d"]],
    "alone",
    "p.q/r.0/Conv",
    ["t", ["named otherwise"]],
  ]);
  assert.equal(tree.layers, 8);
});

test("a layer's name is split from its scope, whatever parts them", () => {
  assert.deepEqual(splitName({ name: "layer1.0.conv1", scope: "layer1.0.conv1" }), {
    scope: "layer1.0",
    joint: ".",
    leaf: "conv1",
  });
  assert.deepEqual(splitName({ name: "/a/b/Conv", scope: "a/b" }), { scope: "a/b", joint: "/", leaf: "Conv" });
  assert.deepEqual(splitName({ name: "ab/Conv", scope: "a" }), { scope: "a", joint: "", leaf: "ab/Conv" });
  assert.deepEqual(splitName({ name: "other", scope: "a/b" }), { scope: "a/b", joint: "", leaf: "other" });
});

test("ten thousand levels of scope are no trouble", () => {
  const scope = Array(10_000).fill("x").join("/");
  const tree = buildTree([
    { name: `${scope}/leaf`, scope },
    { name: `${scope}/other`, scope },
  ]);
  assert.equal(tree.layers, 2);
});

test("a search finds words in names, kinds and operators", () => {
  const layers = [
    { name: "Stem/a", op: "Conv" },
    { name: "stem/b", op: "MaxPool", kind: "pool" },
  ];
  assert.deepEqual([...searchLayers("stem pool", layers)], [1]);
  assert.deepEqual([...searchLayers("", layers)], [0, 1]);
  assert.deepEqual([...searchLayers("nothing", layers)], []);
});

test("a position among tokens has their words, of as many as there are along an axis of tokens", () => {
  const tokens = { 3: ["[CLS]", "cat", "<b>"] };
  const text = { layout: "NCTT", extent: [3, 3], halved: 0 };
  assert.equal(positionWords(text, [1, 2], tokens), "row 1 “cat”, column 2 “<b>”");
  assert.equal(positionWords({ ...text, extent: [3, 4] }, [1, 2], tokens), "row 1 “cat”, column 2");
  assert.equal(positionWords({ ...text, layout: "NCHW" }, [1, 2], tokens), "row 1, column 2");
  assert.equal(positionWords({ ...text, halved: 1 }, [0, 1], tokens), "row 0…1, column 2…3");
  assert.equal(positionWords(text, [1, 2]), "row 1, column 2");
});
