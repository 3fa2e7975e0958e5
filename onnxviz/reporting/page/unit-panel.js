/** The panel of one unit: its strongest patches, its histogram, its statistics, its classes, its files. */

import { shorten, wellFormed } from "./address.js";
import { byId, make } from "./dom.js";
import { formatNumber } from "./numbers.js";
import { paintPatch } from "./sprite.js";

const PATCH = 88;

/**
 * Show a unit.
 * @param {UnitsIndex} index
 * @param {UnitsLayer} facts
 * @param {MinedLayer} mined
 * @param {number} unit
 * @param {MinedPicture[]} pictures
 */
export function showUnit(index, facts, mined, unit, pictures) {
  byId("unit-title").textContent = `Unit ${unit}${mined.dead[unit] ? ", never above 0" : ""}`;
  const strongest = mined.strongest[unit];
  byId("patches").replaceChildren(
    ...strongest.flatMap((each, rank) => patchOf(index, facts, mined, unit, rank, pictures[each[0]])),
  );
  byId("files").replaceChildren(
    ...strongest.map(([picture]) => make("li", {}, linkTo(pictures[picture], shorten(pictures[picture][0], 300)))),
  );
  showBars(facts, mined, unit);
  showNumbers(mined, unit);
  const rows = mined.classes[unit];
  const means = rows.map(([, mean]) => mean);
  // Bars begin at 0, or where means are below it at the least of them: the highest class has the longest.
  const least = Math.min(0, ...means);
  const reach = Math.max(...means, 0) - least || 1;
  byId("classes-box").hidden = !rows.length;
  byId("classes").replaceChildren(
    ...rows.flatMap(([kind, mean]) => {
      const bar = make("span", kind === mined.strongest_class[unit] ? { class: "strong" } : {});
      bar.style.width = `${(100 * (mean - least)) / reach}%`;
      const name = make("dt", {}, make("bdi", {}, shorten(index.classes[kind], 60)));
      return [name, make("dd", {}, bar), make("dd", {}, formatNumber(mean))];
    }),
  );
}

/**
 * @param {UnitsIndex} index
 * @param {UnitsLayer} facts
 * @param {MinedLayer} mined
 * @param {number} unit
 * @param {number} rank
 * @param {MinedPicture} picture
 * @returns {HTMLElement[]}
 */
function patchOf(index, facts, mined, unit, rank, picture) {
  const shown = paintPatch(facts, mined.spots[unit], rank, PATCH);
  if (!shown) return [];
  const [, value, place] = mined.strongest[unit][rank];
  const [rows, columns] = facts.places;
  const link = linkTo(picture, shown);
  link.classList.add("patch");
  link.title = picture[0];
  if (facts.whole && columns) {
    // The place in the map, stretched over the picture as the light is.
    const mark = make("i");
    mark.style.top = `${(PATCH * (Math.floor(place / columns) + 0.5)) / rows}px`;
    mark.style.left = `${(PATCH * ((place % columns) + 0.5)) / columns}px`;
    link.append(mark);
  }
  const kind = picture[1] >= 0 ? `  ${shorten(index.classes[picture[1]], 60)}` : "";
  link.append(make("bdi", {}, formatNumber(value) + kind));
  return [link];
}

/**
 * @param {MinedPicture} picture
 * @param {string | Node} child
 * @returns {HTMLElement} a link, where there is a file to lead to
 */
function linkTo([path, , leads], child) {
  if (!leads) return make("span", {}, child);
  return make(
    "a",
    {
      href: path
        .split("/")
        .map((part) => encodeURIComponent(wellFormed(part)))
        .join("/"),
    },
    child,
  );
}

/** @param {UnitsLayer} facts @param {MinedLayer} mined @param {number} unit */
function showBars(facts, mined, unit) {
  const [bars, first, last] = mined.bars[unit];
  byId("bars-box").hidden = !bars.length;
  byId("bars").replaceChildren(
    ...bars.map((tall, place) => {
      const bar = make("span", first <= place && place <= last ? { class: "strong" } : {});
      bar.style.height = `${tall}%`;
      return bar;
    }),
  );
  const [low, high] = facts.ends;
  byId("bars-low").textContent = formatNumber(low);
  byId("bars-high").textContent = formatNumber(high);
  byId("bars").setAttribute("aria-label", `histogram, ${formatNumber(low)} to ${formatNumber(high)}`);
}

/** @param {MinedLayer} mined @param {number} unit */
function showNumbers(mined, unit) {
  const { mean, std, alive, full, high, selectivity } = mined;
  const share = (/** @type {number | null} */ part) => (part === null ? null : `${formatNumber(100 * part)} %`);
  const number = (/** @type {number | null} */ value) => (value === null ? null : formatNumber(value));
  /** @type {[string, string | null][]} */
  const rows = [
    ["strongest", number(high[unit])],
    ["mean", number(mean[unit])],
    ["deviation of the pictures' means", number(std[unit])],
    ["above 0 in", share(alive[unit])],
    ["at its ceiling in", full[unit] ? share(full[unit]) : null],
    ["selectivity", number(selectivity[unit])],
  ];
  byId("numbers").replaceChildren(
    ...rows.flatMap(([name, text]) => (text === null ? [] : [make("dt", {}, name), make("dd", {}, text)])),
  );
}
