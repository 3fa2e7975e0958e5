/** From the text in the file to numbers: base64, zlib, and the bytes of a layer. */

/**
 * Turn base64 into bytes.
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOfBase64(text) {
  const native = /** @type {any} */ (Uint8Array).fromBase64;
  if (native) return native(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let place = 0; place < raw.length; place++) bytes[place] = raw.charCodeAt(place);
  return bytes;
}

/**
 * Read little-endian float32, or float64 where `wide`, whatever the byte order of the machine.
 * @param {Uint8Array} bytes
 * @param {boolean} [wide]
 * @returns {Floats}
 */
export function floatsOfBytes(bytes, wide = false) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (wide) return Float64Array.from({ length: bytes.byteLength >> 3 }, (_, place) => view.getFloat64(8 * place, true));
  const floats = new Float32Array(bytes.byteLength >> 2);
  for (let place = 0; place < floats.length; place++) floats[place] = view.getFloat32(4 * place, true);
  return floats;
}

/**
 * Undo zlib with the browser's own decoder. A PNG would not do: some browsers add noise to pixels that pages read back.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Split the bytes of a layer in one run into their parts.
 *
 * @param {Uint8Array} bytes codes of kept channels x extent; with `extra` as many marks: 0 finite, 1 NaN, 2 +inf,
 *   3 -inf; a bit for each code 0 and 255, 1 where the value is exactly that end of the range. Where `exact`, float32
 *   instead, or float64 where also `wide`.
 * @param {{exact?: boolean, extra?: boolean, wide?: boolean}} entry
 * @param {number} count of values
 * @returns {Values}
 * @throws {Error} where the size is not the expected one
 */
export function unpack(bytes, entry, count) {
  if (entry.exact) {
    checkSize(bytes, (entry.wide ? 8 : 4) * count);
    return { codes: null, marks: null, ends: null, floats: floatsOfBytes(bytes, entry.wide) };
  }
  const planes = entry.extra ? 2 : 1;
  const codes = bytes.subarray(0, count);
  let places = 0;
  for (const code of codes) if (isEnd(code)) places++;
  checkSize(bytes, planes * count + Math.ceil(places / 8));
  return {
    codes,
    marks: entry.extra ? bytes.subarray(count, 2 * count) : null,
    ends: endsOfBits(codes, bytes.subarray(planes * count)),
    floats: null,
  };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} wanted
 */
function checkSize(bytes, wanted) {
  if (bytes.length !== wanted) throw new Error(`${bytes.length} bytes where ${wanted} were announced`);
}

/** @param {number} code */
function isEnd(code) {
  return code === 0 || code === 255;
}

/**
 * Return the bits of the ends, each at the place of its code.
 * @param {Uint8Array} codes
 * @param {Uint8Array} bits the first in the highest place
 * @returns {Uint8Array} 1 where a value is an end of its channel's range
 */
function endsOfBits(codes, bits) {
  const ends = new Uint8Array(codes.length);
  let bit = 0;
  for (let place = 0; place < codes.length; place++) {
    if (!isEnd(codes[place])) continue;
    ends[place] = (bits[bit >> 3] >> (7 - (bit & 7))) & 1;
    bit++;
  }
  return ends;
}

/**
 * Return the value of a code: the middle of its 256th of the channel's range, or the one value of a constant channel.
 * @param {number} code 0..255
 * @param {number} low
 * @param {number} high
 * @returns {number}
 */
export function valueOfCode(code, low, high) {
  if (low === high) return low;
  const part = (code + 0.5) / 256;
  const span = high - low;
  // The difference of two very large numbers may overflow.
  return Number.isFinite(span) ? low + part * span : low * (1 - part) + high * part;
}

/**
 * Return one value of a layer.
 * @param {Values} values
 * @param {Statistics} statistics
 * @param {number} channel the place among the kept channels
 * @param {number} offset of the position within the channel
 * @param {number} size values in a channel
 * @returns {number} NaN and infinities included
 */
export function valueAt(values, statistics, channel, offset, size) {
  const place = channel * size + offset;
  if (values.floats) return values.floats[place];
  const mark = values.marks ? values.marks[place] : 0;
  if (mark) return markValue(mark);
  const code = /** @type {Uint8Array} */ (values.codes)[place];
  const [low, high] = [statistics.low[channel], statistics.high[channel]];
  return values.ends?.[place] ? (code ? high : low) : valueOfCode(code, low, high);
}

/**
 * @param {number} mark 1, 2 or 3
 * @returns {number}
 */
export function markValue(mark) {
  return mark === 1 ? NaN : mark === 2 ? Infinity : -Infinity;
}
