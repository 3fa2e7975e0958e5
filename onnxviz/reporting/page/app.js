/** The page as a whole: what is chosen, and which views follow when it changes. */

import { parseAddress, shorten, wellFormed } from "./address.js";
import { offerRuns, showChannel } from "./channel.js";
import { byId, fillSelect, make } from "./dom.js";
import { showLegend } from "./legend.js";
import { writeAddress } from "./link.js";
import { formatShape, plural } from "./numbers.js";
import { ORDER_NAMES } from "./order.js";
import { showField, showOverlay, showPicture } from "./picture.js";
import { showAcross, showPins } from "./pins.js";
import { showReadout } from "./readout.js";

import { SCALE_NAMES } from "./scale.js";
import { countLive, isLive, layerIn, makeScene, runWith } from "./scene.js";
import { Sidebar } from "./sidebar.js";
import { Stage } from "./stage.js";
import { currentTheme } from "./theme.js";
import { splitName } from "./tree.js";

/** The page. */
export class App {
  /**
   * @param {ReportIndex} index
   * @param {import("./report.js").BlockStore} store
   */
  constructor(index, store) {
    this.index = index;
    this.store = store;
    /** @type {State} */
    this.state = {
      layer: -1,
      run: 0,
      place: null,
      position: null,
      scale: "auto",
      colormap: "auto",
      order: "auto",
      live: false,
      slice: 0,
      zoom: null,
      overlay: 0,
    };
    /** @type {{layer: number, run: number, place: number}[]} */
    this.pins = [];
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {Spot | null} */
    this.hover = null;
    // Turns of what is waited for, so that what comes late is not shown.
    this.turns = { scene: 0, pins: 0, across: 0 };
    this.names = countNames(index.layers);
    this.sidebar = new Sidebar(index.layers, (layer) => this.open(layer));
    this.stage = new Stage({
      box: byId("stage"),
      space: byId("space"),
      canvas: byId("maps"),
      tile: byId("tile-frame"),
      cell: byId("cell-frame"),
    });
    this.stage.moved = () => this.marked();
    this.introduce();
  }

  /** The picture of the run that is shown. */
  get picture() {
    return this.index.runs[this.state.run]?.picture ?? null;
  }

  /** The spot that was chosen, if a position was. */
  get chosen() {
    const { place, position } = this.state;
    return place === null || position === null ? null : { place, position };
  }

  /** Write what stays as it is. */
  introduce() {
    const { model, runs, left_out, colormaps, onnxviz } = this.index;
    byId("model-name").textContent = shorten(model.name, 300);
    byId("model-name").title = shorten(model.name, 400);
    byId("model-facts").textContent = [model.device, `onnxviz ${onnxviz}`].filter(Boolean).join(" · ");
    document.title = `${shorten(model.name, 80)} · onnxviz`;
    byId("left-out").textContent = left_out;
    byId("left-out").hidden = !left_out;
    fillSelect(byId("order"), Object.entries(ORDER_NAMES));
    offerRuns(byId("run"), runs);
    byId("run-box").hidden = runs.length < 2;
    const scales = Object.entries(SCALE_NAMES).filter(([mode]) => mode !== "inputs" || runs.length > 1);
    fillSelect(byId("scale"), scales);
    fillSelect(byId("colours"), [
      ["auto", "automatic"],
      ...Object.keys(colormaps).map((name) => /** @type {[string, string]} */ ([name, name])),
    ]);
  }

  /**
   * Go to what an address says; what it says wrongly is told.
   * @param {string} hash
   */
  async visit(hash) {
    const { place, problems } = parseAddress(hash);
    const { layers, runs } = this.index;
    let layer = place.layer ? layers.findIndex((one) => this.keyOf(one) === place.layer) : 0;
    if (layer < 0) layer = layers.findIndex((one) => one.name === place.layer || one.output === place.layer);
    const lost = layer < 0;
    if (lost) {
      problems.unshift(`this report has no layer “${shorten(place.layer, 60)}”; here is the first one`);
      layer = 0;
    }
    if (place.run >= runs.length) problems.push(`there is no input ${place.run}: the report has ${runs.length}`);
    let run = place.run < runs.length ? place.run : 0;
    if (!layers[layer].runs[run]) {
      problems.push(lacking(runs[run]));
      run = runWith(layers[layer], run);
    }
    const changes = { layer, run, ...this.checkedLook(place, problems) };
    Object.assign(
      changes,
      lost ? { place: null, position: null } : checkedSpot(layerIn(layers[layer], changes.run), place, problems),
    );
    await this.change(changes, false, problems.length === 0);
    this.tell(problems.length ? sentence(problems) : "");
  }

