/** The input picture: the field of a position is framed, the rest dimmed, and a channel may be laid over it. */

import { shorten } from "./address.js";
import { byId, make, makeTarget, pencil } from "./dom.js";
import { clipWindow, fieldWindow, placeOnPicture } from "./field.js";
import { formatNumber } from "./numbers.js";
import { paintMap } from "./paint.js";
import { tileOf } from "./scene.js";

const TALLEST = 320;

/**
 * Show the picture of a run, or that its input is not a picture.
 * @param {Run} run
 */
export function showPicture(run) {
  const picture = run.picture;
  byId("picture").hidden = !picture;
  byId("no-picture").hidden = Boolean(picture);
  byId("no-picture").textContent = picture ? "" : "This input is not a picture.";
  const facts = run.fed.map((fed) => `${fed.name} ${fed.shape.join(" × ")}`);
  byId("input-facts").textContent = picture ? `${picture.height} × ${picture.width} px as fed` : facts.join(", ");
  byId("said").hidden = !run.classes.length;
  byId("classes").replaceChildren(
    ...run.classes.flatMap(({ name, value }) => [
      make("dt", {}, make("bdi", {}, shorten(name, 80))),
      make("dd", {}, value === null ? "–" : formatNumber(value)),
    ]),
  );
  if (!picture) return;
  byId("input-image").src = picture.uri;
  // A signal of a few rows would be a mere line, and a tall picture would push everything else away.
  const ratio = picture.width / Math.max(picture.height, picture.width / 6);
  byId("picture").style.aspectRatio = String(ratio);
  byId("picture").style.maxWidth = `${Math.round(TALLEST * ratio)}px`;
}

/**
 * Frame the receptive field of a position.
 * @param {Scene} scene
 * @param {Picture | null} picture
 * @param {Spot | null} spot
 */
export function showField(scene, picture, spot) {
  const { layer } = scene;
  const window = picture && spot ? fieldWindow(layer, spot.position) : null;
  placeWindow(byId("field"), picture, window);
}

/**
 * Put a frame around a window of a picture; the frame's shadow dims the rest.
 * @param {HTMLElement} element
 * @param {Picture | null} picture
 * @param {{start: number[], size: number[]} | null} window
 */
export function placeWindow(element, picture, window) {
  const box = picture && window ? clipWindow(window, picture) : null;
  element.hidden = !box;
  if (!box || !picture) return;
  const percent = (/** @type {number} */ value, /** @type {number} */ whole) => `${(100 * value) / whole}%`;
  element.style.left = percent(box.left, picture.width);
  element.style.top = percent(box.top, picture.height);
  element.style.width = percent(box.right - box.left, picture.width);
  element.style.height = percent(box.bottom - box.top, picture.height);
}

/**
 * Return which of the two strengths of the overlay is a layer's: heat maps have their own.
 * @param {Layer} layer
 * @returns {"heat" | "overlay"}
 */
export function overlayOf(layer) {
  return layer.explains ? "heat" : "overlay";
}

/**
 * Lay a channel over the picture, each position over the middle of its field.
 * @param {Scene} scene
 * @param {Picture | null} picture
 * @param {number | null} place
 * @param {number} opacity 0 hides it
 * @returns {string} how it lies, in words
 */
export function showOverlay(scene, picture, place, opacity) {
  const canvas = byId("overlay");
  const shown = picture && place !== null && opacity > 0 && scene.height > 1 && scene.layer.form !== "vector";
  canvas.hidden = !shown;
  byId("picture").classList.toggle("overlaid", Boolean(shown));
  if (!shown) return "";
  paintValues(canvas, scene, place);
  const { layer } = scene;
  const lies = placeOnPicture(layer, picture);
  canvas.style.left = `${(100 * lies.left) / picture.width}%`;
  canvas.style.top = `${(100 * lies.top) / picture.height}%`;
  canvas.style.width = `${(100 * lies.width) / picture.width}%`;
  canvas.style.height = `${(100 * lies.height) / picture.height}%`;
  canvas.style.opacity = String(opacity);
  return lies.exact
    ? "each position over the middle of what it sees"
    : "stretched over the picture: where positions lie is not exact";
}

/**
 * Return the input under a heat map, as strongly as a layer's begins.
 * @param {Scene} scene
 * @param {number} place
 * @param {Picture} picture
 */
export function heatOver(scene, place, picture) {
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas"));
  paintValues(canvas, scene, place);
  return make("span", { class: "heat" }, make("img", { src: picture.uri, alt: "" }), canvas);
}

/**
 * Paint a channel with a pixel for each value; the browser makes it larger, smoothly.
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {number} place
 */
function paintValues(canvas, scene, place) {
  const { height, width } = scene;
  const target = makeTarget(width, height);
  paintMap(target, { x: 0, y: 0 }, tileOf(scene, place, { zoomX: 1, zoomY: 1 }));
  canvas.width = width;
  canvas.height = height;
  pencil(canvas).putImageData(target.image, 0, 0);
}
