/** The stage as a PNG file, with its caption. */

import { shorten } from "./address.js";
import { cssOf } from "./colour.js";
import { pencil } from "./dom.js";
import { FONTS, fitText } from "./labels.js";
import { legendWords } from "./legend.js";

/**
 * Return how much room the caption takes, in pixels of the screen.
 * @param {Scene} scene
 * @param {number} ratio
 */
export function captionTop(scene, ratio) {
  return Math.round((scene.layer.form === "vector" ? 84 : 112) * ratio);
}

/**
 * Return a canvas with the caption and, below it, the stage.
 * @param {HTMLCanvasElement} stage
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {{title: string, facts: string}} words
 * @returns {HTMLCanvasElement}
 */
export function captioned(stage, scene, grid, words) {
  const ratio = devicePixelRatio;
  const canvas = document.createElement("canvas");
  const margin = Math.round(24 * ratio);
  const top = captionTop(scene, ratio);
  canvas.width = Math.max(stage.width, Math.round(420 * ratio)) + 2 * margin;
  canvas.height = stage.height + top + margin;
  const context = pencil(canvas);
  context.fillStyle = `#${scene.theme.background}`;
  context.fillRect(0, 0, canvas.width, canvas.height);
  writeCaption(context, { margin, room: canvas.width - 2 * margin, ratio }, scene, grid, words);
  context.drawImage(stage, margin, top);
  return canvas;
}

/**
 * Write the caption at the top.
 * @param {CanvasRenderingContext2D} context
 * @param {{margin: number, room: number, ratio: number}} place
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {{title: string, facts: string}} words
 */
export function writeCaption(context, { margin, room, ratio }, scene, grid, words) {
  const px = (/** @type {number} */ css) => Math.round(css * ratio);
  const { theme } = scene;
  const line = (
    /** @type {string} */ text,
    /** @type {number} */ y,
    /** @type {string} */ font,
    /** @type {string} */ colour,
  ) => {
    context.font = font;
    context.fillStyle = `#${colour}`;
    context.fillText(fitText(context, text, room), margin, px(y));
  };
  const said = legendWords(scene, grid);
  line(words.title, 36, `600 ${px(18)}px ${FONTS}`, theme.ink);
  line(words.facts, 55, `${px(12)}px ${FONTS}`, theme.muted);
  line([...said.words, said.zoom].filter(Boolean).join(" · "), 72, `${px(12)}px ${FONTS}`, theme.muted);
  if (scene.layer.form === "vector") return;
  drawBar(context, scene, { x: margin, y: px(86), width: px(160), height: px(8), ratio }, said);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {{x: number, y: number, width: number, height: number, ratio: number}} box
 * @param {{low: string, high: string}} ends
 */
function drawBar(context, scene, box, ends) {
  const { theme } = scene;
  context.fillStyle = `#${theme.muted}`;
  context.font = `${11 * box.ratio}px ${FONTS}`;
  context.fillText(ends.low, box.x, box.y + box.height);
  const left = box.x + Math.ceil(context.measureText(ends.low).width + 8 * box.ratio);
  for (let x = 0; x < box.width; x++) {
    context.fillStyle = cssOf(scene.pixels[Math.floor((x * 256) / box.width)]);
    context.fillRect(left + x, box.y, 1, box.height);
  }
  context.fillStyle = `#${theme.muted}`;
  context.fillText(ends.high, left + box.width + 8 * box.ratio, box.y + box.height);
}

/**
 * Return a text as the name of a file.
 * @param {string} text
 */
export function fileName(text) {
  return shorten(text.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[._]+/, ""), 80).replace("…", "") || "maps";
}

/**
 * Offer a canvas to the user as a file.
 * @param {HTMLCanvasElement} canvas
 * @param {string} name
 * @returns {Promise<void>}
 */
export async function saveCanvas(canvas, name) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("the browser made no picture of the canvas");
  saveBlob(/** @type {Blob} */ (blob), `${name}.png`);
}

/**
 * Offer a file to the user.
 * @param {Blob} blob
 * @param {string} name
 */
export function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
