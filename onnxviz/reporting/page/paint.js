/** Tiles of pixels: every value a square of one colour, written pixel by pixel so that nothing is smoothed. */

import { zoomed } from "./grid.js";

/**
 * Paint one map, or the part of it that lies on the target.
 *
 * Below zoom 1 a pixel has the colour of the mean of its values, or the mark of a mean that is not finite.
 *
 * @param {Target} target
 * @param {{x: number, y: number}} at the map's upper left corner; may lie outside
 * @param {Tile} tile
 */
export function paintMap(target, at, tile) {
  const { width, height } = tile;
  const [outWidth, outHeight] = [zoomed(width, tile.zoomX), zoomed(height, tile.zoomY)];
  const left = Math.max(0, -at.x);
  const right = Math.min(outWidth, target.width - at.x);
  const bottom = Math.min(outHeight, target.height - at.y);
  if (right <= left) return;
  const line = new Uint32Array(outWidth);
  const visible = line.subarray(left, right);
  const repeat = Math.max(1, tile.zoomY);
  let filled = -1;
  for (let y = Math.max(0, -at.y); y < bottom; y++) {
    const row = Math.floor(y / repeat);
    if (row !== filled) fillLine(line, tile, row);
    filled = row;
    target.pixels.set(visible, (at.y + y) * target.width + at.x + left);
  }
}

/**
 * @param {Uint32Array} line
 * @param {Tile} tile
 * @param {number} row of the reduced map
 */
function fillLine(line, tile, row) {
  const repeat = Math.max(1, tile.zoomX);
  const plain = tile.zoomX > 0 && tile.zoomY > 0;
  const start = tile.offset + row * tile.width;
  for (let x = 0, column = 0; x < line.length; x += repeat, column++) {
    const pixel = plain ? pixelAt(tile, start + column) : meanPixel(tile, row, column);
    if (repeat === 1) line[x] = pixel;
    else line.fill(pixel, x, x + repeat);
  }
}

/**
 * @param {Tile} tile
 * @param {number} place
 */
function pixelAt(tile, place) {
  const mark = tile.marks ? tile.marks[place] : 0;
  return mark ? tile.markPixels[mark] : tile.table[tile.codes[place]];
}

/**
 * @param {Tile} tile
 * @param {number} row
 * @param {number} column
 */
function meanPixel(tile, row, column) {
  const [down, across] = [Math.max(1, -tile.zoomY), Math.max(1, -tile.zoomX)];
  let [sum, count, seen] = [0, 0, 0];
  for (let y = row * down; y < Math.min(tile.height, (row + 1) * down); y++) {
    for (let x = column * across; x < Math.min(tile.width, (column + 1) * across); x++) {
      const place = tile.offset + y * tile.width + x;
      if (tile.marks) seen |= 1 << tile.marks[place];
      sum += tile.codes[place];
      count++;
    }
  }
  return seen > 1 ? tile.markPixels[markOfMean(seen)] : tile.table[Math.round(sum / count)];
}

/**
 * Return the mark of a mean: of NaN, or of both infinities, it is NaN.
 * @param {number} seen a bit for each mark among the values
 */
function markOfMean(seen) {
  return seen & 2 || (seen & 12) === 12 ? 1 : seen & 4 ? 2 : 3;
}

/**
 * Paint the hatching of a constant map.
 * @param {Target} target
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {{line: number, back: number, ratio: number}} look
 */
export function paintHatch(target, box, look) {
  const period = Math.max(4, Math.round(6 * look.ratio));
  const thick = Math.max(1, Math.round(look.ratio));
  for (let y = Math.max(0, box.y); y < Math.min(target.height, box.y + box.height); y++) {
    for (let x = Math.max(0, box.x); x < Math.min(target.width, box.x + box.width); x++) {
      target.pixels[y * target.width + x] = (x - box.x + y - box.y) % period < thick ? look.line : look.back;
    }
  }
}

/**
 * Paint a box of one colour, or the part of it that lies on the target.
 * @param {Target} target
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {number} pixel
 */
export function paintBox(target, box, pixel) {
  const left = Math.max(0, box.x);
  const right = Math.min(target.width, box.x + box.width);
  if (right <= left) return;
  for (let y = Math.max(0, box.y); y < Math.min(target.height, box.y + box.height); y++) {
    target.pixels.fill(pixel, y * target.width + left, y * target.width + right);
  }
}

/**
 * Paint the corner that marks a tile with values that are not finite.
 * @param {Target} target
 * @param {{x: number, y: number}} corner the tile's upper right corner
 * @param {number} side
 * @param {number} pixel
 */
export function paintCorner(target, corner, side, pixel) {
  for (let row = 0; row < side; row++) {
    paintBox(
      target,
      {
        x: corner.x - side + row,
        y: corner.y + row,
        width: side - row,
        height: 1,
      },
      pixel,
    );
  }
}
