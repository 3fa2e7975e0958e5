/** Pixels as a PNG file that no browser has touched: a canvas may add noise to what it hands out. */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

/**
 * Return pixels as the address of a PNG that holds just these colours.
 * @param {Uint32Array} pixels as a canvas has them, opaque: red in the lowest byte
 * @param {number} width
 * @returns {Promise<string>}
 */
export async function pngAddress(pixels, width) {
  const height = pixels.length / width;
  const colours = [...new Set(pixels)];
  const indexed = colours.length <= 256;
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 8);
  head.setUint8(9, indexed ? 3 : 2);
  const rows = indexed ? indexRows(pixels, width, colours) : colourRows(pixels, width);
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", new Uint8Array(head.buffer)),
    ...(indexed ? [chunk("PLTE", Uint8Array.from(colours.flatMap(bands)))] : []),
    chunk("IDAT", new Uint8Array(await new Response(packed).arrayBuffer())),
    chunk("IEND", new Uint8Array()),
  ];
  const text = parts.map((part) => Array.from(part, (byte) => String.fromCharCode(byte)).join("")).join("");
  return `data:image/png;base64,${btoa(text)}`;
}

/** @param {number} pixel */
function bands(pixel) {
  return [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
}

/**
 * Return the rows of a PNG, each after a 0 for no filter, as places in a list of colours.
 * @param {Uint32Array} pixels
 * @param {number} width
 * @param {readonly number[]} colours
 */
function indexRows(pixels, width, colours) {
  const places = new Map(colours.map((colour, place) => [colour, place]));
  const rows = new Uint8Array(pixels.length + pixels.length / width);
  pixels.forEach((pixel, place) => {
    rows[place + Math.floor(place / width) + 1] = /** @type {number} */ (places.get(pixel));
  });
  return rows;
}

/**
 * Return the rows of a PNG, each after a 0 for no filter, as colours.
 * @param {Uint32Array} pixels
 * @param {number} width
 */
function colourRows(pixels, width) {
  const rows = new Uint8Array(3 * pixels.length + pixels.length / width);
  pixels.forEach((pixel, place) => rows.set(bands(pixel), 3 * place + Math.floor(place / width) + 1));
  return rows;
}

/**
 * @param {string} name
 * @param {Uint8Array} data
 */
function chunk(name, data) {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(
    Array.from(name, (letter) => letter.charCodeAt(0)),
    4,
  );
  bytes.set(data, 8);
  view.setUint32(8 + data.length, checksum(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/**
 * Return the CRC-32 of bytes (PNG specification, annex D).
 * @param {Uint8Array} bytes
 */
function checksum(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