  /**
   * @param {Place} place
   * @param {string[]} problems
   */
  checkedLook(place, problems) {
    const look = {
      scale: place.scale,
      colormap: place.colormap,
      order: place.order,
    };
    for (const [key, select] of /** @type {const} */ ([
      ["scale", "scale"],
      ["colormap", "colours"],
      ["order", "order"],
    ])) {
      if ([...byId(select).options].some((option) => option.value === look[key])) continue;
      problems.push(`there is no ${select === "colours" ? "colormap" : select} “${shorten(look[key], 40)}”`);
      look[key] = "auto";
    }
    return look;
  }

  /**
   * Open a layer.
   * @param {number} layer
   */
  open(layer) {
    this.tell("");
    document.body.classList.remove("layers-open");
    byId("open-layers").setAttribute("aria-expanded", "false");
    return this.change({ layer, place: null, position: null }, true);
  }

  /**
   * Change what is shown.
   * @param {Partial<State>} changes
   * @param {boolean} step whether the back button leads to what was before
   * @param {boolean} [write] whether the address follows; a wrong one stays as it is until something is chosen
   */
  async change(changes, step, write = true) {
    const before = { ...this.state };
    Object.assign(this.state, changes);
    const { state, index } = this;
    const named = index.layers[state.layer];
    if (!named.runs[state.run]) {
      this.tell(sentence([lacking(index.runs[state.run])]));
      state.run = runWith(named, state.run);
    }
    const layer = layerIn(named, state.run);
    const fresh = state.layer !== before.layer;
    if (!fits(layer, state.position)) state.position = null;
    if (fresh) {
      state.zoom = null;
      state.slice =
        state.position?.length === 3
          ? state.position[0]
          : Math.floor((layer.form === "volume" ? layer.extent[0] : 0) / 2);
    }
    if (state.position?.length === 3) state.slice = state.position[0];
    const turn = ++this.turns.scene;
    let values;
    try {
      values = await this.store.values(layer, state.run);
    } catch (error) {
      this.tell(`The maps of this layer cannot be read: ${/** @type {Error} */ (error).message}.`);
      return;
    }
    if (turn !== this.turns.scene) return;
    this.hover = null;
    this.scene = makeScene(index, state, values, currentTheme());
    if (state.place === null) state.place = this.scene.channels[0] ?? 0;
    this.draw(fresh, before.run !== state.run || before.layer < 0);
    if (write) writeAddress(this.placeNow(), step && fresh);
  }

  /**
   * Draw all views.
   * @param {boolean} fresh whether it is another layer
   * @param {boolean} otherRun whether it is another run
   */
  draw(fresh, otherRun) {
    const { state, scene, index } = this;
    if (!scene) return;
    if (otherRun) showPicture(index.runs[state.run]);
    this.sidebar.show(state.layer, state.run);
    this.head(scene);
    this.controls(scene);
    this.stage.show(scene, state.zoom, fresh);
    if (state.place !== null && (fresh || this.chosen)) this.stage.reveal(state.place);
    this.legend();
    byId("nothing").hidden = scene.channels.length > 0;
    this.follow();
    this.pinned();
  }

  /** Say how the stage is to be read. */
  legend() {
    if (this.scene && this.stage.grid) showLegend(this.scene, this.stage.grid);
  }

  /** Show what was chosen in all views but the stage's pixels. */
  follow() {
    const { scene, state } = this;
    if (!scene) return;
    if (state.place !== null) showChannel(scene, state.place);
    byId("overlay-words").textContent = showOverlay(scene, this.picture, state.place, state.overlay);
    byId("pin").textContent = this.pinOf() < 0 ? "Pin" : "Unpin";
    byId("pin").setAttribute("aria-pressed", String(this.pinOf() >= 0));
    this.spotted();
    this.across();
  }

