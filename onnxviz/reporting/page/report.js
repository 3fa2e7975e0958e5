/** The report that the page holds: its index, and the values of layers, decoded when they are needed. */

import { bytesOfBase64, floatsOfBytes, inflate, unpack } from "./decode.js";
import { isConstant } from "./scale.js";

// Enough for a few layers of a large network; those used longest ago are dropped first.
const KEPT_BYTES = 192e6;

/**
 * Read the index of the report.
 * @param {string} text JSON
 * @returns {ReportIndex}
 * @throws {Error} where the schema is unknown
 */
export function readIndex(text) {
  const index = JSON.parse(text);
  if (index.schema !== "onnxviz.report/1") throw new Error("the page holds no report that it can read");
  return index;
}

/**
 * Return the statistics of a layer in one run; they are decoded once.
 * @param {LayerRun} run
 * @param {ScaleRules} rules
 * @returns {Statistics}
 */
export function statisticsOf(run, rules) {
  run.decoded ??= decodeStatistics(run, rules);
  return run.decoded;
}

/**
 * @param {LayerRun} run
 * @param {ScaleRules} rules
 * @returns {Statistics}
 */
function decodeStatistics({ stats, nan, inf, wide }, rules) {
  const floats = (/** @type {string} */ text) => floatsOfBytes(bytesOfBase64(text), wide);
  const [low, high] = [floats(stats.low), floats(stats.high)];
  const constant = Array.from(
    low,
    (least, channel) => !nan[channel] && !inf[channel] && isConstant(least, high[channel], rules),
  );
  const [mean, std, held] = [floats(stats.mean), floats(stats.std), floats(stats.held)];
  return { low, high, mean, std, held, nan, inf, constant };
}

/**
 * Return the values of the tokens that lie nowhere on the maps of a run, channel by channel; null where there are none.
 * @param {LayerRun} run
 * @returns {Floats | null}
 */
export function besidesOf(run) {
  if (run.prefix) run.besides ??= floatsOfBytes(bytesOfBase64(run.prefix), run.wide);
  return run.besides ?? null;
}

/**
 * Count the stored values of one channel.
 * @param {Layer} layer
 */
export function sizeOf(layer) {
  return layer.extent.reduce((product, side) => product * side, 1);
}

/** Decodes blocks and keeps those that were used most recently. */
export class BlockStore {
  /** @param {(block: number) => Promise<string>} read returns the base64 of a block */
  constructor(read) {
    this.read = read;
    /** @type {Map<number, {values: Values, bytes: number}>} */
    this.kept = new Map();
    this.bytes = 0;
  }

  /**
   * Return the values of a layer in one run that has it.
   * @param {Layer} layer as it is in that run
   * @param {number} run
   * @returns {Promise<Values>}
   */
  async values(layer, run) {
    const entry = /** @type {LayerRun} */ (layer.runs[run]);
    const known = this.kept.get(entry.block);
    if (known) {
      this.kept.delete(entry.block);
      this.kept.set(entry.block, known);
      return known.values;
    }
    const bytes = await inflate(bytesOfBase64((await this.read(entry.block)).trim()));
    const values = unpack(bytes, entry, layer.kept.length * sizeOf(layer));
    if (!this.kept.has(entry.block)) this.bytes += bytes.length;
    this.kept.set(entry.block, { values, bytes: bytes.length });
    for (const [block, old] of this.kept) {
      if (this.bytes <= KEPT_BYTES || block === entry.block) break;
      this.kept.delete(block);
      this.bytes -= old.bytes;
    }
    return values;
  }
}
