/** A channel as a small picture with its name below. */

import { shorten } from "./address.js";
import { paintChannel } from "./channel.js";
import { make } from "./dom.js";
import { valueIn } from "./scene.js";

// The width of the tiles in both lists, CSS pixels.
const SIDE = 88;

/**
 * Draw a channel on its scale, or a unit of a vector as a bar from 0.
 * @param {Scene} scene
 * @param {number} place
 * @returns {HTMLElement}
 */
export function thumbnail(scene, place) {
  if (scene.layer.form === "vector") return unitBar(scene, place);
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas"));
  paintChannel(canvas, scene, place, SIDE);
  return canvas;
}

/**
 * Return a name on one line; if it is too long, its beginning is hidden, not its end.
 * @param {string} name
 */
export function nameLine(name) {
  return make("span", { class: "tile-name", title: shorten(name, 400) }, make("bdi", {}, shorten(name, 200)));
}

/**
 * @param {Scene} scene of a vector
 * @param {number} place
 */
function unitBar(scene, place) {
  const { value } = valueIn(scene, place, []);
  const least = Math.min(0, scene.limits.low[place]);
  const most = Math.max(0, scene.limits.high[place]);
  const part = (/** @type {number} */ at) => (most > least ? (100 * (at - least)) / (most - least) : 0);
  const end = Number.isFinite(value) ? value : 0;
  const fill = make("span");
  fill.style.marginLeft = `${part(Math.min(0, end))}%`;
  fill.style.width = `${part(Math.max(0, end)) - part(Math.min(0, end))}%`;
  return make("span", { class: "bar" }, fill);
}
