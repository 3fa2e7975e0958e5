/** A layer as an SVG file: text as text, and each map as a PNG of its own values, a pixel a value. */

import { cssOf } from "./colour.js";
import { pencil } from "./dom.js";
import { cornerOf } from "./grid.js";
import { drawLabels, FONTS } from "./labels.js";
import { paintMap } from "./paint.js";
import { pngAddress } from "./png.js";
import { captionTop, writeCaption } from "./save.js";
import { layerRange } from "./scale.js";
import { isFlat, tileOf } from "./scene.js";
import { coloursBeside, firstMark, rangeBars } from "./tiles.js";

const MARGIN = 24;

/**
 * Return all channels of a scene on a grid, with the caption above, as an SVG document.
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {View} view of all of the grid
 * @param {{title: string, facts: string}} words
 * @returns {Promise<string>}
 */
export async function svgOf(scene, grid, view, words) {
  const { ratio } = view;
  const { theme, layer } = scene;
  const margin = Math.round(MARGIN * ratio);
  const top = captionTop(scene, ratio);
  const width = Math.max(grid.totalWidth, Math.round(420 * ratio)) + 2 * margin;
  const height = grid.totalHeight + top + margin;
  const pen = new SvgPen(grid.totalHeight);
  writeCaption(pen.context, { margin, room: width - 2 * margin, ratio }, scene, grid, words);
  const caption = pen.take();
  drawLabels(pen.context, scene, grid, view);
  const maps = layer.form === "vector" ? [] : await Promise.all(scene.channels.map(mapOf(scene, grid, ratio)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width / devicePixelRatio}" height="${height / devicePixelRatio}" viewBox="0 0 ${width} ${height}" font-family="${escaped(FONTS)}">`,
    `<title>${escaped(words.title)}</title>`,
    "<style>image{image-rendering:pixelated}text{white-space:pre}</style>",
    `<defs>${hatching(theme, ratio)}</defs>`,
    `<rect width="${width}" height="${height}" fill="#${theme.background}"/>`,
    ...caption,
    `<g transform="translate(${margin} ${top})">`,
    ...maps,
    ...pen.take(),
    "</g>",
    "</svg>\n",
  ].join("\n");
}

/**
 * Return what draws one channel: its map, the bar of its range, and the mark of what is not finite.
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {number} ratio
 */
function mapOf(scene, grid, ratio) {
  const range = layerRange(scene.statistics);
  return async (/** @type {number} */ place, /** @type {number} */ shown) => {
    const { statistics, layer, theme, height, width } = scene;
    const corner = cornerOf(grid, shown);
    const box = { ...corner, width: grid.tileWidth, height: grid.tileHeight };
    const parts = [];
    if (isFlat(layer, statistics, place)) parts.push(`<rect ${sides(box)} fill="url(#hatch)"/>`);
    else {
      const target = { pixels: new Uint32Array(height * width), width, height };
      paintMap(target, { x: 0, y: 0 }, tileOf(scene, place, { zoomX: 1, zoomY: 1 }));
      parts.push(
        `<image ${sides(box)} preserveAspectRatio="none" image-rendering="optimizeSpeed" href="${await pngAddress(target.pixels, width)}"/>`,
      );
    }
    for (const { colour, ...beside } of coloursBeside(scene, grid, corner, place)) {
      parts.push(`<rect ${sides(beside)} fill="${cssOf(colour)}"/>`);
    }
    if (statistics.nan[place] || statistics.inf[place]) {
      const [right, side] = [corner.x + grid.tileWidth, Math.min(9 * ratio, grid.tileHeight / 2)];
      const colour = [theme.nan, theme.positive_infinity, theme.negative_infinity][firstMark(scene, place) - 1];
      parts.push(`<path d="M${right - side} ${corner.y}h${side}v${side}z" fill="#${colour}"/>`);
    }
    if (grid.barred) {
      for (const { colour, ...bar } of rangeBars(scene, grid, { ...corner, ratio, range }, place)) {
        parts.push(`<rect ${sides(bar)} fill="#${colour}"/>`);
      }
    }
    return parts.join("");
  };
}

/**
 * @param {Theme} theme
 * @param {number} ratio
 */
function hatching(theme, ratio) {
  const step = 6 * ratio;
  return (
    `<pattern id="hatch" width="${step}" height="${step}" patternUnits="userSpaceOnUse">` +
    `<rect width="${step}" height="${step}" fill="#${theme.hatch_back}"/>` +
    `<path d="M0 ${step}L${step} 0" stroke="#${theme.hatch_line}" stroke-width="${ratio}"/></pattern>`
  );
}

/** Writes down as elements what is drawn on its context, which measures text as a canvas does. */
class SvgPen {
  /** @param {number} height of what is drawn */
  constructor(height) {
    const measure = pencil(document.createElement("canvas"));
    /** @type {string[]} */
    this.parts = [];
    const context = {
      canvas: { height },
      font: "",
      fillStyle: "",
      textAlign: "left",
      measureText: (/** @type {string} */ text) => {
        measure.font = context.font;
        return measure.measureText(text);
      },
      clearRect: () => {},
      fillRect: (
        /** @type {number} */ x,
        /** @type {number} */ y,
        /** @type {number} */ w,
        /** @type {number} */ h,
      ) => {
        const box = sides({ x: w < 0 ? x + w : x, y, width: Math.abs(w), height: h });
        this.parts.push(`<rect ${box} fill="${context.fillStyle}"/>`);
      },
      fillText: (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y) => {
        if (!text) return;
        const anchor = context.textAlign === "right" ? ' text-anchor="end"' : "";
        this.parts.push(
          `<text x="${short(x)}" y="${short(y)}"${anchor} fill="${context.fillStyle}"${fontOf(context.font)}>${escaped(text)}</text>`,
        );
      },
    };
    this.context = /** @type {CanvasRenderingContext2D} */ (/** @type {unknown} */ (context));
  }

  /** Return what was drawn since the last time. */
  take() {
    return this.parts.splice(0);
  }
}

/** @param {string} font of a canvas, such as `600 18px Arial` */
function fontOf(font) {
  const [, weight, size] = /** @type {string[]} */ (/^(?:(\d+) )?([\d.]+)px/.exec(font));
  return ` font-size="${size}"${weight ? ` font-weight="${weight}"` : ""}`;
}

/** @param {{x: number, y: number, width: number, height: number}} box */
function sides({ x, y, width, height }) {
  return `x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"`;
}

/** @param {number} length */
function short(length) {
  return String(Math.round(1000 * length) / 1000);
}

/**
 * Return a text for XML, in an element or an attribute, without what no XML file may hold.
 * @param {string} text
 */
export function escaped(text) {
  return (
    text
      // eslint-disable-next-line no-control-regex -- these are what XML has no place for
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, "\ufffd")
      .replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`)
  );
}
