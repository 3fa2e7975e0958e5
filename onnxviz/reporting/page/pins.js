/** Pinned channels, from any layers and inputs, side by side below the maps. */

import { shorten } from "./address.js";
import { byId, make } from "./dom.js";
import { writeAddress } from "./link.js";
import { channelName, rangeWords } from "./scene.js";
import { nameLine, thumbnail } from "./thumbnail.js";

/** The pins. */
export class Pins {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    /** @type {Pin[]} */
    this.kept = [];
    this.turn = 0;
  }

  /** The pin of the channel that is shown, as its place; -1 if it is not pinned. */
  get current() {
    const { layer, run, place } = this.app.state;
    return this.kept.findIndex((pin) => pin.layer === layer && pin.run === run && pin.place === place);
  }

  /** Pin the channel that is shown, or unpin it. */
  toggle() {
    const { layer, run, place } = this.app.state;
    if (!this.app.scene) return undefined;
    if (this.current >= 0) return this.remove(this.current);
    if (place !== null) this.kept.push({ layer, run, place });
    byId("speech").textContent = "pinned";
    return this.changed();
  }

  /** @param {number} place */
  remove(place) {
    this.kept.splice(place, 1);
    byId("speech").textContent = "unpinned";
    return this.changed();
  }

  changed() {
    this.mark();
    writeAddress(this.app.placeNow(), false);
    return this.show();
  }

  /** Show on the button whether the current channel is pinned. */
  mark() {
    const pinned = this.current >= 0;
    byId("pin-words").textContent = pinned ? "Pinned" : "Pin";
    byId("pin").setAttribute("aria-pressed", String(pinned));
  }

  /** Show all pins. */
  async show() {
    const turn = ++this.turn;
    const scenes = await Promise.all(this.kept.map((pin) => this.app.sceneOf(pin.layer, pin.run)));
    if (turn !== this.turn) return;
    const list = byId("pin-list");
    const focused = [...list.querySelectorAll(".remove")].indexOf(/** @type {Element} */ (document.activeElement));
    byId("pins").hidden = !this.kept.length;
    list.replaceChildren(...this.kept.flatMap((pin, place) => this.item(pin, scenes[place], place)));
    // The button that was pressed is gone: the next one takes the focus.
    const left = list.querySelectorAll(".remove");
    if (focused >= 0) (left[Math.min(focused, left.length - 1)] ?? byId("pin")).focus();
  }

  /**
   * @param {Pin} pin
   * @param {Scene | null} scene
   * @param {number} place
   */
  item(pin, scene, place) {
    if (!scene) return [];
    const { layer } = scene;
    const { runs } = this.app.index;
    const run = runs.length > 1 ? runs[pin.run].name : "";
    const channel = shorten(channelName(layer, pin.place), 40);
    const name = shorten(`${layer.name}, channel ${channel}${run ? `, ${run}` : ""}`, 300);
    const open = make("button", { class: "tile", type: "button", "aria-label": `Open ${name}` });
    open.append(thumbnail(scene, pin.place));
    open.addEventListener("click", () => this.app.change({ ...pin, position: null }, true));
    const remove = make("button", { class: "remove", type: "button", "aria-label": `Unpin ${name}` }, "×");
    remove.addEventListener("click", () => this.remove(place));
    const range = rangeWords(scene, pin.place);
    const facts = layer.labels ? [channel, range] : [`${channel} · ${range}`];
    const lines = [...facts, shorten(run, 40)]
      .filter(Boolean)
      .map((text) => make("span", { class: "tile-facts" }, text));
    return [make("li", {}, open, remove, nameLine(layer.name), ...lines)];
  }
}
