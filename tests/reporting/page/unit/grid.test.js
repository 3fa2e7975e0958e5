import assert from "node:assert/strict";
import { test } from "node:test";

import {
  cornerOf,
  fitBands,
  fitZoom,
  hitTile,
  layBands,
  layBars,
  layTiles,
  zoomed,
} from "../../../../onnxviz/reporting/page/grid.js";
import { stepChannel, stepPosition } from "../../../../onnxviz/reporting/page/keys.js";
import { paintMap } from "../../../../onnxviz/reporting/page/paint.js";

const STAGE = { width: 640, height: 480, ratio: 1 };

test("zooms are whole numbers of pixels, or of values", () => {
  assert.deepEqual([zoomed(7, 3), zoomed(7, 1), zoomed(7, -2)], [21, 7, 4]);
});

test("every value of every tile is found where it lies", () => {
  for (const zoom of [1, 3, 8]) {
    const grid = layTiles({ count: 23, height: 5, width: 9, zoom }, STAGE);
    for (const place of [0, 1, 22]) {
      const corner = cornerOf(grid, place);
      for (const [row, column] of [
        [0, 0],
        [4, 8],
        [2, 5],
      ]) {
        const hit = hitTile(grid, corner.x + column * zoom + zoom - 1, corner.y + row * zoom);
        assert.deepEqual(hit, { place, row, column });
      }
    }
  }
});

test("gaps, and what lies after the last tile, are nothing", () => {
  const grid = layTiles({ count: 4, height: 30, width: 30, zoom: 1 }, { width: 80, height: 480, ratio: 1 });
  assert.equal(grid.columns, 2);
  assert.equal(hitTile(grid, 31, 5), null);
  assert.equal(hitTile(grid, 79, 5), null);
  assert.equal(hitTile(grid, 5, grid.stepY * 2 + 1), null);
  assert.equal(hitTile(grid, -1, 5), null);
});

test("tiles do not overlap, and lie within the size", () => {
  const grid = layTiles({ count: 10, height: 12, width: 20, zoom: 2 }, STAGE);
  const last = cornerOf(grid, 9);
  assert.ok(grid.stepX >= grid.tileWidth && grid.stepY >= grid.tileHeight + grid.below);
  assert.ok(last.y + grid.tileHeight <= grid.totalHeight && grid.totalWidth <= STAGE.width);
});

test("few maps fill the stage, many are just large enough", () => {
  const few = { count: 6, height: 14, width: 14 };
  const grid = layTiles({ ...few, zoom: fitZoom(few, STAGE) }, STAGE);
  assert.ok(grid.totalHeight <= STAGE.height && grid.tileWidth > 120);
  const many = { count: 1280, height: 7, width: 7 };
  const side = 7 * fitZoom(many, STAGE);
  assert.ok(side >= 40 && side <= 64);
  assert.ok(fitZoom({ count: 2, height: 4000, width: 4000 }, STAGE) < 0);
});

test("bands are as wide as the stage allows, and have their names at the left", () => {
  assert.equal(fitBands(100, 640), 6);
  assert.equal(fitBands(5000, 640), -8);
  const grid = layBands({ count: 5, width: 100, zoom: 6, gutter: 40 }, STAGE);
  assert.equal(hitTile(grid, 39, 3), null);
  assert.deepEqual(hitTile(grid, 40 + 6 * 99, grid.stepY * 4 + 1), { place: 4, row: 0, column: 99 });
});

test("bars stand in columns", () => {
  const grid = layBars({ count: 100, named: false }, STAGE);
  assert.equal(grid.columns, 3);
  assert.ok(grid.totalWidth <= STAGE.width);
  assert.equal(hitTile(grid, 1, 1)?.place, 0);
});

