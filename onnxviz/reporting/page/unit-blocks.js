/** What the page of `mine` knows of units, read a layer at a time; and which of them are shown, in which order. */

import { bytesOfBase64, inflate } from "./decode.js";

/** The orders of units, with their words. @type {[string, string][]} */
export const ORDERS = [
  ["unit", "unit"],
  ["strength", "strongest first"],
  ["selectivity", "selectivity"],
  ["class", "class"],
];

/** Reads blocks, and keeps what it read. */
export class UnitBlocks {
  /** @param {(block: number) => string} text returns the base64 of a block */
  constructor(text) {
    this.text = text;
    /** @type {Map<number, Promise<any>>} */
    this.known = new Map();
  }

  /**
   * Return what is known of the units of a layer.
   * @param {number} block
   * @returns {Promise<MinedLayer>}
   */
  read(block) {
    let found = this.known.get(block);
    if (!found) {
      found = inflate(bytesOfBase64(this.text(block).trim())).then((bytes) =>
        JSON.parse(new TextDecoder().decode(bytes)),
      );
      this.known.set(block, found);
    }
    return found;
  }

  /**
   * Return the pictures that are among the strongest of any unit.
   * @param {number} block
   * @returns {Promise<MinedPicture[]>}
   */
  pictures(block) {
    return /** @type {any} */ (this.read(block));
  }
}

/**
 * Return the units that filters let through, in an order.
 * @param {MinedLayer} mined
 * @param {{order: string, kind: number | null, pure: number, dead: boolean, wanted: string}} filters
 * @returns {number[]}
 */
export function select(mined, { order, kind, pure, dead, wanted }) {
  const within = rangesOf(wanted);
  const units = [...mined.dead.keys()].filter((unit) => {
    if (dead ? !mined.dead[unit] : mined.dead[unit] && !within) return false;
    if (kind !== null && mined.strongest_class[unit] !== kind) return false;
    if (pure && mined.of_that_class[unit] <= pure) return false;
    return !within || within.some(([low, high]) => low <= unit && unit <= high);
  });
  const last = (/** @type {number | null} */ value) => value ?? -Infinity;
  /** @type {{[order: string]: (first: number, second: number) => number}} */
  const orders = {
    strength: (first, second) => last(mined.high[second]) - last(mined.high[first]),
    selectivity: (first, second) => last(mined.selectivity[second]) - last(mined.selectivity[first]),
    class: (first, second) =>
      mined.strongest_class[first] - mined.strongest_class[second] ||
      mined.of_that_class[second] - mined.of_that_class[first],
  };
  return orders[order] ? units.sort((first, second) => orders[order](first, second) || first - second) : units;
}

/**
 * Read numbers and ranges, `12, 40-52`.
 * @param {string} text
 * @returns {[number, number][] | null} null where there are none
 */
export function rangesOf(text) {
  const found = [...text.matchAll(/(\d{1,9})(?:\s*-\s*(\d{1,9}))?/g)];
  return found.length ? found.map(([, low, high]) => [Number(low), Number(high ?? low)]) : null;
}
