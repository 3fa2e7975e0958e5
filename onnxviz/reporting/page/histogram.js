/** The histogram of a channel. */

import { cssOf } from "./colour.js";
import { byId, pencil, sizeCanvas } from "./dom.js";
import { formatNumber, formatRange, plural } from "./numbers.js";
import { tableOf } from "./scene.js";

/**
 * Paint the histogram of a channel, its bars in the colours of their values.
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {number} place
 */
export function paintHistogram(canvas, scene, place) {
  const ratio = devicePixelRatio;
  const bins = 64;
  const { counts, low, high, mark } = histogramOf(scene, place, bins);
  const width = Math.round((canvas.parentElement?.clientWidth || 300) * ratio);
  const height = Math.round(56 * ratio);
  sizeCanvas(canvas, width, height);
  const context = pencil(canvas);
  const { theme } = scene;
  const most = Math.max(1, ...counts);
  const table = scene.values.codes ? tableOf(scene, place) : null;
  for (let bin = 0; bin < bins; bin++) {
    const left = Math.round((bin * width) / bins);
    const right = Math.round(((bin + 1) * width) / bins);
    // The square root, because the histogram of a map that is mostly zero would otherwise be one line.
    const tall = counts[bin] ? Math.max(ratio, Math.sqrt(counts[bin] / most) * (height - ratio)) : 0;
    context.fillStyle = table ? cssOf(table[Math.floor(((bin + 0.5) * 256) / bins)]) : `#${theme.bar}`;
    context.fillRect(left, height - tall, right - left - (width / bins > 3 * ratio ? ratio : 0), tall);
  }
  context.fillStyle = `#${theme.rule}`;
  context.fillRect(0, height - ratio, width, ratio);
  if (mark !== null) {
    context.fillStyle = `#${theme.ink}`;
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
