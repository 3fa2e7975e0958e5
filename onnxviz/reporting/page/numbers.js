/** Numbers as text, written as in the pictures that `view` draws. */

/**
 * Return a number with three significant digits, or with as many as given.
 * @param {number} value
 * @param {number} [digits]
 * @returns {string}
 */
export function formatNumber(value, digits = 3) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "−inf";
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  let text;
  if (exponent >= 5 || exponent < -4) {
    text = String(Number(value.toExponential(digits - 1).split("e")[0])) + "e" + exponent;
  } else if (exponent >= digits) {
    text = value.toFixed(0);
  } else {
    text = String(Number(value.toPrecision(digits)));
  }
  return text.replaceAll("-", "−");
}

/**
 * Return a range as text.
 * @param {number} low
 * @param {number} high
 * @returns {string}
 */
export function formatRange(low, high) {
  if (Number.isNaN(low)) return "no finite value";
  if (low === high) return formatNumber(low);
  // Enough digits for the two ends to differ.
  let digits = 3;
  while (digits < 9 && formatNumber(low, digits) === formatNumber(high, digits)) digits++;
  return `${formatNumber(low, digits)} … ${formatNumber(high, digits)}`;
}

/**
 * Return sizes as text, with a multiplication sign between them.
 * @param {readonly (number | string)[]} sizes
 * @returns {string}
 */
export function formatShape(sizes) {
  return sizes.join(" × ");
}

/**
 * Return a count with its noun: `1 channel`, `2 channels`.
 * @param {number} count
 * @param {string} noun
 * @returns {string}
 */
export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
