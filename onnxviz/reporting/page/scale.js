/** The ends of the scale on which each channel is coloured, and what is said of them. */

import { valueOfCode } from "./decode.js";

// A range this small beside the values is what rounding leaves of a constant.
const CONSTANT = 1e-6;

// The share of a channel's magnitudes that the scale "signed" holds, as on the pictures.
const HELD = 0.98;

/** What each mode is called, in the order in which it is offered. */
export const SCALE_NAMES = {
  auto: "automatic",
  channel: "each channel",
  signed: "each channel about 0",
  layer: "whole layer",
  inputs: "all inputs",
  percentile: "1 to 99 %",
  symmetric: "symmetric about 0",
  std: "mean ± 3 std",
};

/**
 * Tell whether a range reaches below zero by more than a tenth of what it reaches above.
 * @param {number} low
 * @param {number} high
 */
export function bothSigns(low, high) {
  return low < 0 && -10 * low > high;
}

/**
 * Tell whether a channel has the same finite value everywhere, but for rounding.
 * @param {Statistics} statistics
 * @param {number} channel
 */
export function isConstant(statistics, channel) {
  if (statistics.nan[channel] || statistics.inf[channel]) return false;
  const low = statistics.low[channel];
  const high = statistics.high[channel];
  return high - low <= CONSTANT * Math.max(Math.abs(low), Math.abs(high));
}

/**
 * Give the least and the greatest finite value of a layer, NaN where there is none.
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
 * Give the ends of the scale of each channel.
 *
 * @param {string} mode one of SCALE_NAMES
 * @param {Scaled} scaled
 * @returns {Limits}
 */
export function scaleLimits(mode, scaled) {
  const { statistics } = scaled;
  const [low, high] = layerRange(statistics);
  if (mode === "auto") mode = automatic(scaled, bothSigns(low, high));
  const ends = endsOf(mode, scaled, low, high);
  // Channels without a finite value get a scale all the same.
  for (let channel = 0; channel < ends.low.length; channel++) {
    if (Number.isFinite(ends.low[channel]) && Number.isFinite(ends.high[channel])) continue;
    ends.low[channel] = 0;
    ends.high[channel] = 1;
  }
  const own = ["channel", "signed", "percentile", "std"].includes(mode);
  return {
    ...ends,
    mode,
    own,
    diverging: mode === "symmetric" || mode === "signed",
    words: wordsOf(mode),
  };
}

/**
 * Maps of a single value have no range of their own: they share one.
 * @param {Scaled} scaled
 * @param {boolean} signed whether the layer has both signs
 */
function automatic(scaled, signed) {
  if (scaled.size === 1) return signed ? "symmetric" : "layer";
  return signed ? "signed" : "channel";
}

/**
 * @param {string} mode
 * @param {Scaled} scaled
 * @param {number} low of the layer
 * @param {number} high of the layer
 * @returns {{low: Float64Array, high: Float64Array}}
 */
function endsOf(mode, scaled, low, high) {
  const { statistics } = scaled;
  const count = statistics.low.length;
  if (mode === "channel")
    return {
      low: Float64Array.from(statistics.low),
      high: Float64Array.from(statistics.high),
    };
  if (mode === "percentile") return percentiles(scaled);
  if (mode === "signed") return reaches(scaled);
  if (mode === "std") {
    return {
      low: Float64Array.from(statistics.mean, (mean, place) => mean - 3 * statistics.std[place]),
      high: Float64Array.from(statistics.mean, (mean, place) => mean + 3 * statistics.std[place]),
    };
  }
  let ends = [low, high];
  if (mode === "inputs") ends = commonRange(scaled.others.length ? scaled.others : [statistics]);
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
 * Give the 1st and the 99th percentile of each channel, its ends where they are the same.
 * @param {Scaled} scaled
 */
function percentiles({ statistics, values, size }) {
  const ends = {
    low: Float64Array.from(statistics.low),
    high: Float64Array.from(statistics.high),
  };
  if (!values.codes) return ends;
  for (let channel = 0; channel < ends.low.length; channel++) {
    const { counts, count } = countCodes(values, channel, size);
    const first = codeOfRank(counts, Math.floor((count - 1) * 0.01));
    const last = codeOfRank(counts, Math.ceil((count - 1) * 0.99));
    if (last <= first) continue;
    const [low, high] = [statistics.low[channel], statistics.high[channel]];
    ends.low[channel] = valueOfCode(first, low, high);
    ends.high[channel] = valueOfCode(last, low, high);
  }
  return ends;
}

/**
 * Give each channel a scale about zero that holds nearly all of its magnitudes, its greatest where that is 0.
 * @param {Scaled} scaled
 */
function reaches({ statistics, values, size }) {
  const high = Float64Array.from(statistics.low, (low, channel) => Math.max(-low, statistics.high[channel]));
  for (let channel = 0; values.codes && channel < high.length; channel++) {
    const { counts, count } = countCodes(values, channel, size);
    const magnitude = (/** @type {number} */ code) =>
      Math.abs(valueOfCode(code, statistics.low[channel], statistics.high[channel]));
    const codes = Array.from(counts.keys()).sort((one, other) => magnitude(one) - magnitude(other));
    const ordered = Uint32Array.from(codes, (code) => counts[code]);
    const held = magnitude(codes[codeOfRank(ordered, Math.ceil((count - 1) * HELD))]);
    if (held > 0) high[channel] = Math.min(held, high[channel]);
  }
  return { low: high.map((reach) => -reach), high };
}

/**
 * Count how often each code comes in a channel, what is not finite left out.
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

/** @param {string} mode */
function wordsOf(mode) {
  switch (mode) {
    case "channel":
      return "each channel on its own min … max";
    case "signed":
      return "each channel on its own scale, symmetric about 0; the greatest 2 % have the end's colour";
    case "percentile":
      return "each channel on its own 1 … 99 %; what lies outside has the end's colour";
    case "std":
      return "each channel on its own mean ± 3 std; what lies outside has the end's colour";
    case "symmetric":
      return "one scale for all channels, symmetric about 0";
    case "inputs":
      return "one scale for all channels and all inputs";
    default:
      return "one scale for all channels";
  }
}
