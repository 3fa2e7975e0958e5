/** What the page's selects offer, which is also what an address may say. */

import { ORDER_NAMES } from "./order.js";

/**
 * Give the choices, each with its value and its name.
 * @param {ReportIndex} index
 * @returns {{scale: [string, string][], colormap: [string, string][], order: [string, string][]}}
 */
export function choicesOf({ runs, colormaps, scales }) {
  const named = Object.keys(colormaps).map((name) => /** @type {[string, string]} */ ([name, name]));
  const modes = Object.keys(scales).filter((mode) => mode !== "inputs" || runs.length > 1);
  return {
    scale: modes.map((mode) => [mode, scales[mode].name]),
    colormap: [["auto", "automatic"], ...named],
    order: Object.entries(ORDER_NAMES),
  };
}
