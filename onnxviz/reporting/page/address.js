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
  if (place.colormap !== "auto") parts.push(`colormap=${encodeURIComponent(place.colormap)}`);
  if (place.order !== "auto") parts.push(`order=${encodeURIComponent(place.order)}`);
  if (place.query !== "auto") parts.push(`query=${encodeURIComponent(place.query)}`);
  if (place.pins.length) parts.push(`pins=${place.pins.map(formatPin).join(",")}`);
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
    query: "auto",
    pins: [],
  };
  /** @type {string[]} */
  const problems = [];
  /** @type {Record<string, number>} */
  const axes = {};
  for (const part of hash.replace(/^#/, "").split("&").filter(Boolean)) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? "" : part.slice(equals + 1);
    const text = decoded(value);
    if (text === null) problems.push(`the part ${key} of the address is not percent-encoded text`);
    else if (key === "l") place.layer = text;
    else if (key === "scale") place.scale = text;
    else if (key === "query") {
      if (/^(auto|class|mean|matrix|\d{1,9}(,\d{1,9})?)$/.test(text)) place.query = text;
      else problems.push(`there is no query “${shorten(text, 40)}”`);
    }
    // The second words are those of older addresses.
    else if (key === "order") place.order = text === "std" ? "deviation" : text;
    else if (key === "colormap" || key === "colours") place.colormap = text;
    else if (key === "pins") place.pins.push(...parsePins(value, problems));
    else if (key === "c" || key === "run" || AXES.includes(key)) {
      const number = indexOf(text);
      if (number === null) problems.push(`${key}=${shorten(text, 40)} is not an index`);
      else if (key === "c") place.channel = number;
      else if (key === "run") place.run = number;
      else axes[key] = number;
    } else problems.push(`the address has an unknown part ${shorten(key, 40)}`);
  }
  const given = AXES.filter((axis) => axis in axes);
  if (given.length) place.position = given.map((axis) => axes[axis]);
  return { place, problems };
}

/**
 * Return a pin as `layer:channel`, or `layer:channel:input` of an input that is not the first.
 * @param {PinnedPlace} pin
 */
function formatPin({ layer, channel, run }) {
  return [encodeURIComponent(wellFormed(layer)), channel, ...(run ? [run] : [])].join(":");
}

/**
 * @param {string} text
 * @param {string[]} problems
 * @returns {PinnedPlace[]}
 */
function parsePins(text, problems) {
  /** @type {PinnedPlace[]} */
  const pins = [];
  for (const part of text.split(",").filter(Boolean)) {
    const [name, ...numbers] = part.split(":");
    const layer = decoded(name);
    const [channel, run] = numbers.length === 1 ? [indexOf(numbers[0]), 0] : numbers.map(indexOf);
    if (layer === null || numbers.length > 2 || channel === null || channel === undefined || run === null) {
      problems.push(`${shorten(part, 40)} is not a pin, layer:channel or layer:channel:input`);
    } else pins.push({ layer, channel, run });
  }
  return pins;
}

/**
 * @param {string} text
 * @returns {number | null} null where it is not an index
 */
function indexOf(text) {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
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
