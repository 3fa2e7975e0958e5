/** In which order channels are shown, and which rank each has. */

/** What each order is called. */
export const ORDER_NAMES = {
  index: "index",
  std: "deviation",
  mean: "mean",
  max: "maximum",
};

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
  const least = (/** @type {number} */ place) =>
    Number.isNaN(strength[place]) ? -Infinity : strength[place];
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
  for (const other of strength)
    if (other > own || (Number.isNaN(own) && !Number.isNaN(other))) rank++;
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
