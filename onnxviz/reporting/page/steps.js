/** The steps of a Loop or Scan, or the elements of a sequence: their own numbers, which need not begin at 0. */

/**
 * Return which of its axis a stored position is; on halved maps, the range that it stands for.
 * @param {Layer} layer
 * @param {number} at
 * @param {number} [first] the number of the first one
 */
export function placeWords({ halved }, at, first = 0) {
  const times = 2 ** halved;
  return times === 1 ? String(first + at) : `${first + at * times}…${first + (at + 1) * times - 1}`;
}

/**
 * Return the name of what the slider of a volume goes through.
 * @param {Layer} layer
 */
export function sliceName({ steps }) {
  return steps?.noun ?? "slice";
}

/**
 * Return the slice of a volume that is shown, and which there are.
 * @param {Scene} scene
 */
export function sliceWords({ layer, slice, depth }) {
  const { steps } = layer;
  if (!steps) return `${slice} of 0 … ${depth - 1}`;
  const all = steps.last - steps.first + 1 < steps.total ? ` (${steps.total.toLocaleString("en")} in all)` : "";
  return `${placeWords(layer, slice, steps.first)} of ${steps.first} … ${steps.last}${all}`;
}

/**
 * Return a text with a capital letter.
 * @param {string} text
 */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
