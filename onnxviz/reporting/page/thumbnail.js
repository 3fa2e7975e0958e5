/** A channel as a small picture with its name below. */

import { shorten } from "./address.js";
import { paintChannel } from "./channel.js";
import { make } from "./dom.js";
import { valueIn } from "./scene.js";

// As the tiles of both lists are wide, CSS pixels.
const SIDE = 88;

/**
 * Draw a channel, or a unit of a vector as a bar from 0, on the scale that it has.
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
 * Write a name in one line that loses its beginning, not its end, where it is too long.
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
