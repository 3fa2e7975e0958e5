// Reports of known values, written as the schema says, by other code than the page's or the package's.

import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync } from "node:zlib";

export const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
export const PYTHON = process.env.ONNXVIZ_PYTHON ?? "python3";

const SHELL = `
import json
from onnxviz.reporting.appearance import appearance
from onnxviz.reporting.bundle import load_page
page = load_page()
parts = {"body": page.body, "style": page.style, "script": page.script, "policy": page.policy}
print(json.dumps(parts | {"appearance": appearance()}))
`;

/** What is the same in every report: its parts, and what its index says of how the page draws. */
export const shell = JSON.parse(
  execFileSync(PYTHON, ["-c", SHELL], { cwd: REPOSITORY, encoding: "utf-8", maxBuffer: 1e8 }),
);

const COLORMAPS = {
  viridis: [
    [68, 1, 84],
    [253, 231, 37],
  ],
  vik: [
    [0, 18, 97],
    [89, 0, 8],
  ],
  berlin: [
    [158, 176, 255],
    [255, 172, 172],
  ],
  magma: [
    [0, 0, 3],
    [251, 252, 191],
  ],
};

/** The colour of a place in a colormap of these reports: a straight line between two colours. */
export function colourOf(name, place) {
  const [from, to] = COLORMAPS[name];
  return from.map((start, band) => Math.round(start + ((to[band] - start) * place) / 255));
}

/** A PNG of an RGB picture, (y, x) => [r, g, b]. */
export function pngUri(height, width, pixel) {
  const rows = [];
  for (let y = 0; y < height; y++) {
    rows.push(0);
    for (let x = 0; x < width; x++) rows.push(...pixel(y, x));
  }
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([size, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  const parts = [
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.from(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return `data:image/png;base64,${Buffer.concat(parts).toString("base64")}`;
}

/** One run of a layer: its entry without a block, and the bytes of its block. `maps` is an array of arrays. */
export function packRun(maps, vector = false) {
  const columns = { low: [], high: [], mean: [], std: [], held: [] };
  const [nan, inf, codes, marks, ends] = [[], [], [], [], []];
  for (const values of maps) {
    const finite = values.filter(Number.isFinite).map(Math.fround);
    const low = finite.length ? Math.min(...finite) : NaN;
    const high = finite.length ? Math.max(...finite) : NaN;
    const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    columns.low.push(low);
    columns.high.push(high);
    columns.mean.push(mean);
    columns.std.push(Math.sqrt(finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / finite.length));
    columns.held.push(heldOf(finite.map(Math.abs).sort((one, other) => one - other)));
    nan.push(values.filter(Number.isNaN).length);
    inf.push(values.filter((value) => Math.abs(value) === Infinity).length);
    for (const value of values) {
      const finiteValue = Number.isFinite(value);
      const code =
        finiteValue && high > low ? Math.max(0, Math.min(255, Math.floor(((value - low) / (high - low)) * 256))) : 0;
      codes.push(code);
      if (code % 255 === 0) ends.push(Number([low, high].includes(Math.fround(value))));
      marks.push(finiteValue ? 0 : Number.isNaN(value) ? 1 : value > 0 ? 2 : 3);
    }
  }
  const extra = !vector && marks.some(Boolean);
  const bytes = vector ? floatBytes(maps.flat()) : Buffer.from([...codes, ...(extra ? marks : []), ...bitsOf(ends)]);
  const stats = Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, floatBytes(values).toString("base64")]),
  );
  const flat = ({ length }, place) =>
    length > 1 && !nan[place] && !inf[place] && columns.low[place] === columns.high[place];
  const live = maps.filter((values, place) => columns.high[place] && !flat(values, place)).length;
  return { entry: { stats, nan, inf, live, extra, exact: vector }, bytes };
}

/** The magnitude that 98 % of those above the least do not exceed; `ordered` are all, the least first. */
function heldOf(ordered) {
  const above = ordered.filter((magnitude) => magnitude > ordered[0]).length;
  return ordered.length ? ordered[ordered.length - 1 - Math.floor(0.02 * above + 1e-9)] : NaN;
}

/**
 * A report's text. Layers are as in the index but for `maps`, the channels of each run, or null, and `runFacts`, what
 * the entry of every run has besides, or a list of them, one a run.
 */
export function makeReport({ layers, runs, model = "net.onnx", lead, leftOut = "", look = {} }) {
  const blocks = [];
  const packed = layers.map(({ maps, runFacts = {}, ...layer }) => {
    const entries = maps.map((channels, run) => {
      if (!channels) return null;
      const { entry, bytes } = packRun(channels, layer.form === "vector");
      blocks.push(deflateSync(bytes).toString("base64"));
      return { block: blocks.length - 1, ...entry, ...(Array.isArray(runFacts) ? runFacts[run] : runFacts) };
    });
    const channels = maps.find(Boolean).length;
    return {
      ...LAYER,
      shape: [1, channels, ...layer.extent],
      channels,
      kept: [...Array(channels).keys()],
      output: `${layer.name}_out`,
      ...layer,
      runs: entries,
    };
  });
  const colormaps = Object.fromEntries(
    Object.keys(COLORMAPS).map((name) => [
      name,
      Array.from({ length: 256 }, (_, place) => Buffer.from(colourOf(name, place)).toString("hex")),
    ]),
  );
  const index = {
    schema: "onnxviz.report/1",
    onnxviz: "0.0.0",
    model: { name: model, device: "cpu", level: "all", ...(lead && { lead }) },
    left_out: leftOut,
    runs: runs.map((run) => ({ ...RUN, ...run })),
    layers: packed,
    ...shell.appearance,
    look: { ...shell.appearance.look, ...look },
    colormaps,
  };
  const text = JSON.stringify(index).replace(
    /[<>&\u2028\u2029]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const data = blocks.map(
    (block, place) => `<script type="application/octet-stream" id="block-${place}">${block}</script>`,
  );
  const first = layers[0].maps.filter(Boolean).length;
  return [
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${shell.policy}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1"><title>report</title>`,
    `<style>${shell.style}</style></head><body>${shell.body}`,
    `<script type="application/json" id="index">${text}</script>`,
    ...data.slice(0, first),
    `<script>${shell.script}</script>`,
    ...data.slice(first),
    `</body></html>`,
  ].join("\n");
}

/** Write a report to a file of its own and return its address. */
export function writeReport(parts) {
  const file = join(mkdtempSync(join(tmpdir(), "onnxviz-page-")), "report.html");
  writeFileSync(file, makeReport(parts));
  return `file://${file}`;
}

const LAYER = {
  kind: "conv",
  op: "Conv",
  scope: "",
  tap: "act",
  layout: "NCHW",
  form: "map",
  halved: 0,
  labels: null,
  receptive_field: null,
};
const RUN = { name: "one", source: { input: "one.png" }, fed: [], classes: [], picture: null };

/** Eight to a byte, the first in the highest place. */
function bitsOf(ends) {
  const text = ends.join("");
  return Array.from({ length: Math.ceil(text.length / 8) }, (_, byte) =>
    parseInt(text.slice(8 * byte, 8 * byte + 8).padEnd(8, "0"), 2),
  );
}

function floatBytes(values) {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, place) => bytes.writeFloatLE(value, 4 * place));
  return bytes;
}

