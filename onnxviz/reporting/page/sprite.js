/** The strongest patches of a unit, cut out of its layer's contact sheet by the browser. */

import { make } from "./dom.js";

/**
 * Return how wide all patches of a unit are together, in pixels of the sheet.
 * @param {Sheets} sheets
 */
export function sideOf({ side, patch }) {
  return side * (patch + 1) - 1;
}

/**
 * Return all patches of a unit. The pixel between them shows what is behind; on the sheet it has its theme's colour.
 * @param {Sheets} sheets
 * @param {UnitSpot} spot
 * @param {number} zoom
 * @returns {HTMLElement | null} null where it is on no sheet
 */
export function paintPatches(sheets, spot, zoom) {
  const side = sideOf(sheets);
  const shown = sheetWindow(sheets, spot, { down: 0, across: 0, size: side, zoom });
  if (!shown) return null;
  const [patch, step] = [zoom * sheets.patch, zoom * (sheets.patch + 1)];
  const gaps = ["right", "bottom"].map(
    (way) => `repeating-linear-gradient(to ${way}, #000 0 ${patch}px, transparent ${patch}px ${step}px)`,
  );
  shown.style.maskImage = gaps.join(", ");
  shown.style.maskComposite = "intersect";
  return shown;
}

/**
 * Return one of the strongest patches of a unit.
 * @param {Sheets} sheets
 * @param {UnitSpot} spot
 * @param {number} rank
 * @param {number} size pixels
 * @returns {HTMLElement | null} null where it is on no sheet
 */
export function paintPatch(sheets, spot, rank, size) {
  const step = sheets.patch + 1;
  const [down, across] = [Math.floor(rank / sheets.side) * step, (rank % sheets.side) * step];
  return sheetWindow(sheets, spot, { down, across, size: sheets.patch, zoom: size / sheets.patch });
}

/**
 * Return a square window onto a sheet.
 * @param {Sheets} sheets
 * @param {UnitSpot} spot
 * @param {{down: number, across: number, size: number, zoom: number}} part from the unit's corner on
 */
function sheetWindow({ sheets }, [place, top, left], { down, across, size, zoom }) {
  if (place < 0) return null;
  const { file, width, height } = sheets[place];
  const shown = make("span", { class: "sprite" });
  shown.style.backgroundImage = `url("${file}")`;
  shown.style.backgroundPosition = `${-zoom * (left + across)}px ${-zoom * (top + down)}px`;
  shown.style.backgroundSize = `${zoom * width}px ${zoom * height}px`;
  shown.style.width = `${zoom * size}px`;
  shown.style.height = `${zoom * size}px`;
  return shown;
}
