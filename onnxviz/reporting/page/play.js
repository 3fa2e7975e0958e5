/** Goes through the layers by itself, from the input to the output. */

import { byId } from "./dom.js";

const STEP_MILLISECONDS = 1500;

/** Opens one layer after the other until the last, or until somebody does something else. */
export class Play {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.timer = 0;
    for (const event of ["pointerdown", "wheel", "keydown"]) {
      // The button itself stops by its own click.
      addEventListener(event, (found) => {
        const target = /** @type {Element} */ (found.target);
        if (!target.closest?.("#play, #start-play")) this.stop();
      });
    }
  }

  /** Start with the layer that is shown, from the start or the last layer with the first; or stop. */
  toggle() {
    if (this.timer) return this.stop();
    const { state, index, start } = this.app;
    const from = start.shown || state.layer === index.layers.length - 1 ? 0 : state.layer;
    this.step(from);
    this.mark();
    return undefined;
  }

  /** @param {number} layer */
  step(layer) {
    this.app.open(layer);
    this.timer = 0;
    if (layer + 1 < this.app.index.layers.length) {
      this.timer = setTimeout(() => this.step(layer + 1), STEP_MILLISECONDS);
    }
    this.mark();
  }

  /** Stop. */
  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.mark();
  }

  /** Show on the button whether it goes. */
  mark() {
    const going = this.timer !== 0;
    byId("play").setAttribute("aria-pressed", String(going));
    byId("play").setAttribute("aria-label", going ? "Stop" : "Play through the layers");
  }
}