  /** Show the spot under the pointer, or else the chosen one. */
  spotted() {
    const { scene } = this;
    if (!scene) return;
    const spot = this.hover ?? this.chosen;
    showReadout(scene, spot);
    showField(scene, this.picture, spot);
    this.marked();
  }

  /** Put the frames where they belong. */
  marked() {
    this.stage.mark(this.state.place, this.hover ?? this.chosen);
    const { scene } = this;
    if (scene)
      byId("zoom-words").textContent =
        this.stage.grid && scene.layer.form !== "vector" ? zoomLabel(this.stage.grid.zoom) : "";
  }

  /**
   * Choose a channel, or a position in one.
   * @param {Spot | {place: number, position: null}} spot
   */
  choose(spot) {
    Object.assign(this.state, { place: spot.place, position: spot.position });
    this.follow();
    writeAddress(this.placeNow(), false);
  }

  /** Where the page is, for its address. */
  placeNow() {
    const { state, index } = this;
    const layer = index.layers[state.layer];
    const times = 2 ** layer.halved;
    return {
      layer: this.keyOf(layer),
      channel: state.place === null ? null : layer.kept[state.place],
      position: state.position?.length ? state.position.map((at) => at * times) : null,
      run: state.run,
      scale: state.scale,
      colormap: state.colormap,
      order: state.order,
    };
  }

  /**
   * Give what tells a layer from all others: its name, or, where two have that, its value's name.
   * @param {Layer} layer
   */
  keyOf(layer) {
    return wellFormed(this.names.get(layer.name) === 1 ? layer.name : layer.output);
  }

  /**
   * Say something about the page as a whole.
   * @param {string} text empty takes it away
   */
  tell(text) {
    byId("notice-text").textContent = text;
    byId("notice").hidden = !text;
  }

  /** @param {Scene} scene */
  head(scene) {
    const { layer, statistics } = scene;
    const { scope, leaf } = splitName(layer);
    const before = scope && leaf !== layer.name ? layer.name.slice(0, layer.name.length - leaf.length) : "";
    byId("layer-name").replaceChildren(make("bdi", {}));
    byId("layer-name").firstElementChild.append(
      make("span", { class: "muted" }, shorten(before, 500)),
      shorten(leaf, 500),
    );
    byId("layer-name").title = shorten(layer.name, 1000);
    byId("layer-facts").textContent = layerFacts(layer, statistics);
    byId("stage").setAttribute("aria-label", `Channels of ${shorten(layer.name, 300)}`);
    byId("previous").disabled = this.state.layer === 0;
    byId("next").disabled = this.state.layer === this.index.layers.length - 1;
  }

  /** @param {Scene} scene */
  controls(scene) {
    const { state } = this;
    const vector = scene.layer.form === "vector";
    byId("run").value = String(state.run);
    byId("scale").value = state.scale;
    byId("colours").value = state.colormap;
    for (const option of byId("order").options) {
      option.hidden = vector && (option.value === "std" || option.value === "mean");
    }
    byId("order").value = state.order === "auto" || !vector ? state.order : scene.order;
    byId("live").checked = state.live;
    for (const id of ["scale-box", "colours-box", "zoom-box", "overlay-box"]) byId(id).hidden = vector;
    byId("overlay-box").hidden ||= scene.layer.form === "band" || !this.picture;
    const live = scene.layer.kept.filter((_, place) => isLive(scene.layer, scene.statistics, place)).length;
    byId("live-box").hidden = live === scene.layer.kept.length && !state.live;
    byId("slice-box").hidden = scene.depth < 2;
    byId("slice").max = String(scene.depth - 1);
    byId("slice").value = String(scene.slice);
    byId("slice-words").textContent = `${scene.slice} of ${scene.depth}`;
  }

  /** Which pin is the channel that is shown; -1 if none. */
  pinOf() {
    const { layer, run, place } = this.state;
    return this.pins.findIndex((pin) => pin.layer === layer && pin.run === run && pin.place === place);
  }

  /** Pin the channel that is shown, or take its pin away. */
  pin() {
    const { layer, run, place } = this.state;
    const known = this.pinOf();
    if (known >= 0) this.pins.splice(known, 1);
    else if (place !== null) this.pins.push({ layer, run, place });
    this.follow();
    return this.pinned();
  }

