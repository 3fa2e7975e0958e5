/** The cell of a unit: its strongest patches, its greatest number, its class. */

import { make } from "./dom.js";
import { formatNumber } from "./numbers.js";
import { paintPatches, sideOf } from "./sprite.js";

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
  const patches = paintPatches(facts, mined.spots[unit], 1);
  if (patches) {
    const side = sideOf(facts);
    cell.append(patches);
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
