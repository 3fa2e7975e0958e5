/** The ends of the scale on which each channel is coloured. */

import { valueOfCode } from "./decode.js";

/**
 * Return whether values have both signs to the eye: a short dip below zero does not count.
 * @param {number} low
 * @param {number} high
 * @param {ScaleRules} rules
 */
export function bothSigns(low, high, rules) {
  return low < 0 && -rules.one_sided * low > high;
}

/**
 * Return whether a range is only what rounding leaves of a constant.
 * @param {number} low
 * @param {number} high
 * @param {ScaleRules} rules
 */
export function isConstant(low, high, rules) {
  return high - low <= rules.constant * Math.max(Math.abs(low), Math.abs(high));
}

/**
 * Return the least and the greatest finite value of a layer, NaN where no value is finite.
 * @param {Statistics} statistics
 * @returns {[number, number]}
 */
export function layerRange(statistics) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of statistics.low) if (value < low) low = value;
  for (const value of statistics.high) if (value > high) high = value;
  return low > high ? [NaN, NaN] : [low, high];
}

/**
 * Return the ends of the scale of each channel.
 *
 * @param {string} mode
 * @param {Scaled} scaled
 * @param {ScaleRules} rules
 * @returns {Limits}
 */
export function scaleLimits(mode, scaled, rules) {
  const { statistics } = scaled;
  const [low, high] = layerRange(statistics);
  if (mode === "auto") mode = automatic(scaled, scaled.about || bothSigns(low, high, rules));
  const ends = endsOf(mode, scaled, [low, high], rules);
  // Channels without a finite value get a scale as well.
  for (let channel = 0; channel < ends.low.length; channel++) {
    if (Number.isFinite(ends.low[channel]) && Number.isFinite(ends.high[channel])) continue;
    ends.low[channel] = 0;
    ends.high[channel] = 1;
  }
  const centred = (mode === "fixed" || mode === "inputs") && ends.low[0] === -ends.high[0];
  return { ...ends, mode, diverging: mode === "symmetric" || mode === "signed" || centred };
}

/**
 * Return the mode that `auto` means. Maps of a single value have no range of their own: they share one scale.
 * @param {Scaled} scaled
 * @param {boolean} signed whether the layer has both signs
 */
function automatic(scaled, signed) {
  if (scaled.size === 1) return signed ? "symmetric" : "layer";
  return signed ? "signed" : "clipped";
}

/**
 * @param {string} mode not `auto`
 * @param {Scaled} scaled
 * @param {[number, number]} range of the layer
 * @param {ScaleRules} rules
 * @returns {{low: Float64Array, high: Float64Array}}
 */
function endsOf(mode, scaled, [low, high], rules) {
  const { statistics } = scaled;
  const count = statistics.low.length;
  if (mode === "channel")
    return {
      low: Float64Array.from(statistics.low),
      high: Float64Array.from(statistics.high),
    };
  if (mode === "percentile") return percentiles(scaled, rules.percentiles);
  if (mode === "signed" || mode === "clipped") return heldEnds(statistics, mode === "signed" ? null : rules.kept);
  if (mode === "std") {
    const at = (/** @type {number} */ times) =>
      Float64Array.from(statistics.mean, (mean, place) => mean + times * statistics.std[place]);
    return { low: at(-rules.deviations), high: at(rules.deviations) };
  }
  let ends = [low, high];
  if (mode === "inputs") ends = scaled.shared ?? commonRange(scaled.others.length ? scaled.others : [statistics]);
  if (mode === "fixed" && scaled.fixed) ends = scaled.fixed;
  if (mode === "symmetric") ends = [-Math.max(-low, high), Math.max(-low, high)];
  return {
    low: new Float64Array(count).fill(ends[0]),
    high: new Float64Array(count).fill(ends[1]),
  };
}

/**
 * @param {readonly Statistics[]} all
 * @returns {[number, number]}
 */
function commonRange(all) {
  const ranges = all.map(layerRange).filter(([low]) => !Number.isNaN(low));
  if (!ranges.length) return [NaN, NaN];
  return [Math.min(...ranges.map((range) => range[0])), Math.max(...ranges.map((range) => range[1]))];
}

/**
 * Return two percentiles of each channel, or its ends where the percentiles are the same.
 * @param {Scaled} scaled
 * @param {[number, number]} shares of the values below each
 */
function percentiles({ statistics, values, size }, shares) {
  const ends = {
    low: Float64Array.from(statistics.low),
    high: Float64Array.from(statistics.high),
  };
  if (!values.codes) return ends;
  for (let channel = 0; channel < ends.low.length; channel++) {
    const { counts, count } = countCodes(values, channel, size);
    const first = codeOfRank(counts, Math.floor((count - 1) * shares[0]));
    const last = codeOfRank(counts, Math.ceil((count - 1) * shares[1]));
    if (last <= first) continue;
    const [low, high] = [statistics.low[channel], statistics.high[channel]];
    ends.low[channel] = valueOfCode(first, low, high);
    ends.high[channel] = valueOfCode(last, low, high);
  }
  return ends;
}

/**
 * Return for each channel a scale that ends where nearly all of its magnitudes are held: about zero, or from its least.
 * @param {Statistics} statistics
 * @param {number | null} kept the least share of the greatest at which a scale from the least ends; null: about zero
 */
function heldEnds({ low, high, held }, kept) {
  if (kept === null) return { low: Float64Array.from(held, (reach) => -reach), high: Float64Array.from(held) };
  return {
    low: Float64Array.from(low),
    high: Float64Array.from(high, (most, channel) =>
      Math.max(low[channel], Math.min(Math.max(held[channel], kept * most), most)),
    ),
  };
}

/**
 * Count how often each code occurs in a channel, without values that are not finite.
 * @param {Values} values
 * @param {number} channel
 * @param {number} size
 */
function countCodes(values, channel, size) {
  const codes = /** @type {Uint8Array} */ (values.codes);
  const counts = new Uint32Array(256);
  let count = 0;
  for (let place = channel * size; place < (channel + 1) * size; place++) {
    if (values.marks && values.marks[place]) continue;
    counts[codes[place]]++;
    count++;
  }
  return { counts, count };
}

/**
 * @param {Uint32Array} counts
 * @param {number} rank
 */
function codeOfRank(counts, rank) {
  let seen = 0;
  for (let code = 0; code < 256; code++) {
    seen += counts[code];
    if (seen > rank) return code;
  }
  return 255;
}
