/** The text on the stage: names and ranges of channels, and the bars of a vector. */

import { cornerOf } from "./grid.js";
import { formatNumber } from "./numbers.js";
import { layerRange } from "./scale.js";
import { channelName, channelGroup, isFlat, rangeWords } from "./scene.js";
import { shownPlaces } from "./tiles.js";

/** The fonts of the page, for canvases too. */
export const FONTS =
  '"Inter", ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif';

/**
 * Draw the text of the tiles that lie in the view.
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {View} view
 */
export function drawLabels(context, scene, grid, view) {
  const { form } = scene.layer;
  context.font = `${11 * view.ratio}px ${FONTS}`;
  context.textBaseline = "alphabetic";
  const draw = form === "vector" ? drawBars : form === "band" ? drawBandNames : drawTileNames;
  draw(context, scene, grid, view, shownPlaces(grid, view, context.canvas.height));
}

/**
 * Cut text to a width, with an ellipsis.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} width
 */
export function fitText(context, text, width) {
  // Names come from models and may be very long; no more than a few hundred characters can fit.
  let kept = text.length > 300 ? text.slice(0, 300) + "…" : text;
  if (context.measureText(kept).width <= width) return kept;
  let [least, most] = [0, kept.length];
  while (least < most) {
    const middle = (least + most + 1) >> 1;
    if (context.measureText(kept.slice(0, middle) + "…").width <= width) least = middle;
    else most = middle - 1;
  }
  kept = kept.slice(0, least).trimEnd();
  return kept ? kept + "…" : "";
}

/** @type {Drawer} */
function drawTileNames(context, scene, grid, view, places) {
  if (!grid.labelled) return;
  const { theme } = scene;
  const px = (/** @type {number} */ css) => Math.round(css * view.ratio);
  const ranges = rangesFit(context, scene, grid, view);
  for (const shown of places) {
    const place = scene.channels[shown];
    const corner = cornerOf(grid, shown);
    const [x, y] = [corner.x - view.left, corner.y - view.top + grid.tileHeight + px(17)];
    const flat = isFlat(scene.layer, scene.statistics, place);
    const range = ranges ? rangeWords(scene, place) : "";
    const room = grid.tileWidth - (ranges ? context.measureText(range).width + px(8) : 0);
    context.fillStyle = `#${flat ? theme.muted : theme.ink}`;
    context.textAlign = "left";
    const within = channelGroup(scene.layer, place);
    const name = channelName(scene.layer, place) + (within ? ` · G${within.group}` : "");
    context.fillText(fitText(context, name, room), x, y);
    if (!ranges) continue;
    context.fillStyle = `#${theme.muted}`;
    context.textAlign = "right";
    context.fillText(range, x + grid.tileWidth, y);
  }
}

/**
 * Return whether names and ranges fit under every tile; ranges under only some of them would look broken.
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {View} view
 */
function rangesFit(context, scene, grid, view) {
  if (grid.tileWidth < 76 * view.ratio) return false;
  let longest = "";
  for (const place of scene.channels) {
    const text = rangeWords(scene, place);
    if (text.length > longest.length) longest = text;
  }
  const name = scene.layer.labels ? "0".repeat(12) : String(scene.layer.channels);
  return context.measureText(longest + name).width + 14 * view.ratio <= grid.tileWidth;
}

/** @type {Drawer} */
function drawBandNames(context, scene, grid, view, places) {
  const { theme } = scene;
  const px = (/** @type {number} */ css) => Math.round(css * view.ratio);
  context.clearRect(0, 0, Math.max(0, grid.gutter - px(2)), context.canvas.height);
  const step = Math.max(1, Math.ceil(px(13) / grid.stepY));
  context.textAlign = "right";
  for (const shown of places) {
    if (shown % step) continue;
    const place = scene.channels[shown];
    const y = cornerOf(grid, shown).y - view.top + grid.tileHeight / 2 + px(4);
    context.fillStyle = `#${isFlat(scene.layer, scene.statistics, place) ? theme.muted : theme.ink}`;
    const name = fitText(context, channelName(scene.layer, place), grid.gutter - px(12));
    context.fillText(name, grid.gutter - px(8), y);
  }
  drawGroups(context, scene, grid, view, places);
}

/**
 * Name each group of bands where it begins, with a line above all but the first; not of bands in another order.
 * @type {Drawer}
 */
function drawGroups(context, scene, grid, view, places) {
  if (scene.order !== "index") return;
  const px = (/** @type {number} */ css) => Math.round(css * view.ratio);
  context.textAlign = "left";
  for (const shown of places) {
    const within = channelGroup(scene.layer, scene.channels[shown]);
    const before = shown ? channelGroup(scene.layer, scene.channels[shown - 1]) : null;
    if (!within || within.group === before?.group) continue;
    const y = cornerOf(grid, shown).y - view.top;
    context.fillStyle = `#${scene.theme.ink}`;
    context.fillText(`G${within.group}`, 0, y + px(11));
    context.fillStyle = `#${scene.theme.strong}`;
    if (shown) context.fillRect(0, y - px(2), grid.totalWidth, px(2));
  }
}

/** @type {Drawer} */
function drawBars(context, scene, grid, view, places) {
  const { theme } = scene;
  const px = (/** @type {number} */ css) => Math.round(css * view.ratio);
  const floats = /** @type {Float32Array} */ (scene.values.floats);
  const [low, high] = layerRange(scene.statistics);
  const least = Math.min(0, Number.isNaN(low) ? 0 : low);
  const most = Math.max(0, Number.isNaN(high) ? 1 : high, least + Number.MIN_VALUE);
  const name = scene.layer.labels ? Math.round(grid.tileWidth * 0.36) : px(40);
  const number = px(56);
  const room = grid.tileWidth - name - number - px(10);
  const across = (/** @type {number} */ value) => Math.round(((value - least) / (most - least)) * room);
  context.font = `${12 * view.ratio}px ${FONTS}`;
  for (const shown of places) {
    const place = scene.channels[shown];
    const corner = cornerOf(grid, shown);
    const [x, y] = [corner.x - view.left, corner.y - view.top];
    const value = floats[place];
    const base = y + px(14);
    context.textAlign = "left";
    context.fillStyle = `#${theme.ink}`;
    context.fillText(fitText(context, channelName(scene.layer, place), name - px(10)), x, base);
    context.fillStyle = `#${theme.rule}`;
    context.fillRect(x + name, y + px(5), room, px(10));
    const [from, to] = [across(Math.min(0, value)), across(Math.max(0, value))];
    context.fillStyle = `#${theme.bar}`;
    if (Number.isFinite(value)) context.fillRect(x + name + from, y + px(5), to - from, px(10));
    context.textAlign = "right";
    const infinite = value > 0 ? theme.positive_infinity : theme.negative_infinity;
    const sign = Number.isNaN(value) ? theme.nan : infinite;
    context.fillStyle = `#${Number.isFinite(value) ? (value ? theme.ink : theme.muted) : sign}`;
    context.fillText(formatNumber(value), x + grid.tileWidth, base);
  }
}
