/** Where each tile lies on the stage. All lengths are pixels of the screen, so that every value has a whole number. */

/** The zooms offered: above zero the pixels a value has on a side, below the values that one pixel stands for. */
export const ZOOMS = [
  -16, -12, -8, -6, -4, -3, -2, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96,
];

/**
 * Return how many pixels a number of values takes at a zoom.
 * @param {number} count
 * @param {number} zoom
 */
export function zoomed(count, zoom) {
  return zoom > 0 ? count * zoom : Math.ceil(count / -zoom);
}

/**
 * Return how values at the left of tiles are laid out: in columns, each value as large as those of a map, or larger
 * where these are tiny.
 * @param {{besides?: number, zoom: number}} tiles
 * @param {number} height of a tile
 * @param {(css: number) => number} px
 * @returns {Beside | null}
 */
function layBesides({ besides, zoom }, height, px) {
  if (!besides) return null;
  const side = Math.max(zoom, Math.min(px(5), height));
  const rows = Math.max(1, Math.floor(height / side));
  return { side, rows, before: Math.ceil(besides / rows) * side + px(2) };
}

/**
 * Return the boxes of the values at the left of a tile.
 * @param {Grid} grid
 * @param {{x: number, y: number}} corner of the tile
 * @param {number} count
 */
export function besideBoxes({ beside }, corner, count) {
  if (!beside) return [];
  const { rows, side, before } = beside;
  return Array.from({ length: count }, (_, place) => ({
    x: corner.x - before + Math.floor(place / rows) * side,
    y: corner.y + (place % rows) * side,
    width: side,
    height: side,
  }));
}

/**
 * Lay out tiles of maps.
 *
 * @param {{count: number, height: number, width: number, zoom: number, besides?: number}} tiles besides: values at the
 *   left of each
 * @param {{width: number, ratio: number}} stage ratio: pixels of the screen to one of CSS
 * @returns {Grid}
 */
export function layTiles(tiles, stage) {
  const px = (/** @type {number} */ css) => Math.round(css * stage.ratio);
  const [width, height] = [zoomed(tiles.width, tiles.zoom), zoomed(tiles.height, tiles.zoom)];
  const labelled = width >= px(30);
  const barred = width >= px(14);
  const gap = labelled ? px(8) : barred ? px(4) : px(2);
  const below = (barred ? px(5) : 0) + (labelled ? px(16) : 0);
  const beside = layBesides(tiles, height, px);
  const gutter = beside ? beside.before : 0;
  const stepX = gutter + width + gap;
  return finished(
    {
      ...tiles,
      tileWidth: width,
      tileHeight: height,
      labelled,
      barred,
      gutter,
      beside,
    },
    {
      columns: Math.max(1, Math.floor((stage.width + gap) / stepX)),
      stepX,
      stepY: height + below + (labelled ? px(6) : gap),
      below,
    },
  );
}

/**
 * Lay out 1-D maps, one below the other, with their names at the left.
 *
 * @param {{count: number, width: number, zoom: number, gutter: number}} bands gutter: the room for names
 * @param {{height: number, ratio: number}} stage
 * @returns {Grid}
 */
export function layBands(bands, stage) {
  const px = (/** @type {number} */ css) => Math.round(css * stage.ratio);
  const row = Math.max(px(4), Math.min(px(28), Math.floor(stage.height / bands.count)));
  const gap = row >= px(6) ? px(2) : 0;
  const shape = {
    count: bands.count,
    height: 1,
    width: bands.width,
    zoom: bands.zoom,
  };
  const tile = {
    tileWidth: zoomed(bands.width, bands.zoom),
    tileHeight: row - gap,
    labelled: true,
    barred: false,
  };
  return finished(
    { ...shape, ...tile, gutter: bands.gutter, beside: null },
    { columns: 1, stepX: tile.tileWidth, stepY: row, below: 0 },
  );
}

/**
 * Lay out the values of a vector as rows of bars.
 *
 * @param {{count: number, named: boolean}} bars
 * @param {{width: number, ratio: number}} stage
 * @returns {Grid}
 */
