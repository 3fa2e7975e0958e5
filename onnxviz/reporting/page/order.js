/** The order in which channels are shown, and the rank of each. */

/** The name of each order in the menu. */
export const ORDER_NAMES = {
  auto: "automatic",
  index: "index",
  std: "deviation",
  mean: "mean",
  max: "maximum",
};

/**
 * Return the order that is meant: `auto` is by index, but greatest first for units with names.
 * @param {string} order one of ORDER_NAMES
 * @param {Layer} layer
 */
export function chooseOrder(order, layer) {
  const vector = layer.form === "vector";
  if (order === "auto") return vector && layer.labels ? "max" : "index";
  return vector && order !== "index" ? "max" : order;
}

/**
 * Return an order in words, empty for the order by index.
 * @param {string} order not `auto`
 */
export function orderWords(order) {
  return { std: "greatest deviation first", mean: "greatest mean first", max: "greatest first" }[order] ?? "";
}

/**
 * Return the places of the kept channels, the greatest first; NaN comes last, and equals keep their order.
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
 * Return the rank of a channel, from 1; equal channels share the best rank.
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