/** Values that are the same in every test: a sequence that never repeats soon. */
export function noise(count, seed = 1, low = 0, high = 1) {
  let state = seed * 2654435761;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + (state / 2 ** 32) * (high - low);
  });
}

const field = (size, stride, start, status = "exact", global = false) => ({ size, stride, start, status, global });
const broken = noise(64, 5, -2, 3).with(0, NaN).with(9, Infinity).with(18, -Infinity);

/** A network with every kind of map: what the tests read back from the page. */
export const NETWORK = {
  model: "every-kind.onnx",
  runs: [
    {
      name: "first",
      classes: [{ name: "unit 7", index: 7, value: 0.5 }],
      picture: { uri: pngUri(32, 48, (y, x) => [x * 5, y * 7, 90]), height: 32, width: 48, input: "image" },
    },
    {
      name: "second",
      picture: { uri: pngUri(32, 48, (y, x) => [y * 7, 60, x * 5]), height: 32, width: 48, input: "image" },
    },
  ],
  layers: [
    {
      name: "stem/conv",
      scope: "stem",
      extent: [8, 8],
      receptive_field: field([3, 3], [4, 6], [-1, -1]),
      maps: [
        [
          noise(64, 1, 0, 6),
          Array(64).fill(0),
          broken,
          Array(64).fill(0.00448),
          noise(64, 6, 1000, 1001),
          Array(64).fill(NaN),
        ],
        [noise(64, 11, 0, 6), Array(64).fill(0), noise(64, 12), noise(64, 13), noise(64, 14), noise(64, 15)],
      ],
    },
    {
      name: "stem/signed",
      scope: "stem",
      extent: [5, 7],
      receptive_field: field(null, null, null, "whole input"),
      maps: [[noise(35, 21, -4, 5), noise(35, 22, -1, 1)], null],
    },
    {
      name: "body/one",
      scope: "body",
      extent: [1, 1],
      receptive_field: field([9, 9], [8, 8], [-4, -4], "upper bound", true),
      maps: [
        [[2], [-3], [0]],
        [[1], [1], [1]],
      ],
    },
    {
      name: "body/band",
      scope: "body",
      layout: "NCL",
      extent: [40],
      maps: [
        [noise(40, 31), noise(40, 32, -1, 1)],
        [noise(40, 33), noise(40, 34)],
      ],
    },
    {
      name: "body/volume",
      scope: "body",
      layout: "NCDHW",
      extent: [3, 4, 5],
      maps: [
        [noise(60, 41), noise(60, 42)],
        [noise(60, 43), noise(60, 44)],
      ],
    },
    {
      name: "body/halved",
      scope: "body",
      extent: [4, 4],
      shape: [1, 5, 8, 8],
      halved: 1,
      channels: 5,
      kept: [1, 4],
      receptive_field: field([3, 3], [2, 2], [0, 0]),
      maps: [
        [noise(16, 51), noise(16, 52)],
        [noise(16, 53), noise(16, 54)],
      ],
    },
    {
      name: "head/classes",
      scope: "head",
      layout: "NC",
      form: "vector",
      extent: [],
      labels: Array.from({ length: 12 }, (_, unit) => `unit ${unit}`),
      maps: [noise(12, 61, -1, 1).map((value) => [value]), noise(12, 62, -1, 1).map((value) => [value])],
    },
  ].map((layer) => ({ form: { 1: "band", 2: "map", 3: "volume" }[layer.extent.length], ...layer })),
};