export function layBars(bars, stage) {
  const px = (/** @type {number} */ css) => Math.round(css * stage.ratio);
  const gap = px(28);
  const least = px(bars.named ? 420 : 190);
  const columns = Math.max(1, Math.min(bars.count, Math.floor((stage.width + gap) / (least + gap))));
  const width = Math.min(px(bars.named ? 680 : 380), Math.floor((stage.width + gap) / columns) - gap);
  const tile = {
    tileWidth: width,
    tileHeight: px(20),
    labelled: true,
    barred: false,
    gutter: 0,
    beside: null,
  };
  return finished(
    { count: bars.count, height: 1, width: 1, zoom: 1, ...tile },
    { columns, stepX: width + gap, stepY: px(22), below: 0 },
  );
}

/**
 * @param {Omit<Grid, "columns" | "stepX" | "stepY" | "below" | "rows" | "totalWidth" | "totalHeight">} tile
 * @param {{columns: number, stepX: number, stepY: number, below: number}} steps
 * @returns {Grid}
 */
function finished(tile, steps) {
  const columns = Math.max(1, Math.min(steps.columns, tile.count));
  const rows = Math.ceil(tile.count / columns);
  return {
    ...tile,
    ...steps,
    columns,
    rows,
    totalWidth: tile.gutter + (columns - 1) * steps.stepX + tile.tileWidth,
    totalHeight: Math.max(0, (rows - 1) * steps.stepY + tile.tileHeight + steps.below),
  };
}

/**
 * Return the upper left corner of a tile.
 * @param {Grid} grid
 * @param {number} place in the order shown
 */
export function cornerOf(grid, place) {
  return {
    x: grid.gutter + (place % grid.columns) * grid.stepX,
    y: Math.floor(place / grid.columns) * grid.stepY,
  };
}

/**
 * Return the tile and the value under a point of the grid.
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 * @returns {{place: number, row: number, column: number} | null}
 */
export function hitTile(grid, x, y) {
  const column = Math.floor((x - grid.gutter) / grid.stepX);
  const row = Math.floor(y / grid.stepY);
  const place = row * grid.columns + column;
  if (x < grid.gutter || y < 0 || column >= grid.columns || place >= grid.count) return null;
  const across = x - grid.gutter - column * grid.stepX;
  const down = y - row * grid.stepY;
  if (across >= grid.tileWidth || down >= grid.tileHeight + grid.below) return null;
  const value = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ count) =>
    Math.max(0, Math.min(count - 1, Math.floor((at * count) / size)));
  // Below zoom 1 a pixel stands for several values: the first of them is meant.
  return {
    place,
    row:
      grid.zoom > 0 || grid.height === 1
        ? value(down, grid.tileHeight, grid.height)
        : Math.min(grid.height - 1, down * -grid.zoom),
    column: grid.zoom > 0 ? value(across, grid.tileWidth, grid.width) : Math.min(grid.width - 1, across * -grid.zoom),
  };
}

/**
 * Choose the zoom at which all maps fit on the stage or, if they would be too small to see anything, the one at which
 * they are just large enough.
 *
 * @param {{count: number, height: number, width: number, besides?: number}} tiles
 * @param {{width: number, height: number, ratio: number}} stage
 * @returns {number}
 */
export function fitZoom(tiles, stage) {
  const longer = Math.max(tiles.height, tiles.width);
  const least = (tiles.count > 400 ? 40 : 64) * stage.ratio;
  const most = 420 * stage.ratio;
  let best = ZOOMS[0];
  let filled = 0;
  for (const zoom of ZOOMS) {
    const grid = layTiles({ ...tiles, zoom }, stage);
    const side = zoomed(longer, zoom);
    if (grid.totalWidth > stage.width) break;
    const fits = grid.totalHeight <= stage.height && side <= most;
    // Of the zooms that are just large enough, the one whose rows fill the stage best.
    const fills = side <= 1.5 * least && grid.totalWidth > filled;
    if (!fits && zoomed(longer, best) >= least && !fills) continue;
    best = zoom;
    filled = grid.totalWidth;
  }
  return best;
}

/**
 * Choose the zoom at which 1-D maps are as wide as the stage.
 * @param {number} width values
 * @param {number} room pixels
 */
export function fitBands(width, room) {
  return ZOOMS.filter((zoom) => zoomed(width, zoom) <= room).at(-1) ?? ZOOMS[0];
}
