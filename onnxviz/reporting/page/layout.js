/** A scene on a grid: how its tiles are laid out, and where each value lies. */

import { cornerOf, fitBands, fitZoom, layBands, layBars, layTiles } from "./grid.js";

/**
 * Lay out a scene.
 * @param {Scene} scene
 * @param {number | null} zoom
 * @param {{width: number, height: number, ratio: number}} room
 * @returns {Grid}
 */
export function layScene(scene, zoom, room) {
  const count = scene.channels.length;
  const { form, labels } = scene.layer;
  if (form === "vector") return layBars({ count, named: Boolean(labels) }, room);
  const { height, width } = scene;
  if (form === "band") {
    const gutter = Math.round((labels ? 120 : 44) * room.ratio);
    return layBands(
      {
        count,
        width,
        zoom: zoom ?? fitBands(width, room.width - gutter),
        gutter,
      },
      room,
    );
  }
  const tiles = { count, height, width, besides: scene.besides ? scene.besides.length / scene.layer.kept.length : 0 };
  return layTiles({ ...tiles, zoom: zoom ?? fitZoom(tiles, room) }, room);
}

/**
 * Return the stored position of a value in the slice that is shown.
 * @param {Scene} scene
 * @param {number} row
 * @param {number} column
 * @returns {number[]}
 */
export function positionOf(scene, row, column) {
  const { form, extent } = scene.layer;
  if (form === "volume") return [scene.slice, row, column];
  return extent.length === 2 ? [row, column] : extent.length === 1 ? [column] : [];
}

/**
 * Return the box of a value on the grid.
 * @param {Scene} scene
 * @param {Grid} grid
 * @param {number} shown the place of its channel in the order shown
 * @param {readonly number[]} position stored
 */
export function cellBox(scene, grid, shown, position) {
  const corner = cornerOf(grid, shown);
  if (scene.layer.form === "vector") return { ...corner, width: grid.tileWidth, height: grid.tileHeight };
  const column = position.at(-1) ?? 0;
  const row = position.length > 1 ? /** @type {number} */ (position.at(-2)) : 0;
  const side = Math.max(1, grid.zoom);
  const across = grid.zoom > 0 ? column * grid.zoom : Math.floor(column / -grid.zoom);
  const down = grid.zoom > 0 ? row * grid.zoom : Math.floor(row / -grid.zoom);
  if (grid.height === 1)
    return {
      x: corner.x + across,
      y: corner.y,
      width: side,
      height: grid.tileHeight,
    };
  return {
    x: corner.x + across,
    y: corner.y + down,
    width: side,
    height: side,
  };
}
