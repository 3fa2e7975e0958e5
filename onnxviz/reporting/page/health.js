/** What is not well: a badge on a row of the tree, the list of these layers, and the tree without the others. */

import { shorten } from "./address.js";
import { byId, make } from "./dom.js";
import { formatNumber, plural } from "./numbers.js";
import { layerIn, runWith } from "./scene.js";

// Past these shares a layer is not well; any value that is not finite is too many.
const MOST_DEAD = 0.5;
const MOST_SATURATED = 0.05;

/**
 * Return how many values of a layer are not finite, in words; empty where all are.
 * @param {LayerHealth | undefined} health
 */
export function notFinite(health) {
  const counts = [health?.nan && `${count(health.nan)} NaN`, health?.inf && `${count(health.inf)} inf`];
  return counts.filter(Boolean).join(", ");
}

/**
 * Return the share of values at an end of what a layer can hold, in words; empty where there are none.
 * @param {LayerHealth | undefined} health
 */
export function saturation(health) {
  const share = shareSaturated(health);
  return share ? `${formatNumber(100 * share, 2)} % saturated` : "";
}

/**
 * Return why a layer is not well in a run: a word for a badge, all in words, and whether a value is not finite.
 * @param {LayerHealth | undefined} health
 * @returns {Finding | null} null where it is well
 */
export function ailment(health) {
  if (!health) return null;
  const dead = health.dead > MOST_DEAD * health.channels;
  const saturated = shareSaturated(health) > MOST_SATURATED;
  const badges = [health.nan && "NaN", health.inf && "inf", dead && "dead", saturated && "saturated"].filter(Boolean);
  if (!badges.length) return null;
  const words = [
    notFinite(health),
    dead && `${count(health.dead)} of ${plural(health.channels, "channel")} dead`,
    saturated && saturation(health),
  ];
  return {
    badge: String(badges[0]),
    words: words.filter(Boolean).join(", "),
    severe: Boolean(health.nan || health.inf),
    kind: "not finite",
  };
}

/** The list of the layers that are not well, above the tree. */
export class HealthList {
  /**
   * @param {readonly Layer[]} layers
   * @param {(layer: number) => void} open
   * @param {() => void} filter is called when the tree is to show only these layers, or all again
   */
  constructor(layers, open, filter) {
    this.layers = layers;
    this.open = open;
    /** @type {Set<number>} */
    this.found = new Set();
    this.only = byId("health-only");
    this.only.addEventListener("change", filter);
  }

  /**
   * Show the badges and the list: over all inputs where their counts are pooled, else for a run; a layer that the run
   * lacks is that of the first run that has it.
   * @param {number} wanted
   * @param {readonly HTMLElement[]} rows the row of each layer
   */
  show(wanted, rows) {
    const ailments = this.layers.map((named) => {
      const run = runWith(named, wanted);
      return named.finding ?? ailment(named.pooled ?? layerIn(named, run).runs[run]?.health);
    });
    this.found = new Set(ailments.flatMap((found, place) => (found ? [place] : [])));
    rows.forEach((row, place) => mark(row, ailments[place]));
    const severe = ailments.findIndex((found) => found?.severe);
    const kind = ailments[severe]?.kind;
    const first = severe < 0 ? "" : ` · first ${kind}: ${shorten(this.layers[severe].name, 60)}`;
    const verb = this.found.size === 1 ? "is" : "are";
    byId("health").hidden = !this.found.size;
    const over = this.layers.some((layer) => layer.pooled) ? " over all inputs" : "";
    byId("health-words").textContent = `${plural(this.found.size, "layer")} ${verb} not well${over}${first}`;
    byId("health-list").replaceChildren(...[...this.found].map((place) => this.entry(place, ailments[place]?.words)));
  }

  /**
   * Return whether the tree shows a layer.
   * @param {number} place
   */
  keeps(place) {
    return !this.only.checked || !this.found.size || this.found.has(place);
  }

  /**
   * @param {number} place
   * @param {string | undefined} words
   */
  entry(place, words) {
    const name = make("bdi", { class: "layer-name" }, shorten(this.layers[place].name, 200));
    const button = make("button", { type: "button" }, name, make("span", { class: "layer-facts" }, words ?? ""));
    button.addEventListener("click", () => this.open(place));
    return make("li", {}, button);
  }
}

/**
 * Put a badge on a row of the tree, or take it off.
 * @param {HTMLElement} row
 * @param {ReturnType<typeof ailment>} found
 */
function mark(row, found) {
  const badge = /** @type {HTMLElement} */ (row.querySelector(".layer-badge"));
  badge.hidden = !found;
  badge.textContent = found?.badge ?? "";
  badge.title = found?.words ?? "";
  badge.classList.toggle("severe", Boolean(found?.severe));
}

/** @param {LayerHealth | undefined} health */
function shareSaturated(health) {
  return health?.values ? (health.saturated_low + health.saturated_high) / health.values : 0;
}

/** @param {number} number */
function count(number) {
  return number.toLocaleString("en");
}
