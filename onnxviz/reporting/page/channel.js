/** One channel: enlarged, with its histogram, its range and its ranks. */

import { pixelOf } from "./colour.js";
import { byId, make, makeTarget, pencil } from "./dom.js";
import { zoomed } from "./grid.js";
import { paintHistogram } from "./histogram.js";
import { paintCorner, paintHatch, paintMap } from "./paint.js";
import { formatNumber } from "./numbers.js";
import { ORDER_NAMES, rankOf } from "./order.js";
import { channelWords } from "./readout.js";
import { besidesIn, isFlat, rangeWords, tileOf } from "./scene.js";
import { capital } from "./steps.js";
import { showStrongest } from "./strongest.js";

// How tall a band is, CSS pixels.
const BAND = 40;

/**
 * Paint a channel on a canvas of its own, as large as fits in a square.
 *
 * Each value takes a whole number of the canvas's pixels, at least as many as on the screen; the browser scales down.
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
  const { theme } = scene;
  if (isFlat(layer, statistics, place)) {
    paintHatch(target, box, { line: pixelOf(theme.hatch_line), back: pixelOf(theme.hatch_back), ratio });
  } else paintMap(target, box, tileOf(scene, place, { zoomX, zoomY }));
  if (statistics.nan[place] || statistics.inf[place]) {
    paintCorner(target, { x: box.width, y: 0 }, Math.round(9 * ratio), pixelOf(theme.nan));
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
  const words = channelWords(layer, place);
  const steps = layer.form === "vector" && !layer.labels ? layer.steps : undefined;
  byId("channel-title").textContent = steps ? "" : layer.form === "vector" ? "Unit " : "Channel ";
  byId("channel-title").append(make("bdi", {}, steps ? capital(words) : words));
  const canvas = byId("enlarged");
  canvas.hidden = layer.form === "vector";
  if (layer.form !== "vector") paintChannel(canvas, scene, place, byId("enlarged-box").clientWidth || 300);
  byId("histogram-title").textContent = steps ? `All ${steps.noun}s` : layer.form === "vector" ? "All units" : "Values";
  paintHistogram(byId("histogram"), scene, place);
  showFacts(scene, place);
  showStrongest(layer, place);
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
  const besides = besidesIn(scene, place);
  if (besides.length) facts.push(["at its left", besides.map((value) => formatNumber(value)).join(", ")]);
  const orders = layer.form === "vector" ? ["max"] : ["deviation", "mean", "max"];
  for (const order of orders) {
    const name = layer.form === "vector" ? "value" : ORDER_NAMES[/** @type {"deviation"} */ (order)];
    facts.push([`rank by ${name}`, `${rankOf(order, statistics, place)} of ${count}`]);
  }
  byId("channel-facts").replaceChildren(
    ...facts.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]),
  );
}
