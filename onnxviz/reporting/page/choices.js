/** The choices in the page's menus, which are also those that an address may name. */

import { ORDER_NAMES } from "./order.js";

/**
 * Return the choices of each menu, as pairs of value and name.
 * @param {ReportIndex} index
 * @returns {{scale: [string, string][], colormap: [string, string][], order: [string, string][]}}
 */
export function choicesOf({ runs, look, colormaps, scales }) {
  const named = Object.keys(colormaps).map((name) => /** @type {[string, string]} */ ([name, name]));
  const modes = Object.keys(scales).filter((mode) => mode !== "inputs" || runs.length > 1 || look.scale === mode);
  return {
    scale: modes.map((mode) => [mode, scales[mode].name]),
    colormap: [["auto", "automatic"], ...named],
    order: Object.entries(ORDER_NAMES),
  };
}