test("arrows go to the next channel, and not off the end", () => {
  const grid = layTiles({ count: 10, height: 100, width: 100, zoom: 2 }, STAGE);
  assert.equal(grid.columns, 3);
  const step = (key, from) => stepChannel(key, from, grid, 2);
  assert.deepEqual(
    [step("ArrowRight", 0), step("ArrowDown", 1), step("ArrowUp", 1), step("ArrowDown", 9)],
    [1, 4, 1, 9],
  );
  assert.deepEqual(
    [step("Home", 5), step("End", 5), step("PageDown", 8), step("PageUp", 4), step("x", 4)],
    [0, 9, 9, 0, null],
  );
});

test("positions move along their axis, and stay inside", () => {
  assert.deepEqual(stepPosition("ArrowDown", [0, 3], [2, 4]), [1, 3]);
  assert.deepEqual(stepPosition("ArrowRight", [0, 3], [2, 4]), [0, 3]);
  assert.deepEqual(stepPosition("ArrowLeft", [1, 2, 3], [2, 3, 4]), [1, 2, 2]);
  assert.equal(stepPosition("ArrowUp", [3], [4]), null);
});

/** Paint codes whose pixels are themselves. */
function painted(codes, shape, zoom, at, size, marks = null) {
  const target = { pixels: new Uint32Array(size[0] * size[1]).fill(999), height: size[0], width: size[1] };
  const table = Uint32Array.from({ length: 256 }, (_, code) => code);
  const markPixels = Uint32Array.of(0, 501, 502, 503);
  paintMap(target, at, {
    codes: Uint8Array.from(codes),
    marks,
    offset: 0,
    height: shape[0],
    width: shape[1],
    zoomX: zoom,
    zoomY: zoom,
    table,
    markPixels,
  });
  return Array.from({ length: size[0] }, (_, row) => [...target.pixels.subarray(row * size[1], (row + 1) * size[1])]);
}

test("every value is a square of one colour", () => {
  assert.deepEqual(painted([1, 2, 3, 4], [2, 2], 2, { x: 0, y: 0 }, [4, 5]), [
    [1, 1, 2, 2, 999],
    [1, 1, 2, 2, 999],
    [3, 3, 4, 4, 999],
    [3, 3, 4, 4, 999],
  ]);
});

test("what lies outside is cut off on every side", () => {
  assert.deepEqual(painted([1, 2, 3, 4], [2, 2], 2, { x: -1, y: -1 }, [2, 2]), [
    [1, 2],
    [3, 4],
  ]);
  assert.deepEqual(painted([1, 2, 3, 4], [2, 2], 2, { x: 1, y: 1 }, [2, 2]), [
    [999, 999],
    [999, 1],
  ]);
  assert.deepEqual(painted([1, 2, 3, 4], [2, 2], 1, { x: 5, y: 5 }, [1, 1]), [[999]]);
});

test("below zoom 1 a pixel is a mean, or says that something is not finite", () => {
  assert.deepEqual(painted([0, 2, 10, 4, 6, 20], [2, 3], -2, { x: 0, y: 0 }, [1, 2]), [[3, 15]]);
  const marks = Uint8Array.of(0, 0, 0, 0, 1, 0);
  assert.deepEqual(painted([0, 2, 10, 4, 6, 20], [2, 3], -2, { x: 0, y: 0 }, [1, 2], marks), [[501, 15]]);
  assert.deepEqual(painted([0, 2, 10, 4, 6, 20], [2, 3], 1, { x: 0, y: 0 }, [2, 3], marks), [
    [0, 2, 10],
    [4, 501, 20],
  ]);
});

test("a mean of values that are not finite has the mark of what it is", () => {
  const [nan, up, down] = [1, 2, 3];
  const boxes = [
    [[0, 0, 0, 0], 50],
    [[0, up, 0, up], 502],
    [[down, 0, 0, 0], 503],
    [[up, nan, 0, 0], 501],
    [[up, 0, down, 0], 501],
  ];
  for (const [marks, pixel] of boxes) {
    const found = painted([40, 60, 40, 60], [2, 2], -2, { x: 0, y: 0 }, [1, 1], Uint8Array.from(marks));
    assert.deepEqual(found, [[pixel]], marks.join());
  }
});
