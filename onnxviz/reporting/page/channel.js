/** One channel: enlarged, its histogram, its range, its ranks, and the same channel on other inputs. */

import { THEMES, pixelOf } from "./colour.js";
import { byId, make, makeTarget, pencil, sizeCanvas } from "./dom.js";
import { zoomed } from "./grid.js";
import { paintCorner, paintHatch, paintMap } from "./paint.js";
import { formatNumber, formatRange, plural } from "./numbers.js";
import { ORDER_NAMES, rankOf } from "./order.js";
import { channelName, isFlat, rangeWords, tableOf, tileOf } from "./scene.js";

// How tall a band is, CSS pixels.
const BAND = 40;

/**
 * Paint a channel on a canvas of its own, as large as a square allows.
 *
 * Each value has a whole number of pixels, at least as many as are shown: the browser makes the last step.
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene not of a vector
 * @param {number} place
 * @param {number} side of the square, CSS pixels
 */
export function paintChannel(canvas, scene, place, side) {
  const ratio = devicePixelRatio;
  const { height, width, layer, statistics } = scene;
  const band = layer.form === "band";
  const scale = (side * ratio) / (band ? width : Math.max(height, width));
  const zoom = scale > 1 ? Math.ceil(scale) : -Math.max(1, Math.floor(1 / scale));
  const zoomX = zoom === -1 ? 1 : zoom;
  const zoomY = band ? Math.round(BAND * ratio) : zoomX;
  const box = { x: 0, y: 0, width: zoomed(width, zoomX), height: zoomed(height, zoomY) };
  canvas.width = box.width;
  canvas.height = box.height;
  canvas.style.width = `${Math.round(width * scale) / ratio}px`;
  canvas.style.height = band ? `${BAND}px` : `${Math.max(1, Math.round(height * scale)) / ratio}px`;
  const target = makeTarget(box.width, box.height);
  const look = THEMES[scene.theme];
  if (isFlat(layer, statistics, place)) {
    paintHatch(target, box, { line: pixelOf(look.hatch), back: pixelOf(look.hatchBack), ratio });
  } else paintMap(target, box, tileOf(scene, place, { zoomX, zoomY }));
  if (statistics.nan[place] || statistics.inf[place]) {
    paintCorner(target, { x: box.width, y: 0 }, Math.round(9 * ratio), pixelOf(look.nan));
  }
  pencil(canvas).putImageData(target.image, 0, 0);
}

/**
 * Show a channel in the panel.
 * @param {Scene} scene
 * @param {number} place
 */
export function showChannel(scene, place) {
  const { layer, statistics } = scene;
  const name = channelName(layer, place);
  byId("channel-title").textContent = layer.form === "vector" ? "Unit " : "Channel ";
  byId("channel-title").append(make("bdi", {}, layer.labels ? `${layer.kept[place]}, ${name}` : name));
  const canvas = byId("enlarged");
  canvas.hidden = layer.form === "vector";
  if (layer.form !== "vector") paintChannel(canvas, scene, place, byId("enlarged-box").clientWidth || 300);
  byId("histogram-title").textContent = layer.form === "vector" ? "All units" : "Values";
  paintHistogram(byId("histogram"), scene, place);
  showFacts(scene, place);
  const live = statistics.nan[place] + statistics.inf[place];
  byId("channel-note").textContent = live
    ? `not finite: ${statistics.nan[place]} NaN, ${statistics.inf[place]} infinite`
    : isFlat(layer, statistics, place)
      ? "constant: the same value everywhere"
      : "";
}

/**
 * @param {Scene} scene
 * @param {number} place
 */
