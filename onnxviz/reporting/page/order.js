/** In which order channels are shown, and which rank each has. */

/** What each order is called. */
export const ORDER_NAMES = {
  auto: "automatic",
  index: "index",
  std: "deviation",
  mean: "mean",
  max: "maximum",
};

/**
 * Say which order is meant: `auto` is that of the index, but of units with names the greatest comes first.
 * @param {string} order one of ORDER_NAMES
 * @param {Layer} layer
 */
export function chooseOrder(order, layer) {
  const vector = layer.form === "vector";
  if (order === "auto") return vector && layer.labels ? "max" : "index";
  return vector && order !== "index" ? "max" : order;
}

/**
 * Say an order in words; nothing of the index's.
 * @param {string} order not `auto`
 */
export function orderWords(order) {
  return { std: "greatest deviation first", mean: "greatest mean first", max: "greatest first" }[order] ?? "";
}

/**
 * Give the places of the kept channels, the greatest first; NaN is least, and equals keep their order.
 * @param {string} order one of ORDER_NAMES
 * @param {Statistics} statistics
 * @returns {number[]}
 */
export function orderChannels(order, statistics) {
  const places = Array.from(statistics.low, (_, place) => place);
  const strength = strengthOf(order, statistics);
  if (!strength) return places;
  const least = (/** @type {number} */ place) => (Number.isNaN(strength[place]) ? -Infinity : strength[place]);
  return places.sort((one, other) => {
    const [first, second] = [least(one), least(other)];
    return first === second ? one - other : second - first;
  });
}

/**
 * Give the rank of a channel, from 1; equals share the best.
 * @param {string} order
 * @param {Statistics} statistics
 * @param {number} channel the place among the kept channels
 * @returns {number}
 */
export function rankOf(order, statistics, channel) {
  const strength = /** @type {Float32Array} */ (strengthOf(order, statistics));
  const own = strength[channel];
  let rank = 1;
  for (const other of strength) if (other > own || (Number.isNaN(own) && !Number.isNaN(other))) rank++;
  return rank;
}

/**
 * @param {string} order
 * @param {Statistics} statistics
 */
function strengthOf(order, statistics) {
  return order === "std"
    ? statistics.std
    : order === "mean"
      ? statistics.mean
      : order === "max"
        ? statistics.high
        : null;
}