  /** Show the pins. */
  async pinned() {
    const turn = ++this.turns.pins;
    const scenes = await Promise.all(this.pins.map((pin) => this.sceneOf(pin.layer, pin.run)));
    if (turn !== this.turns.pins) return;
    const several = this.index.runs.length > 1;
    const pinned = this.pins.map((pin, place) => ({
      scene: scenes[place],
      place: pin.place,
      run: several ? this.index.runs[pin.run].name : "",
    }));
    showPins(pinned, {
      open: (pin) => {
        const { layer, run, place } = this.pins[pin];
        this.change({ layer, run, place, position: null }, true);
      },
      remove: (pin) => {
        this.pins.splice(pin, 1);
        this.follow();
        this.pinned();
      },
    });
  }

  /** Show the channel on every input. */
  async across() {
    const { state, index } = this;
    const turn = ++this.turns.across;
    if (index.runs.length < 2) return showAcross([], 0, 0, null, () => {});
    const having = index.runs.map((_, run) => run).filter((run) => index.layers[state.layer].runs[run]);
    const scenes = await Promise.all(
      having.map(async (run) => ({ scene: await this.sceneOf(state.layer, run), run, name: index.runs[run].name })),
    );
    if (turn !== this.turns.across || state.place === null) return;
    showAcross(scenes, state.place, state.run, state.position, (run) => this.change({ run }, false));
  }

  /**
   * @param {number} layer
   * @param {number} run
   */
  async sceneOf(layer, run) {
    const values = await this.store.values(layerIn(this.index.layers[layer], run), run);
    return makeScene(this.index, { ...this.state, layer, run, live: false }, values, currentTheme());
  }
}

/**
 * Say what a layer is.
 * @param {Layer} layer
 * @param {Statistics} statistics
 * @returns {string}
 */
export function layerFacts(layer, statistics) {
  const facts = [layer.op || layer.kind || "", formatShape(layer.shape), layer.layout ?? "", layer.dtype ?? ""];
  if (layer.tap && layer.tap !== "value") facts.push(layer.tap);
  const kept = layer.kept.length;
  facts.push(`${countLive(layer, statistics)} of ${kept} live`);
  if (kept < layer.channels)
    facts.push(`the ${kept} strongest of ${plural(layer.channels, "channel")} are in this file`);
  if (layer.halved) facts.push(`maps halved ${layer.halved === 1 ? "once" : `${layer.halved} times`}`);
  return [...facts, ...(layer.notes ?? [])].filter(Boolean).join(" · ");
}

/**
 * Tell whether a position lies in a layer's maps.
 * @param {Layer} layer
 * @param {readonly number[] | null} position stored
 */
function fits(layer, position) {
  return (
    !position || (position.length === layer.extent.length && position.every((at, axis) => at < layer.extent[axis]))
  );
}

/**
 * Check the channel and the position of an address.
 * @param {Layer} layer
 * @param {Place} wanted
 * @param {string[]} problems
 * @returns {{place: number | null, position: number[] | null}}
 */
export function checkedSpot(layer, wanted, problems) {
  if (wanted.channel === null) return { place: null, position: null };
  const place = layer.kept.indexOf(wanted.channel);
  if (place < 0) {
    const there =
      wanted.channel < layer.channels ? "is not in this file" : `does not exist: the layer has ${layer.channels}`;
    problems.push(`channel ${wanted.channel} ${there}`);
    return { place: null, position: null };
  }
  if (!wanted.position) return { place, position: layer.form === "vector" ? [] : null };
  const stored = wanted.position.map((at) => Math.floor(at / 2 ** layer.halved));
  const inside = fits(layer, stored);
  if (!inside)
    problems.push(`position ${wanted.position.join(", ")} lies outside the map of ${formatShape(layer.extent)}`);
  return { place, position: inside ? stored : null };
}

/** @param {readonly Layer[]} layers */
function countNames(layers) {
  const counts = new Map();
  for (const { name } of layers) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** @param {Run} run */
function lacking(run) {
  return `the input “${shorten(run.name, 60)}” has no such layer; here is another`;
}

/** @param {readonly string[]} problems */
function sentence(problems) {
  const text = problems.join("; ");
  return text.charAt(0).toUpperCase() + text.slice(1) + ".";
}

/** @param {number} zoom */
function zoomLabel(zoom) {
  return zoom > 0 ? `${zoom} : 1` : `1 : ${-zoom}`;
}
