/** The ends of the scale on which each channel is coloured, and what is said of them. */

// A range this small beside the values is what rounding leaves of a constant.
const CONSTANT = 1e-6;

/** What each mode is called, in the order in which it is offered. */
export const SCALE_NAMES = {
  auto: "automatic",
  channel: "each channel",
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
  if (mode === "auto") mode = bothSigns(low, high) ? "symmetric" : scaled.size === 1 ? "layer" : "channel";
  const ends = endsOf(mode, scaled, low, high);
  // Channels without a finite value get a scale all the same.
  for (let channel = 0; channel < ends.low.length; channel++) {
    if (Number.isFinite(ends.low[channel]) && Number.isFinite(ends.high[channel])) continue;
    ends.low[channel] = 0;
    ends.high[channel] = 1;
  }
  const own = mode === "channel" || mode === "percentile" || mode === "std";
  return {
    ...ends,
    mode,
    own,
    diverging: mode === "symmetric",
    words: wordsOf(mode),
  };
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
  const { codes, marks } = values;
  if (!codes) return ends;
  for (let channel = 0; channel < ends.low.length; channel++) {
    const counts = new Uint32Array(256);
    let count = 0;
    for (let place = channel * size; place < (channel + 1) * size; place++) {
      if (marks && marks[place]) continue;
      counts[codes[place]]++;
      count++;
    }
    const first = codeOfRank(counts, Math.floor((count - 1) * 0.01));
    const last = codeOfRank(counts, Math.ceil((count - 1) * 0.99));
    const [low, high] = [statistics.low[channel], statistics.high[channel]];
    if (last <= first) continue;
    ends.low[channel] = low + ((first + 0.5) / 256) * (high - low);
    ends.high[channel] = low + ((last + 0.5) / 256) * (high - low);
  }
  return ends;
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