function showFacts(scene, place) {
  const { statistics, layer } = scene;
  const count = layer.kept.length;
  /** @type {[string, string][]} */
  const facts = [];
  if (layer.form !== "vector") {
    facts.push(["range", rangeWords(scene, place)]);
    facts.push(["mean", formatNumber(statistics.mean[place])], ["deviation", formatNumber(statistics.std[place])]);
  }
  const orders = layer.form === "vector" ? ["max"] : ["std", "mean", "max"];
  for (const order of orders) {
    const name = layer.form === "vector" ? "value" : ORDER_NAMES[/** @type {"std"} */ (order)];
    facts.push([`rank by ${name}`, `${rankOf(order, statistics, place)} of ${count}`]);
  }
  byId("channel-facts").replaceChildren(
    ...facts.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]),
  );
}

/**
 * Paint how often each value comes, in the colours that the values have.
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {number} place
 */
function paintHistogram(canvas, scene, place) {
  const ratio = devicePixelRatio;
  const bins = 64;
  const { counts, low, high, mark } = histogramOf(scene, place, bins);
  const width = Math.round((canvas.parentElement?.clientWidth || 300) * ratio);
  const height = Math.round(56 * ratio);
  sizeCanvas(canvas, width, height);
  const context = pencil(canvas);
  const look = THEMES[scene.theme];
  const most = Math.max(1, ...counts);
  const table = scene.values.codes ? tableOf(scene, place) : null;
  for (let bin = 0; bin < bins; bin++) {
    const left = Math.round((bin * width) / bins);
    const right = Math.round(((bin + 1) * width) / bins);
    // The square root, since a map that is mostly zero would otherwise be one line.
    const tall = counts[bin] ? Math.max(ratio, Math.sqrt(counts[bin] / most) * (height - ratio)) : 0;
    context.fillStyle = table ? colourOf(table[Math.floor(((bin + 0.5) * 256) / bins)]) : `#${look.bar}`;
    context.fillRect(left, height - tall, right - left - (width / bins > 3 * ratio ? ratio : 0), tall);
  }
  context.fillStyle = `#${look.rule}`;
  context.fillRect(0, height - ratio, width, ratio);
  if (mark !== null) {
    context.fillStyle = `#${look.ink}`;
    context.fillRect(Math.round(mark * (width - 2 * ratio)), 0, 2 * ratio, height);
  }
  byId("histogram-low").textContent = Number.isNaN(low) ? "" : formatNumber(low);
  byId("histogram-high").textContent = Number.isNaN(low) ? "no finite value" : formatNumber(high);
  canvas.setAttribute(
    "aria-label",
    `histogram of ${plural(
      counts.reduce((sum, count) => sum + count, 0),
      "value",
    )}, ${formatRange(low, high)}`,
  );
}

/**
 * Count values, of a channel or, for a vector, of all its units.
 * @param {Scene} scene
 * @param {number} place
 * @param {number} bins
 * @returns {{counts: number[], low: number, high: number, mark: number | null}} mark: where the unit lies, 0..1
 */
export function histogramOf(scene, place, bins) {
  const { values, statistics, size } = scene;
  const counts = /** @type {number[]} */ (Array(bins).fill(0));
  if (values.floats) {
    const finite = Array.from(values.floats).filter(Number.isFinite);
    const low = finite.length ? finite.reduce((least, value) => Math.min(least, value)) : NaN;
    const high = finite.length ? finite.reduce((most, value) => Math.max(most, value)) : NaN;
    const part = (/** @type {number} */ value) => (high > low ? (value - low) / (high - low) : 0.5);
    for (const value of finite) counts[Math.min(bins - 1, Math.floor(part(value) * bins))]++;
    const own = values.floats[place];
    return { counts, low, high, mark: Number.isFinite(own) ? part(own) : null };
  }
  const codes = /** @type {Uint8Array} */ (values.codes);
  for (let at = place * size; at < (place + 1) * size; at++) {
    if (!values.marks || !values.marks[at]) counts[Math.floor((codes[at] * bins) / 256)]++;
  }
  return {
    counts,
    low: statistics.low[place],
    high: statistics.high[place],
    mark: null,
  };
}

/**
 * @param {number} pixel
 * @returns {string}
 */
export function colourOf(pixel) {
  return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
}
