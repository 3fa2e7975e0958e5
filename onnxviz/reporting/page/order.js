/** The order in which channels are shown, and the rank of each. */

/** The name of each order in the menu. */
export const ORDER_NAMES = {
  auto: "automatic",
  index: "index",
  deviation: "deviation",
  mean: "mean",
  max: "maximum",
};

/**
 * Return the order that is meant. Units of a vector have values alone: those with names, such as classes, come with the
 * greatest first, steps by number, others with the strongest, farthest from 0; maps come by index unless another order
 * is chosen.
 * @param {string} order one of ORDER_NAMES
 * @param {Layer} layer
 */
export function chooseOrder(order, layer) {
  if (layer.form !== "vector") return order === "auto" ? "index" : order;
  if (order === "index" || order === "max") return order;
  if (layer.steps) return "index";
  return layer.labels ? "max" : "strength";
}

/**
 * Return an order in words, empty for the order by index.
 * @param {string} order as `chooseOrder` returns it
 */
export function orderWords(order) {
  return (
    {
      deviation: "greatest deviation first",
      mean: "greatest mean first",
      max: "greatest first",
      strength: "strongest first",
    }[order] ?? ""
  );
}

/**
 * Return the places of the kept channels, the greatest first; NaN comes last, and equals keep their order.
 * @param {string} order as `chooseOrder` returns it
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
  return order === "deviation"
    ? statistics.std
    : order === "mean"
      ? statistics.mean
      : order === "max"
        ? statistics.high
        : order === "strength"
          ? statistics.high.map(Math.abs)
          : null;
}
