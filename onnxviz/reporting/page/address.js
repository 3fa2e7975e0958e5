/** Addresses: what stands after the # of the page, `l=stem%2Fconv&c=3&y=10&x=20`. */

const AXES = ["d", "y", "x"];

/**
 * Return the address of a place, without the parts that have their default.
 * @param {Place} place
 * @returns {string} without the #
 */
export function formatAddress(place) {
  const parts = [`l=${encodeURIComponent(wellFormed(place.layer))}`];
  if (place.channel !== null) parts.push(`c=${place.channel}`);
  const { position } = place;
  if (position) {
    const axes = AXES.slice(AXES.length - position.length);
    position.forEach((value, axis) => parts.push(`${axes[axis]}=${value}`));
  }
  if (place.run) parts.push(`run=${place.run}`);
  if (place.scale !== "auto") parts.push(`scale=${encodeURIComponent(place.scale)}`);
  if (place.colormap !== "auto") parts.push(`colours=${encodeURIComponent(place.colormap)}`);
  if (place.order !== "auto") parts.push(`order=${encodeURIComponent(place.order)}`);
  return parts.join("&");
}

/**
 * Read an address. It is not checked against the report here.
 * @param {string} hash with or without the #
 * @returns {{place: Place, problems: string[]}}
 */
export function parseAddress(hash) {
  /** @type {Place} */
  const place = {
    layer: "",
    channel: null,
    position: null,
    run: 0,
    scale: "auto",
    colormap: "auto",
    order: "auto",
  };
  /** @type {string[]} */
  const problems = [];
  /** @type {Record<string, number>} */
  const axes = {};
  for (const part of hash.replace(/^#/, "").split("&").filter(Boolean)) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    const text = decoded(equals < 0 ? "" : part.slice(equals + 1));
    if (text === null) problems.push(`the part ${key} of the address is not percent-encoded text`);
    else if (key === "l") place.layer = text;
    else if (key === "scale" || key === "order") place[key] = text;
    else if (key === "colours") place.colormap = text;
    else if (key === "c" || key === "run" || AXES.includes(key)) {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : null;
      if (value === null) problems.push(`${key}=${shorten(text, 40)} is not an index`);
      else if (key === "c") place.channel = value;
      else if (key === "run") place.run = value;
      else axes[key] = value;
    } else problems.push(`the address has an unknown part ${shorten(key, 40)}`);
  }
  const given = AXES.filter((axis) => axis in axes);
  if (given.length) place.position = given.map((axis) => axes[axis]);
  return { place, problems };
}

/**
 * Replace lone surrogates, which names of models may hold and which cannot be percent-encoded.
 * @param {string} text
 */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/**
 * Cut text that is too long to read.
 * @param {string} text
 * @param {number} most characters
 */
export function shorten(text, most) {
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

/**
 * @param {string} text
 * @returns {string | null} null where it is not percent-encoded UTF-8
 */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
