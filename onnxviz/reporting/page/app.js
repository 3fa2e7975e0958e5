/** The page as a whole: what is chosen, and the views that follow when it changes. */

import { parseAddress } from "./address.js";
import { chooseQuery, shownLayer } from "./attention.js";
import { Across } from "./across.js";
import { showChannel } from "./channel.js";
import { showDrivers } from "./drivers.js";
import { byId } from "./dom.js";
import { introduce, showControls, showHead } from "./head.js";
import { showLegend, showZoom } from "./legend.js";
import { leaveAddress, writeAddress } from "./link.js";
import { LayerNames } from "./names.js";
import { overlayOf, showField, showOverlay, showPicture } from "./picture.js";
import { Pins } from "./pins.js";
import { showReadout } from "./readout.js";
import { layerIn, makeScene, runWith } from "./scene.js";
import { Sidebar } from "./sidebar.js";
import { Play } from "./play.js";
import { Stage } from "./stage.js";
import { Start } from "./start.js";
import { currentTheme } from "./theme.js";
import { Tour } from "./tour.js";
import { checkPins, checkPlace, fits, lacking, sentence } from "./visit.js";

// How strongly a heat map lies over the input at first.
const HEAT = 0.6;

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
      query: index.look.query,
      live: false,
      slice: 0,
      zoom: null,
      overlay: 0,
      heat: HEAT,
    };
    /** @type {Scene | null} the layer that is drawn; at the start none is */
    this.scene = null;
    /** @type {Spot | null} */
    this.hover = null;
    // Changes are counted, so that a layer that is decoded late does not replace a later choice.
    this.turn = 0;
    /** @type {ThemeName} the screen's, while paper has its own */
    this.screenTheme = "dark";
    this.names = new LayerNames(index.layers);
    this.sidebar = new Sidebar(index.layers, (layer) => this.open(layer));
    this.pins = new Pins(this);
    /** @type {import("./live.js").Live | null} what asks for other pictures, on a page that is served */
    this.live = null;
    this.start = new Start(this);
    this.play = new Play(this);
    this.tour = new Tour(this);
    this.across = new Across(this);
    this.stage = new Stage({
      box: byId("stage"),
      margin: byId("margin"),
      space: byId("space"),
      canvas: byId("maps"),
      tile: byId("tile-frame"),
      cell: byId("cell-frame"),
    });
    this.stage.moved = () => this.marked();
    introduce(index);
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

  /**
   * Go to the place that an address names, and show a notice about its wrong parts.
   * @param {string} hash
   */
  async visit(hash) {
    const { place, problems } = parseAddress(hash);
    const { scale, colormap, order, query } = this.index.look;
    const bare = hash.length < 2;
    if (bare) Object.assign(place, { scale, colormap, order, query });
    this.start.toggle(bare && this.start.useful);
    const checked = checkPlace(this.index, place, bare ? 0 : this.names.find(place.layer));
    const wrong = [...checked.problems, ...problems];
    // An address without pins, such as one of the back button, lets go of none.
    if (place.pins.length) this.pins.kept = checkPins(this.index, place.pins, (name) => this.names.find(name), wrong);
    await this.change(checked.changes, false, !wrong.length && !this.start.shown);
    this.tell(wrong.length ? sentence(wrong) : "");
  }

  /**
   * Open a layer.
   * @param {number} layer
   */
  open(layer) {
    this.tell("");
    this.start.toggle(false);
    showLayers(false);
    return this.change({ layer, place: null, position: null }, true);
  }

  /** Go to the start, to which the address without a place leads. */
  goToStart() {
    leaveAddress();
    return this.visit("");
  }

  /**
   * Change what is shown.
   * @param {Partial<State>} changes
   * @param {boolean} step whether the back button leads back to the state before
   * @param {boolean} [write] whether the address follows; a wrong one stays until the user chooses something
   */
  async change(changes, step, write = true) {
    const before = { ...this.state };
    Object.assign(this.state, changes);
    const turn = ++this.turn;
    if (this.start.shown) {
      this.scene = null;
      this.sidebar.show(this.state.layer, this.state.run);
      // Rows fill as the browser reads the file.
      this.start.show();
      return;
    }
    const fresh = !this.scene || this.state.layer !== before.layer;
    let layer;
    let values;
    try {
      await this.live?.refresh([this.state.layer]);
      if (turn !== this.turn) return;
      layer = this.settle(fresh);
      values = await this.store.values(layer, this.state.run);
    } catch (error) {
      this.tell(`The maps of this layer cannot be read: ${/** @type {Error} */ (error).message}.`);
      return;
    }
    if (turn !== this.turn) return;
    this.hover = null;
    this.scene = makeScene(this.index, this.state, values, currentTheme());
    this.state.place ??= this.scene.channels[0] ?? 0;
    this.draw(fresh, fresh || before.run !== this.state.run || this.live !== null);
    if (write) writeAddress(this.placeNow(), step && fresh);
  }

  /**
   * Fit the state to the layer that it names.
   * @param {boolean} fresh whether it is another layer
   * @returns {Layer} as it is in the run
   */
  settle(fresh) {
    const { state, index } = this;
    const named = index.layers[state.layer];
    if (!named.runs[state.run]) {
      this.tell(sentence([lacking(index.runs[state.run])]));
      state.run = runWith(named, state.run);
    }
    const layer = layerIn(named, state.run);
    if (!fits(shownLayer(layer, state.query), state.position)) state.position = null;
    if (fresh) {
      state.zoom = null;
      state.slice = layer.form === "volume" ? Math.floor(layer.extent[0] / 2) : 0;
    }
    if (state.position?.length === 3) state.slice = state.position[0];
    return layer;
  }

  /**
   * Draw all views.
   * @param {boolean} fresh whether it is another layer
   * @param {boolean} otherPicture whether the picture may be another
   */
  draw(fresh, otherPicture) {
    const { state, scene, index } = this;
    if (!scene) return;
    if (otherPicture) showPicture(index.runs[state.run]);
    this.sidebar.show(state.layer, state.run);
    showHead(scene, index.layers.length, state.layer);
    showControls(scene, state, Boolean(this.picture));
    this.stage.show(scene, state.zoom, fresh);
    if (state.place !== null && (fresh || this.chosen)) this.stage.reveal(state.place);
    this.legend();
    byId("nothing").hidden = scene.channels.length > 0;
    this.follow();
    this.pins.show();
  }

  /**
   * Draw all channels in the colours of paper, or what the screen shows again.
   * @param {boolean} paper
   */
  print(paper) {
    const { scene, state } = this;
    const before = currentTheme();
    if (paper) document.documentElement.dataset.theme = "light";
    else document.documentElement.dataset.theme = this.screenTheme;
    this.screenTheme = before;
    if (!scene) return;
    this.scene = makeScene(this.index, state, scene.stored, currentTheme());
    this.stage.show(this.scene, paper ? null : state.zoom, false, paper);
    this.legend();
    if (state.place !== null) showChannel(this.scene, state.place);
  }

  /** Show the legend. */
  legend() {
    if (this.scene && this.stage.grid) showLegend(this.scene, this.stage.grid);
  }

  /** Update all views but the stage's pixels. */
  follow() {
    const { scene, state } = this;
    if (!scene) return;
    if (state.place !== null) {
      showChannel(scene, state.place);
      showDrivers(this, scene.layer, state.place);
    }
    byId("overlay-words").textContent = showOverlay(scene, this.picture, state.place, state[overlayOf(scene.layer)]);
    this.pins.mark();
    this.spotted();
    this.across.show();
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

  /** Place the frames and show the zoom. */
  marked() {
    this.stage.mark(this.state.place, this.hover ?? this.chosen);
    if (this.scene && this.stage.grid) showZoom(this.scene, this.stage.grid);
  }

  /**
   * Choose a channel, or a position in one.
   * @param {Spot | {place: number, position: null}} spot
   */
  choose(spot) {
    Object.assign(this.state, { place: spot.place, position: spot.position });
    // The choice may come from a key while the pointer rests on another spot.
    this.hover = null;
    this.follow();
    writeAddress(this.placeNow(), false);
  }

  /**
   * Return the layers that are on the screen, or pinned.
   * @returns {number[]}
   */
  shownLayers() {
    if (this.start.shown) return this.start.layers;
    return [...new Set([this.state.layer, ...this.pins.kept.map((pin) => pin.layer)])];
  }

  /**
   * Choose the value under a click: on attention over the picture its token is also whose attention is shown.
   * @param {Spot} spot
   */
  pick(spot) {
    const query = spot.position.join();
    const layer = layerIn(this.index.layers[this.state.layer], this.state.run);
    const asked = this.scene?.query !== "matrix" && chooseQuery(layer, query)?.name === query;
    return asked ? this.change({ ...spot, query }, false) : this.choose(spot);
  }

  /** The current place, for the address. */
  placeNow() {
    const { state, index } = this;
    const layer = index.layers[state.layer];
    const times = 2 ** layer.halved;
    return {
      layer: this.names.of(layer),
      channel: state.place === null ? null : layer.kept[state.place],
      position: state.position?.length ? state.position.map((at) => at * times) : null,
      run: state.run,
      scale: state.scale,
      colormap: state.colormap,
      order: state.order,
      query: state.query,
      pins: this.pins.kept.map((pin) => ({
        layer: this.names.of(index.layers[pin.layer]),
        channel: index.layers[pin.layer].kept[pin.place],
        run: pin.run,
      })),
    };
  }

  /**
   * Show a notice about the page as a whole.
   * @param {string} text empty hides the notice
   */
  tell(text) {
    byId("notice-text").textContent = text;
    byId("notice").hidden = !text;
  }

  /**
   * Return another layer or run as a scene, with the chosen scale and colours.
   * @param {number} layer
   * @param {number} run that has it
   * @returns {Promise<Scene | null>} null where its block is damaged
   */
  async sceneOf(layer, run) {
    try {
      await this.live?.refresh([layer]);
      const values = await this.store.values(layerIn(this.index.layers[layer], run), run);
      return makeScene(this.index, { ...this.state, layer, run, live: false }, values, currentTheme());
    } catch {
      return null;
    }
  }
}

/**
 * Show or hide the layers, where they are a drawer.
 * @param {boolean} open
 */
export function showLayers(open) {
  document.body.classList.toggle("layers-open", open);
  byId("open-layers").setAttribute("aria-expanded", String(open));
}
