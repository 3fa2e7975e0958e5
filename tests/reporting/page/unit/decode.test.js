import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import {
  bytesOfBase64,
  floatsOfBytes,
  inflate,
  unpack,
  valueAt,
  valueOfCode,
} from "../../../../onnxviz/reporting/page/decode.js";
import { noise, packRun } from "../fixture.js";

test("a code stands for the middle of its part of the range", () => {
  assert.equal(valueOfCode(0, 0, 256), 0.5);
  assert.equal(valueOfCode(255, 0, 256), 255.5);
  assert.equal(valueOfCode(128, -1, 1), 0.00390625);
});

test("a constant channel has exactly its value", () => {
  assert.equal(valueOfCode(0, Math.fround(0.1), Math.fround(0.1)), Math.fround(0.1));
});

test("ends whose difference overflows are no trouble", () => {
  const [low, high] = [-1.7e308, 1.7e308];
  assert.ok(Math.abs(valueOfCode(128, low, high)) < 1e306);
  assert.ok(Number.isFinite(valueOfCode(255, low, high)));
});

test("what was deflated and written as base64 comes back", async () => {
  const bytes = Buffer.from(noise(5000, 3, 0, 255).map(Math.floor));
  const back = await inflate(bytesOfBase64(deflateSync(bytes).toString("base64")));
  assert.deepEqual(Buffer.from(back), bytes);
});

test("floats are little-endian, of both widths", () => {
  assert.deepEqual([...floatsOfBytes(Uint8Array.of(0, 0, 128, 63, 0, 0, 192, 127))], [1, NaN]);
  assert.deepEqual([...floatsOfBytes(Uint8Array.of(0, 0, 0, 0, 0, 0, 240, 63), true)], [1]);
  // Not at the start of its buffer, and not at a multiple of four.
  const inside = Uint8Array.of(9, 0, 0, 128, 63).subarray(1);
  assert.deepEqual([...floatsOfBytes(inside)], [1]);
});

test("a block of the wrong size is refused", () => {
  assert.throws(() => unpack(new Uint8Array(7).fill(9), { extra: false }, 8), /7 bytes where 8/);
  assert.throws(() => unpack(new Uint8Array(8).fill(9), { extra: true }, 8), /8 bytes where 16/);
  // Nine codes at an end take two bytes more.
  assert.throws(() => unpack(new Uint8Array(10), {}, 9), /10 bytes where 11/);
  assert.throws(() => unpack(new Uint8Array(8), { exact: true }, 8), /8 bytes where 32/);
});

test("values are within half a step, and what is not finite is so", () => {
  const maps = [noise(50, 1, -3, 9), noise(50, 2, 100, 101).with(3, NaN).with(4, Infinity).with(5, -Infinity)];
  const { entry, bytes } = packRun(maps);
  const values = unpack(bytes, entry, 100);
  const column = (text) => floatsOfBytes(bytesOfBase64(text));
  const statistics = { low: column(entry.stats.low), high: column(entry.stats.high) };
  maps.forEach((map, channel) => {
    const step = (statistics.high[channel] - statistics.low[channel]) / 512;
    map.forEach((value, offset) => {
      const read = valueAt(values, statistics, channel, offset, 50);
      if (Number.isFinite(value)) assert.ok(Math.abs(read - value) <= step * 1.0001, `${read} for ${value}`);
      else assert.equal(read, value);
    });
  });
});

test("a value that is an end of its range is exactly that, one near it is not", () => {
  // Codes, then a bit for each of the five that are 0 or 255.
  const values = unpack(Uint8Array.of(0, 255, 7, 0, 255, 0, 0b11001000), {}, 6);
  const read = [0, 1, 2, 3, 4, 5].map((offset) => valueAt(values, { low: [0], high: [256] }, 0, offset, 6));
  assert.deepEqual(read, [0, 256, 7.5, 0.5, 255.5, 0]);
});

test("a vector's values are those that were stored", () => {
  const { entry, bytes } = packRun([[0.1], [NaN], [-Infinity]], true);
  const values = unpack(bytes, entry, 3);
  assert.deepEqual(
    [0, 1, 2].map((unit) => valueAt(values, {}, unit, 0, 1)),
    [Math.fround(0.1), NaN, -Infinity],
  );
});
