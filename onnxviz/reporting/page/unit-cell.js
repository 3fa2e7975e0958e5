/** The cell of a unit: its strongest patches, cut out of the layer's contact sheet by the browser. */

import { make } from "./dom.js";
import { formatNumber } from "./numbers.js";

/**
 * Make the cell of a unit.
 * @param {UnitsIndex} index
 * @param {UnitsLayer} facts
 * @param {MinedLayer} mined
 * @param {number} unit
 * @returns {HTMLElement}
 */
export function paintCell(index, facts, mined, unit) {
  const cell = make("button", { class: "unit", type: "button", "data-unit": String(unit) });
  const spot = spotOf(facts, mined, unit);
  if (spot) {
    const side = spot.side * (facts.patch + 1) - 1;
    cell.append(sheetWindow(spot, 0, 0, side, side, 1));
    cell.style.width = `${Math.max(side, 84)}px`;
    cell.style.containIntrinsicSize = `${side}px ${side + 20}px`;
  }
  const kind = mined.strongest_class[unit];
  const most = mined.of_that_class[unit];
  const high = mined.high[unit];
  const words = make("span", { class: "words" }, make("b", {}, String(unit)));
  words.append(mined.dead[unit] ? "never above 0" : high === null ? "" : formatNumber(high));
  if (kind >= 0) {
    const mixed = 9 * most < 4 * index.k;
    const text = mixed ? "mixed" : `${index.classes[kind].slice(0, 60)} ${most}`;
    words.append(make("bdi", { class: 9 * most >= 7 * index.k ? "pure" : "muted" }, text));
  }
  cell.append(words);
  return cell;
}

/**
 * Return one of the strongest patches of a unit, drawn larger.
 * @param {UnitsLayer} facts
 * @param {MinedLayer} mined
 * @param {number} unit
 * @param {number} rank
 * @param {number} size pixels
 * @returns {HTMLElement | null} null where it is on no sheet
 */
export function paintPatch(facts, mined, unit, rank, size) {
  const spot = spotOf(facts, mined, unit);
  if (!spot) return null;
  const [row, column] = [Math.floor(rank / spot.side), rank % spot.side];
  const step = facts.patch + 1;
  return sheetWindow(spot, row * step, column * step, facts.patch, facts.patch, size / facts.patch);
}

/**
 * @typedef {{file: string, top: number, left: number, height: number, width: number, side: number}} Spot
 * @param {UnitsLayer} facts
 * @param {MinedLayer} mined
 * @param {number} unit
 * @returns {Spot | null} where on which sheet the unit is
 */
function spotOf(facts, mined, unit) {
  const [place, top, left] = mined.spots[unit];
  if (place < 0) return null;
  return { ...facts.sheets[place], top, left, side: facts.side };
}

/**
 * Return a window onto a sheet.
 * @param {Spot} spot
 * @param {number} down from the unit's corner
 * @param {number} across
 * @param {number} height
 * @param {number} width
 * @param {number} zoom
 */
function sheetWindow(spot, down, across, height, width, zoom) {
  const shown = make("span", { class: "sprite" });
  const address = spot.file.split("/").map(encodeURIComponent).join("/");
  shown.style.backgroundImage = `url("${address}")`;
  shown.style.backgroundPosition = `${-zoom * (spot.left + across)}px ${-zoom * (spot.top + down)}px`;
  shown.style.backgroundSize = `${zoom * spot.width}px ${zoom * spot.height}px`;
  shown.style.width = `${zoom * width}px`;
  shown.style.height = `${zoom * height}px`;
  return shown;
}
