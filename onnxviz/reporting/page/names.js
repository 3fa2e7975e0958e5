/** The names of layers in addresses: their own or, where two layers share a name, those of their values. */

import { wellFormed } from "./address.js";

/** The layers of a report by their names in addresses. */
export class LayerNames {
  /** @param {readonly Layer[]} layers */
  constructor(layers) {
    this.layers = layers;
    /** @type {Map<string, number>} */
    this.counts = new Map();
    for (const { name } of layers) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /**
   * Return a name that no other layer has.
   * @param {Layer} layer
   */
  of(layer) {
    return wellFormed(this.counts.get(layer.name) === 1 ? layer.name : layer.output);
  }

  /**
   * Find a layer by its name; without a name, the first layer.
   * @param {string} called
   * @returns {number} -1 if no layer has this name
   */
  find(called) {
    if (!called) return 0;
    const found = this.layers.findIndex((layer) => this.of(layer) === called);
    return found >= 0 ? found : this.layers.findIndex((layer) => layer.name === called || layer.output === called);
  }
}
