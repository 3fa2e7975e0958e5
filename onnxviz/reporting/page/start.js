/** The start: the picture, what the model says, and a row for each stage of the network, which leads into a layer. */

import { shorten } from "./address.js";
import { shownLayer } from "./attention.js";
import { byId, make } from "./dom.js";
import { fieldWindow, withPatches } from "./field.js";
import { heatOver } from "./picture.js";
import { formatNumber, formatShape } from "./numbers.js";
import { orderChannels } from "./order.js";
import { layerIn } from "./scene.js";
import { ownLayers, splitStages } from "./stages.js";
import { thumbnail } from "./thumbnail.js";

// How many channels a row shows; narrow windows hide the last of them.
const ROW_CHANNELS = 7;

/** The start of the page, in place of a layer. */
export class Start {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    const { layers } = app.index;
    this.stages = splitStages(layers);
    const own = new Set(ownLayers(layers));
    this.explained = layers.flatMap((_, place) => (own.has(place) ? [] : [place]));
    this.turn = 0;
  }

  /** Whether there is more than one layer to choose from, so that a page begins with it. */
  get useful() {
    return this.app.index.layers.length > 1;
  }

  /** The layers of which it shows maps. */
  get layers() {
    return [...this.explained, ...this.stages.map((stage) => stage.shows)];
  }

  /** Whether it is shown. */
  get shown() {
    return document.body.classList.contains("at-start");
  }

  /**
   * Show the start in place of a layer, or the layer again.
   * @param {boolean} shown
   */
  toggle(shown) {
    document.body.classList.toggle("at-start", shown);
    byId("start").hidden = !shown;
    byId("home").setAttribute("aria-pressed", String(shown));
  }

  /** Write the start for the chosen run. */
  async show() {
    const { index, state } = this.app;
    const run = index.runs[state.run];
    const turn = ++this.turn;
    byId("run").value = String(state.run);
    const { name, lead } = index.model;
    const network = shorten(name.replace(/\.onnx$/i, ""), 80) || "the network";
    byId("start-title").textContent = lead ? shorten(name, 120) : `What ${network} sees`;
    byId("start-picture").hidden = !run.picture;
    if (run.picture) byId("start-picture").src = run.picture.uri;
    const stages = this.stages.filter((stage) => index.layers[stage.shows].runs[state.run]);
    byId("start-words").replaceChildren(...startSentences(index, state.run, stages).map((text) => make("p", {}, text)));
    byId("start-said").hidden = !run.classes.length;
    byId("start-classes").replaceChildren(...run.classes.flatMap(classRow));
    const explained = this.explained.filter((layer) => index.layers[layer].runs[state.run]);
    const rows = [...explained.map((layer) => this.reasons(layer)), ...stages.map((stage) => this.row(stage))];
    byId("start-rows").replaceChildren(...rows.map(({ item }) => item));
    // In one question; what it cannot answer is asked once more by each row, which then stays empty.
    await this.app.live?.refresh(this.layers).catch(() => {});
    const fill = async (/** @type {{layer: number, strip: HTMLElement}} */ { layer, strip }) => {
      const scene = await this.app.sceneOf(layer, state.run);
      if (scene && turn === this.turn) strip.replaceChildren(...rowTiles(scene, this.app.picture));
    };
    // The browser inflates them beside each other.
    await Promise.all(rows.map(fill));
    if (turn === this.turn) byId("start").dataset.ready = String(Math.round(performance.now()));
  }

  /** @param {LayerStage} stage */
  row(stage) {
    const { index, state } = this.app;
    const stored = withPatches(layerIn(index.layers[stage.shows], state.run), index.runs[state.run].picture);
    const layer = shownLayer(stored, state.query);
    return this.button(stage.shows, layer.name, stageWords(layer, stage));
  }

  /**
   * Return a row of what explains the answer, or units.
   * @param {number} place
   */
  reasons(place) {
    const { name, notes = [], explains } = this.app.index.layers[place];
    return this.button(place, `${explains === "unit" ? "What drives it?" : "Why this answer?"} ${name}`, notes);
  }

  /**
   * Return a row that leads to a layer, with a strip that is still empty.
   * @param {number} layer
   * @param {string} name
   * @param {readonly string[]} words
   */
  button(layer, name, words) {
    const strip = make("span", { class: "start-strip", "aria-hidden": "true" });
    const button = make(
      "button",
      { class: "start-row", type: "button" },
      make(
        "span",
        { class: "start-name" },
        make("bdi", {}, shorten(name, 120)),
        ...words.map((text) => make("span", { class: "start-facts" }, text)),
      ),
      strip,
    );
    button.addEventListener("click", () => this.app.open(layer));
    return { layer, item: make("li", {}, button), strip };
  }
}

