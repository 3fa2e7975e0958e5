/** The stage as a PNG file, with its caption. */

import { shorten } from "./address.js";
import { pencil } from "./dom.js";
import { FONTS, fitText } from "./labels.js";
import { legendWords } from "./legend.js";

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
  const px = (/** @type {number} */ css) => Math.round(css * ratio);
  const { theme } = scene;
  const canvas = document.createElement("canvas");
  const margin = px(24);
  const top = px(scene.layer.form === "vector" ? 84 : 112);
  canvas.width = Math.max(stage.width, px(420)) + 2 * margin;
  canvas.height = stage.height + top + margin;
  const context = pencil(canvas);
  context.fillStyle = `#${theme.background}`;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const room = canvas.width - 2 * margin;
  const line = (
    /** @type {string} */ text,
    /** @type {number} */ y,
    /** @type {string} */ font,
    /** @type {string} */ colour,
  ) => {
    context.font = font;
    context.fillStyle = `#${colour}`;
    context.fillText(fitText(context, text, room), margin, y);
  };
  const said = legendWords(scene, grid);
  line(words.title, px(36), `600 ${px(18)}px ${FONTS}`, theme.ink);
  line(words.facts, px(55), `${px(12)}px ${FONTS}`, theme.muted);
  line([...said.words, said.zoom].filter(Boolean).join(" · "), px(72), `${px(12)}px ${FONTS}`, theme.muted);
  if (scene.layer.form !== "vector")
    drawBar(context, scene, { x: margin, y: px(86), width: px(160), height: px(8) }, said);
  context.drawImage(stage, margin, top);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {{low: string, high: string}} ends
 */
function drawBar(context, scene, box, ends) {
  const { theme } = scene;
  context.fillStyle = `#${theme.muted}`;
  context.font = `${11 * devicePixelRatio}px ${FONTS}`;
  context.fillText(ends.low, box.x, box.y + box.height);
  const left = box.x + Math.ceil(context.measureText(ends.low).width + 8 * devicePixelRatio);
  for (let x = 0; x < box.width; x++) {
    const pixel = scene.pixels[Math.floor((x * 256) / box.width)];
    context.fillStyle = `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
    context.fillRect(left + x, box.y, 1, box.height);
  }
  context.fillStyle = `#${theme.muted}`;
  context.fillText(ends.high, left + box.width + 8 * devicePixelRatio, box.y + box.height);
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
  const link = document.createElement("a");
  link.href = URL.createObjectURL(/** @type {Blob} */ (blob));
  link.download = `${name}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
