/** The chosen channel on every input, all on one scale. */

import { shorten } from "./address.js";
import { byId, make } from "./dom.js";
import { formatNumber, formatRange } from "./numbers.js";
import { channelName, valueIn } from "./scene.js";
import { nameLine, thumbnail } from "./thumbnail.js";
import { fits } from "./visit.js";

/** The channel on every input. */
export class Across {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.turn = 0;
  }

  /** Show the chosen channel. */
  async show() {
    const { state, index } = this.app;
    const { runs } = index.layers[state.layer];
    const having = index.runs.map((_, run) => run).filter((run) => runs[run]);
    byId("across").hidden = having.length < 2;
    if (having.length < 2) return;
    const turn = ++this.turn;
    const scenes = await Promise.all(having.map((run) => this.app.sceneOf(state.layer, run)));
    const { place } = state;
    if (turn !== this.turn || place === null) return;
    const shown = scenes.filter((scene) => scene !== null);
    const [low, high] = rangeOf(shown, place);
    byId("across-words").textContent = low <= high ? `one scale, ${formatRange(low, high)}` : "no finite value";
    byId("across-list").replaceChildren(
      ...shown.map((scene) => this.item(low <= high ? onScale(scene, place, low, high) : scene, place)),
    );
  }

  /**
   * @param {Scene} scene
   * @param {number} place
   */
  item(scene, place) {
    const { state, index } = this.app;
    const { name } = index.runs[scene.run];
    const button = make("button", {
      class: "tile",
      type: "button",
      "aria-pressed": String(scene.run === state.run),
      "aria-label": `Show ${shorten(name, 200)}`,
    });
    button.append(thumbnail(scene, place));
    button.addEventListener("click", () => this.app.change({ run: scene.run }, false));
    const words = factOf(scene, place, state.position);
    const facts = make(
      "span",
      { class: "tile-facts" },
      // What is explained of another input may be another class.
      ...(scene.layer.explains ? [make("bdi", {}, shorten(channelName(scene.layer, place), 40)), " · "] : []),
      words,
    );
    return make("li", {}, button, nameLine(name), facts);
  }
}

/**
 * Return the value at the chosen position as text, or else the greatest.
 * @param {Scene} scene
 * @param {number} place
 * @param {readonly number[] | null} position
 */
function factOf(scene, place, position) {
  if (scene.layer.form === "vector") return formatNumber(valueIn(scene, place, []).value);
  if (position && fits(scene.layer, position)) return formatNumber(valueIn(scene, place, position).value);
  return `max ${formatNumber(scene.statistics.high[place])}`;
}

/**
 * @param {readonly Scene[]} scenes
 * @param {number} place
 * @returns {[number, number]} the first above the second where no value is finite
 */
function rangeOf(scenes, place) {
  const finite = scenes.map(({ statistics }) => statistics).filter(({ low }) => !Number.isNaN(low[place]));
  return [Math.min(...finite.map(({ low }) => low[place])), Math.max(...finite.map(({ high }) => high[place]))];
}

/**
 * @param {Scene} scene
 * @param {number} place
 * @param {number} low
 * @param {number} high
 * @returns {Scene}
 */
function onScale(scene, place, low, high) {
  const limits = {
    ...scene.limits,
    low: Float64Array.from(scene.limits.low),
    high: Float64Array.from(scene.limits.high),
  };
  limits.low[place] = low;
  limits.high[place] = high;
  return { ...scene, limits, tables: new Map() };
}
