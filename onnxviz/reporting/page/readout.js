/** The readout: what the page knows of the position under the pointer, in words. */

import { byId } from "./dom.js";
import { fieldWindow, fieldWords } from "./field.js";
import { formatNumber, plural } from "./numbers.js";
import { channelName, channelGroup, valueIn } from "./scene.js";
import { placeWords } from "./steps.js";

const AXIS_NAMES = ["slice", "row", "column"];

/**
 * Return a value with only as many digits as the page knows, and with its error.
 * @param {number} value
 * @param {number} error
 * @returns {string}
 */
export function formatValue(value, error) {
  if (!(error > 0) || !Number.isFinite(value)) return formatNumber(value, 7);
  const digits = Math.ceil(Math.log10(Math.max(Math.abs(value), error) / error)) + 1;
  return `${formatNumber(value, Math.max(2, Math.min(9, digits)))} ± ${formatNumber(error, 2)}`;
}

/**
 * Return a position in words, with the words of its tokens; on halved maps, the range of positions that it stands for.
 * @param {Layer} layer
 * @param {readonly number[]} position stored
 * @param {{[count: string]: string[]}} [tokens] the words or ids of the run, by how many there are
 * @returns {string}
 */
export function positionWords(layer, position, tokens = {}) {
  const names = AXIS_NAMES.slice(AXIS_NAMES.length - position.length);
  if (layer.steps) names[0] = layer.steps.noun;
  const first = layer.steps?.first ?? 0;
  const words = (/** @type {number} */ at, /** @type {number} */ axis) =>
    layer.halved || !/[TL]/.test(layer.layout ?? "") ? undefined : tokens[layer.extent[axis]]?.[at];
  return position
    .map((at, axis) => {
      const word = words(at, axis);
      return `${names[axis]} ${placeWords(layer, at, axis ? 0 : first)}${word === undefined ? "" : ` “${word}”`}`;
    })
    .join(", ");
}

/**
 * Return a channel in words: its index and its name, the group in which it lies, or its step.
 * @param {Layer} layer
 * @param {number} place
 */
export function channelWords(layer, place) {
  const channel = layer.kept[place];
  const name = channelName(layer, place);
  if (layer.labels) return layer.drawing === "attention" ? name : `${channel}, ${name}`;
  if (layer.form === "vector" && layer.steps) return `${layer.steps.noun} ${name}`;
  const within = channelGroup(layer, place);
  return within ? `${channel}, ${within.channel} of group ${within.group}` : name;
}

/**
 * Return all that the readout shows of a spot.
 * @param {Scene} scene
 * @param {Spot} spot
 * @returns {{channel: string, position: string, value: string, number: number, field: string, pixels: string}}
 */
export function describeSpot(scene, spot) {
  const { layer } = scene;
  const { value, error } = valueIn(scene, spot.place, spot.position);
  const window = fieldWindow(layer, spot.position);
  const field = fieldWords(layer.receptive_field, window, Boolean(layer.tokens));
  return {
    channel: channelWords(layer, spot.place),
    position: positionWords(layer, spot.position, scene.tokens),
    value: formatValue(value, error) + (layer.halved ? `, mean of ${plural(4 ** layer.halved, "position")}` : ""),
    number: value,
    field,
    pixels: window ? windowWords(window) : "",
  };
}

/**
 * Return the pixels of a window in words, before it is clipped to the picture.
 * @param {{start: number[], size: number[]}} window
 */
export function windowWords(window) {
  const names = ["depth", "rows", "columns"].slice(3 - window.start.length);
  return window.start
    .map((from, axis) => `${names[axis]} ${formatNumber(from, 6)}…${formatNumber(from + window.size[axis] - 1, 6)}`)
    .join(", ");
}

/**
 * Write the readout.
 * @param {Scene} scene
 * @param {Spot | null} spot
 */
export function showReadout(scene, spot) {
  const words = spot ? describeSpot(scene, spot) : null;
  byId("reading").classList.toggle("empty", !spot);
  byId("read-channel").textContent = words?.channel ?? "";
  byId("read-position").textContent = words ? words.position || "one value" : "";
  byId("read-value").textContent = words?.value ?? "";
  // The number in full, for programs that read the page.
  byId("read-value").dataset.value = words ? String(words.number) : "";
  byId("read-field").textContent = words?.field ?? "";
  byId("read-pixels").textContent = words?.pixels ?? "";
}

/**
 * Describe a spot in one sentence, for those who use a screen reader.
 * @param {Scene} scene
 * @param {Spot} spot
 */
export function speakSpot(scene, spot) {
  const words = describeSpot(scene, spot);
  byId("speech").textContent =
    `channel ${words.channel}${words.position ? `, ${words.position}` : ""}: ${words.value}; sees ${words.field}`;
}
