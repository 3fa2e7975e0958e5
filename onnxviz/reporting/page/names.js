/** What layers are called in addresses: by their names, or, where two have one, by their values' names. */

import { wellFormed } from "./address.js";

/** The layers of a report by what they are called. */
export class LayerNames {
  /** @param {readonly Layer[]} layers */
  constructor(layers) {
    this.layers = layers;
    /** @type {Map<string, number>} */
    this.counts = new Map();
    for (const { name } of layers) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /**
   * Give what tells a layer from all others.
   * @param {Layer} layer
   */
  of(layer) {
    return wellFormed(this.counts.get(layer.name) === 1 ? layer.name : layer.output);
  }

  /**
   * Find a layer by what it is called; none is the first.
   * @param {string} called
   * @returns {number} -1 if no layer is called so
   */
  find(called) {
    if (!called) return 0;
    const found = this.layers.findIndex((layer) => this.of(layer) === called);
    return found >= 0 ? found : this.layers.findIndex((layer) => layer.name === called || layer.output === called);
  }
}
