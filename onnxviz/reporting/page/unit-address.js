/** The addresses of units on the page of `mine`. */

import { wellFormed } from "./address.js";

/**
 * Return the address of a unit, without the #.
 * @param {string} layer
 * @param {number | null} unit
 */
export function formatUnitAddress(layer, unit) {
  return `l=${encodeURIComponent(wellFormed(layer))}${unit === null ? "" : `&u=${unit}`}`;
}

/**
 * Read an address.
 * @param {string} hash with or without the #
 * @returns {{layer: string, unit: number | null}}
 */
export function parseUnitAddress(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, "").replaceAll("+", "%2B"));
  const unit = parts.get("u") ?? "";
  return { layer: parts.get("l") ?? "", unit: /^\d{1,9}$/.test(unit) ? Number(unit) : null };
}