/**
 * Return the maps that a row shows: the channels that say most, or the input under each explanation, with its name.
 * @param {Scene} scene
 * @param {Picture | null} picture
 */
function rowTiles(scene, picture) {
  const { layer, statistics } = scene;
  if (layer.explains && picture) {
    return layer.kept.slice(0, ROW_CHANNELS).map((channel, place) => {
      const name = make("bdi", { class: "start-facts" }, shorten(layer.labels?.[channel] ?? "", 60));
      return make("span", { class: "start-reason" }, heatOver(scene, place, picture), name);
    });
  }
  const most = layer.form === "vector" ? "strength" : "deviation";
  return orderChannels(most, statistics)
    .slice(0, ROW_CHANNELS)
    .map((channel) => thumbnail(scene, channel));
}

/**
 * Return what is said of the layer that stands for a stage.
 * @param {Layer} layer
 * @param {LayerStage} stage
 * @returns {string[]}
 */
function stageWords(layer, stage) {
  const more = stage.layers > 1 ? `the last of ${stage.layers} layers of this size` : "";
  const { steps, form, channels } = layer;
  const size = mapSize(layer);
  const units =
    form !== "vector" ? `${channels} channels${size ? ` of ${size}` : ""}` : steps ? "" : `${channels} units`;
  const what = [units, steps?.words].filter(Boolean).join(", ");
  return [what, seesWords(layer), more].filter(Boolean);
}

/**
 * Return the size of a map, without its steps; empty where nothing else is left.
 * @param {Layer} layer as it is shown
 */
function mapSize({ extent, steps, halved }) {
  const space = steps ? extent.slice(1) : extent;
  return formatShape(space.map((side) => side * 2 ** halved));
}

/**
 * Return in words what a position of a layer sees, empty where that is not known.
 * @param {Layer} layer
 */
function seesWords(layer) {
  const window = fieldWindow(
    layer,
    layer.extent.map(() => 0),
  );
  if (!window || layer.receptive_field?.status === "whole input") return "";
  return `each value sees ${formatShape(window.size.map((side) => formatNumber(side, 5)))} px`;
}

/**
 * Return the sentences above the rows: what the rows are, how they change with depth, and where that ends.
 * @param {ReportIndex} index
 * @param {number} run
 * @param {readonly LayerStage[]} stages
 * @returns {string[]}
 */
export function startSentences({ model, runs, layers, look }, run, stages) {
  if (model.lead) return model.lead;
  const { name, picture, classes } = runs[run];
  const input = picture ? `the picture ${name}` : name || "its input";
  const first = layers[stages[0]?.shows ?? 0];
  const last = layers[stages.at(-1)?.shows ?? 0];
  const sizes = [first, last].map((layer) => mapSize(shownLayer(layer, look.query)));
  const shrinks = sizes[0] && sizes[1] && sizes[0] !== sizes[1];
  const early = "early maps follow edges, colours and textures closely, late ones answer to larger parts";
  const sentences = [
    `Each row shows some of the maps that a stage of the network makes of ${input}, the first at the top.`,
    shrinks
      ? `From ${sizes[0]} to ${sizes[1]} values a map: ${early}.`
      : "The deeper a layer lies, the more of the input each of its values depends on.",
  ];
  const best = classes[0];
  sentences.push(
    best
      ? `From the last of them the model takes its answer, ${shorten(best.name, 60)}.`
      : "Choose a row to see all channels of its layer.",
  );
  return sentences;
}

/** @param {Run["classes"][number]} found */
function classRow({ name, value }) {
  return [
    make("dt", {}, make("bdi", {}, shorten(name, 80))),
    make("dd", {}, value === null ? "–" : formatNumber(value)),
  ];
}
