/** The pixels of the stage: maps, the bars of their ranges, hatching and marks. */

import { colourPlace, pixelOf } from "./colour.js";
import { besideBoxes, cornerOf } from "./grid.js";
import { paintBox, paintCorner, paintHatch, paintMap } from "./paint.js";
import { layerRange } from "./scale.js";
import { besidesIn, isFlat, tileOf } from "./scene.js";

/**
 * Paint the tiles that lie in the view.
 * @param {Target} target
 * @param {Scene} scene not of a vector
 * @param {Grid} grid
 * @param {View} view
 */
export function paintTiles(target, scene, grid, view) {
  const range = layerRange(scene.statistics);
  for (const shown of shownPlaces(grid, view, target.height)) {
    const corner = cornerOf(grid, shown);
    paintTile(target, scene, grid, {
      shown,
      x: corner.x - view.left,
      y: corner.y - view.top,
      ratio: view.ratio,
      range,
    });
  }
}

/**
 * Return the tiles that lie at least partly in the view, as their places in the order shown.
 * @param {Grid} grid
 * @param {View} view
 * @param {number} height
 * @returns {number[]}
 */
export function shownPlaces(grid, view, height) {
  const first = Math.max(0, Math.floor(view.top / grid.stepY)) * grid.columns;
  const last = Math.min(grid.count, (Math.floor((view.top + height) / grid.stepY) + 1) * grid.columns);
  return Array.from({ length: Math.max(0, last - first) }, (_, place) => first + place);
}

/**
 * @param {Target} target
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {{shown: number, x: number, y: number, ratio: number, range: [number, number]}} at
 */
function paintTile(target, scene, grid, at) {
  const { statistics, layer } = scene;
  const place = scene.channels[at.shown];
  const { theme } = scene;
  const box = {
    x: at.x,
    y: at.y,
    width: grid.tileWidth,
    height: grid.tileHeight,
  };
  if (at.x >= target.width || at.x + grid.tileWidth < 0) return;
  if (isFlat(layer, statistics, place)) {
    paintHatch(target, box, {
      line: pixelOf(theme.hatch_line),
      back: pixelOf(theme.hatch_back),
      ratio: at.ratio,
    });
  } else {
    const zoomY = layer.form === "band" ? grid.tileHeight : grid.zoom;
    paintMap(target, at, tileOf(scene, place, { zoomX: grid.zoom, zoomY }));
  }
  if (statistics.nan[place] || statistics.inf[place]) {
    const side = Math.max(2, Math.min(Math.round(9 * at.ratio), grid.tileHeight >> 1));
    const pixel = scene.markPixels[firstMark(scene, place)];
    paintCorner(target, { x: at.x + grid.tileWidth, y: at.y }, side, pixel);
  }
  for (const { colour, ...beside } of coloursBeside(scene, grid, at, place)) paintBox(target, beside, colour);
  if (grid.barred) paintRange(target, scene, grid, at, place);
}

/**
 * Return the boxes of the values at the left of a tile with the pixel of each, on the channel's scale.
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {{x: number, y: number}} corner of the tile
 * @param {number} place
 */
export function coloursBeside(scene, grid, corner, place) {
  const { limits, pixels, markPixels, gamma } = scene;
  const values = besidesIn(scene, place);
  const [low, high] = [limits.low[place], limits.high[place]];
  return besideBoxes(grid, corner, values.length).map((box, at) => {
    const value = values[at];
    const mark = Number.isNaN(value) ? 1 : value > 0 ? 2 : 3;
    const colour = Number.isFinite(value) ? pixels[colourPlace(value, low, high, gamma)] : markPixels[mark];
    return { ...box, colour };
  });
}

/**
 * Return the mark of a channel's values that are not finite: NaN before infinity before minus infinity.
 * @param {Scene} scene
 * @param {number} place
 */
export function firstMark({ values, size }, place) {
  const marks = /** @type {Uint8Array} */ (values.marks).subarray(place * size, (place + 1) * size);
  return [1, 2].find((mark) => marks.includes(mark)) ?? 3;
}

/**
 * Paint a channel's range within the layer's: on scales of their own, faint and strong channels look alike.
 * @param {Target} target
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {{x: number, y: number, ratio: number, range: [number, number]}} at
 * @param {number} place
 */
function paintRange(target, scene, grid, at, place) {
  for (const { colour, ...box } of rangeBars(scene, grid, at, place)) paintBox(target, box, pixelOf(colour));
}

/**
 * Return the bars that show a channel's range within the layer's.
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {{x: number, y: number, ratio: number, range: [number, number]}} at
 * @param {number} place
 */
export function rangeBars(scene, grid, at, place) {
  const { theme } = scene;
  const [low, high] = at.range;
  const thick = Math.max(1, Math.round(2 * at.ratio));
  const y = at.y + grid.tileHeight + thick;
  const whole = { x: at.x, y, width: grid.tileWidth, height: thick, colour: theme.rule };
  const [least, most] = [scene.statistics.low[place], scene.statistics.high[place]];
  if (Number.isNaN(least) || !(high > low)) return [whole];
  const start = Math.round(((least - low) / (high - low)) * grid.tileWidth);
  const end = Math.round(((most - low) / (high - low)) * grid.tileWidth);
  const width = Math.max(1, end - start);
  const x = at.x + Math.min(start, grid.tileWidth - width);
  return [whole, { ...whole, x, width, colour: theme.strong }];
}
