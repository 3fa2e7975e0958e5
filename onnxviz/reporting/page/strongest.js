/** What `mine` found of a channel: its strongest patches in a data set, which lead to its unit on the page of units. */

import { byId } from "./dom.js";
import { paintPatches, sideOf } from "./sprite.js";
import { formatUnitAddress } from "./unit-address.js";

// By how much the patches are enlarged at most; the panel may have less room.
const LARGEST = 2;

/**
 * Show the strongest patches of a channel, where they are known.
 * @param {Layer} layer
 * @param {number} place
 */
export function showStrongest({ name, units, kept }, place) {
  byId("strongest-box").hidden = !units;
  if (!units) return;
  const channel = kept[place];
  const patches = paintPatches(
    units,
    units.spots[channel],
    Math.min(LARGEST, byId("strongest-box").clientWidth / sideOf(units)),
  );
  byId("strongest-words").textContent = units.words;
  byId("strongest-patches").replaceChildren(...(patches ? [patches] : []));
  byId("strongest-link").textContent = patches ? `Unit ${channel} among all units` : `Unit ${channel} has no patches`;
  for (const id of ["strongest-patches", "strongest-link"]) {
    byId(id).href = `${units.page}#${formatUnitAddress(name, channel)}`;
  }
}
