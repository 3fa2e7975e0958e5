/** Goes through the layers by itself, from the input to the output. */

import { byId } from "./dom.js";
import { ownLayers } from "./stages.js";

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
    const layers = ownLayers(index.layers);
    const at = start.shown ? -1 : layers.indexOf(state.layer);
    this.step(at < 0 || at === layers.length - 1 ? layers : layers.slice(at));
    this.mark();
    return undefined;
  }

  /** @param {readonly number[]} layers the one to open now, and those to come */
  step([layer, ...others]) {
    this.app.open(layer);
    this.timer = others.length ? setTimeout(() => this.step(others), STEP_MILLISECONDS) : 0;
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
