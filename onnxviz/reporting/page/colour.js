/** Colours: the colormaps of the report, and the colour of each code of a channel. */

import { valueOfCode } from "./decode.js";

/** Colours that only the page has, for each theme; those that it shares with the pictures come from the index. */
export const PAGE_COLOURS = {
  dark: { muted: "9aa2af", rule: "262b32", strong: "a4aab4", bar: "4fb3a5" },
  light: { muted: "626a76", rule: "e9ebee", strong: "787f8a", bar: "1f8f80" },
};

/**
 * Return all colours of a theme.
 * @param {ReportIndex["themes"]} themes
 * @param {ThemeName} name
 * @returns {Theme}
 */
export function themeColours(themes, name) {
  return { ...themes[name], ...PAGE_COLOURS[name] };
}

/**
 * Return `rrggbb` as a pixel of a canvas, on little-endian machines, the only ones that browsers run on.
 * @param {string} text
 */
export function pixelOf(text) {
  const value = parseInt(text, 16);
  return (0xff000000 | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/**
 * Return a pixel as a colour of CSS.
 * @param {number} pixel
 */
export function cssOf(pixel) {
  return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
}

/**
 * Return the colours of a colormap as pixels.
 * @param {readonly string[]} colours
 * @returns {Uint32Array}
 */
export function pixelsOf(colours) {
  return Uint32Array.from(colours, pixelOf);
}

/**
 * Return the colormap that is meant: `auto` is the theme's diverging one where zero is in the middle of the scale, else
 * its sequential one.
 * @param {string} wanted
 * @param {boolean} diverging
 * @param {SharedTheme} theme
 * @param {readonly string[]} names those that the report has
 * @returns {string}
 */
export function chooseColormap(wanted, diverging, theme, names) {
  if (names.includes(wanted)) return wanted;
  const automatic = diverging ? theme.diverging : theme.sequential;
  return names.includes(automatic) ? automatic : names[0];
}

/**
 * Return the place of a value in a colormap, 0 to 255.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 * @param {number} [gamma] an exponent; 0.5 lifts what is near the low end
 */
export function colourPlace(value, low, high, gamma = 1) {
  if (!(high > low)) return value > low ? 255 : 0;
  // Halves, because the difference of two very large numbers may overflow.
  const part = (value / 2 - low / 2) / (high / 2 - low / 2);
  return Math.min(255, Math.floor(Math.max(0, part) ** gamma * 256));
}

/**
 * Return the pixel of each of the 256 codes of a channel.
 * @param {Uint32Array} pixels of the colormap
 * @param {[number, number]} range of the channel
 * @param {[number, number]} ends of its scale
 * @param {number} [gamma]
 * @returns {Uint32Array}
 */
export function codePixels(pixels, range, ends, gamma = 1) {
  const table = new Uint32Array(256);
  for (let code = 0; code < 256; code++) {
    table[code] = pixels[colourPlace(valueOfCode(code, range[0], range[1]), ends[0], ends[1], gamma)];
  }
  return table;
}
