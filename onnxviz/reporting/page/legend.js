/** The legend: the colours, their ends, and the scale in words. */

import { byId, make, pencil } from "./dom.js";
import { formatNumber, formatRange } from "./numbers.js";
import { orderWords } from "./order.js";
import { layerRange } from "./scale.js";
import { isFlat } from "./scene.js";

/**
 * Return the text of the legend: the ends of the colours, the scale in words, the zoom.
 * @param {Scene} scene
 * @param {Grid} grid
 * @returns {{low: string, high: string, words: string[], zoom: string}}
 */
export function legendWords(scene, grid) {
  const { limits, scale, statistics, layer } = scene;
  const words = [];
  const [low, high] = scale.ends ?? [formatNumber(limits.low[0] ?? 0), formatNumber(limits.high[0] ?? 1)];
  if (layer.form === "vector") words.push(`range ${formatRange(...layerRange(statistics))}`, "bars from 0");
  else {
    words.push(scale.words);
    words.push(`all channels ${formatRange(...layerRange(statistics))}`);
  }
  if (scene.gamma !== 1) words.push(`gamma ${scene.gamma}`);
  const order = orderWords(scene.order);
  if (order) words.push(order);
  return { low, high, words, zoom: layer.form === "vector" ? "" : zoomWords(grid, layer.form === "band") };
}

/**
 * Return in words how large a value is drawn.
 * @param {Grid} grid
 * @param {boolean} band
 */
export function zoomWords(grid, band) {
  const { zoom } = grid;
  if (band) return zoom > 0 ? `each value ${zoom} px wide` : `each pixel the mean of ${-zoom} values`;
  if (zoom === 1) return "1 : 1";
  return zoom > 0 ? `each value ${zoom} × ${zoom} px` : `each pixel the mean of ${-zoom} × ${-zoom} values`;
}

/**
 * Show the legend.
 * @param {Scene} scene
 * @param {Grid} grid
 */
export function showLegend(scene, grid) {
  const said = legendWords(scene, grid);
  byId("legend-colours").hidden = scene.layer.form === "vector";
  paintBar(byId("legend-bar"), scene);
  byId("legend-low").textContent = said.low;
  byId("legend-high").textContent = said.high;
  // That values are enlarged can be seen; that they are averaged must be said.
  const words = grid.zoom < 0 ? [...said.words, said.zoom] : said.words;
  byId("scale-words").textContent = words.join(" · ");
  byId("legend-marks").replaceChildren(...swatches(scene, grid));
}

/**
 * Show the zoom.
 * @param {Scene} scene
 * @param {Grid} grid
 */
export function showZoom(scene, { zoom }) {
  const words = zoom > 0 ? `${zoom} : 1` : `1 : ${-zoom}`;
  byId("zoom-words").textContent = scene.layer.form === "vector" ? "" : words;
}

/**
 * @param {Scene} scene
 * @param {Grid} grid
 * @returns {HTMLElement[]}
 */
function swatches(scene, grid) {
  const { statistics, layer } = scene;
  if (layer.form === "vector") return [];
  const found = [];
  const some = (/** @type {readonly number[]} */ counts) => counts.some((count) => count > 0);
  if (grid.barred) found.push(["range", "range within the layer's"]);
  if (layer.kept.some((_, place) => isFlat(layer, statistics, place))) found.push(["hatched", "constant"]);
  if (some(statistics.nan)) found.push(["nan", "NaN"]);
  if (some(statistics.inf)) found.push(["plus", "+inf"], ["minus", "−inf"]);
  return found.map(([kind, text]) => make("span", { class: "mark" }, make("span", { class: `swatch ${kind}` }), text));
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 */
function paintBar(canvas, scene) {
  canvas.width = 256;
  canvas.height = 1;
  const image = new ImageData(256, 1);
  new Uint32Array(image.data.buffer).set(scene.pixels.subarray(0, 256));
  pencil(canvas).putImageData(image, 0, 0);
}
