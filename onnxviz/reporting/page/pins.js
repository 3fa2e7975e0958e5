/** Channels side by side: those that were pinned, from any layer, and one channel on every input. */

import { shorten } from "./address.js";
import { paintChannel } from "./channel.js";
import { byId, make } from "./dom.js";
import { formatNumber, formatRange } from "./numbers.js";
import { channelName, valueIn } from "./scene.js";

/**
 * Show the pinned channels.
 * @param {readonly {scene: Scene, place: number, run: string}[]} pinned
 * @param {{open: (pin: number) => void, remove: (pin: number) => void}} act
 */
export function showPins(pinned, act) {
  byId("pins").hidden = !pinned.length;
  byId("pin-list").replaceChildren(
    ...pinned.map(({ scene, place, run }, pin) => {
      const { layer, statistics } = scene;
      const name = `${layer.name}, channel ${channelName(layer, place)}${run ? `, ${run}` : ""}`;
      const open = make("button", {
        class: "tile",
        type: "button",
        "aria-label": `Open ${shorten(name, 300)}`,
      });
      open.append(picture(scene, place, 96));
      open.addEventListener("click", () => act.open(pin));
      const remove = make(
        "button",
        {
          class: "remove",
          type: "button",
          "aria-label": `Unpin ${shorten(name, 300)}`,
        },
        "×",
      );
      remove.addEventListener("click", () => act.remove(pin));
      const title = make("span", { class: "pin-layer" }, make("bdi", {}, shorten(layer.name, 200)));
      title.title = shorten(layer.name, 400);
      const facts = `${shorten(channelName(layer, place), 40)} · ${formatRange(statistics.low[place], statistics.high[place])}`;
      const caption = make("span", { class: "pin-facts" }, run ? `${facts} · ${shorten(run, 40)}` : facts);
      return make("li", {}, open, remove, title, caption);
    }),
  );
}

/**
 * Show one channel on every input, all on one scale.
 * @param {readonly {scene: Scene, run: number, name: string}[]} scenes one a run that has the layer
 * @param {number} place
 * @param {number} shown the run that is shown
 * @param {readonly number[] | null} position
 * @param {(run: number) => void} open
 */
export function showAcross(scenes, place, shown, position, open) {
  byId("across").hidden = scenes.length < 2;
  if (scenes.length < 2) return;
  const low = Math.min(
    ...scenes.map(({ scene }) => scene.statistics.low[place]).filter((value) => !Number.isNaN(value)),
  );
  const high = Math.max(
    ...scenes.map(({ scene }) => scene.statistics.high[place]).filter((value) => !Number.isNaN(value)),
  );
  byId("across-words").textContent = low <= high ? `one scale, ${formatRange(low, high)}` : "no finite value";
  byId("across-list").replaceChildren(
    ...scenes.map(({ scene, run, name }) => {
      const common = low <= high ? onScale(scene, place, low, high) : scene;
      const button = make("button", {
        class: "tile",
        type: "button",
        "aria-pressed": String(run === shown),
        "aria-label": `Show ${shorten(name, 200)}`,
      });
      button.append(scene.layer.form === "vector" ? unitBar(scene, place, low, high) : picture(common, place, 88));
      button.addEventListener("click", () => open(run));
      const there = position && position.every((value, axis) => value < scene.layer.extent[axis]);
      const at = there ? formatNumber(valueIn(scene, place, position).value) : "";
      const value = scene.layer.form === "vector" ? valueIn(scene, place, []).value : scene.statistics.high[place];
      const fact = at ? at : scene.layer.form === "vector" ? formatNumber(value) : `max ${formatNumber(value)}`;
      const title = make("span", { class: "pin-layer" }, make("bdi", {}, shorten(name, 60)));
      return make("li", {}, button, title, make("span", { class: "pin-facts" }, fact));
    }),
  );
}

/**
 * @param {Scene} scene
 * @param {number} place
 * @param {number} side
 */
function picture(scene, place, side) {
  if (scene.layer.form === "vector") {
    const { low, high } = scene.statistics;
    return unitBar(scene, place, Math.min(0, ...low), Math.max(0, ...high));
  }
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas"));
  paintChannel(canvas, scene, place, { width: side, height: side });
  return canvas;
}

/**
 * @param {Scene} scene of a vector
 * @param {number} place
 * @param {number} low
 * @param {number} high
 */
function unitBar(scene, place, low, high) {
  const { value } = valueIn(scene, place, []);
  const [least, most] = [Math.min(0, low), Math.max(0, high)];
  const part = most > least && Number.isFinite(value) ? (value - least) / (most - least) : 0;
  const fill = make("span");
  fill.style.width = `${100 * part}%`;
  return make("span", { class: "bar" }, fill);
}

/**
 * @param {Scene} scene
 * @param {number} place
 * @param {number} low
 * @param {number} high
 * @returns {Scene}
 */
function onScale(scene, place, low, high) {
  const limits = {
    ...scene.limits,
    low: Float64Array.from(scene.limits.low),
    high: Float64Array.from(scene.limits.high),
  };
  limits.low[place] = low;
  limits.high[place] = high;
  return { ...scene, limits, tables: new Map() };
}
