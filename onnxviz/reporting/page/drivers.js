/** What in the input drives a channel, where its unit is explained: beside the channel, with the way to the map. */

import { shorten } from "./address.js";
import { byId, make } from "./dom.js";
import { heatOver } from "./picture.js";
import { layerIn } from "./scene.js";

/**
 * Show what drives the channel that is chosen, where that is known.
 * @param {import("./app.js").App} app
 * @param {Layer} layer
 * @param {number} place
 */
export async function showDrivers(app, layer, place) {
  const { index, state, picture } = app;
  const found = explanationOf(index.layers, state.run, `${layer.name}#${layer.kept[place]}`);
  byId("drivers-box").hidden = !found;
  if (!found || !picture) return;
  const scene = await app.sceneOf(found.layer, state.run);
  if (!scene || app.state.place !== place || app.state.run !== scene.run) return;
  const link = make("button", { class: "driver", type: "button", "aria-label": "Show larger what drives it" });
  link.append(heatOver(scene, found.channel, picture));
  link.addEventListener("click", () => app.change({ layer: found.layer, place: found.channel }, false));
  const notes = (scene.layer.notes ?? []).map((text) => make("p", { class: "facts" }, shorten(text, 300)));
  byId("drivers").replaceChildren(link, ...notes);
}

/**
 * Return where a unit is explained in a run.
 * @param {readonly Layer[]} layers
 * @param {number} run
 * @param {string} name LAYER#CHANNEL; the place of the neuron may stand behind it
 * @returns {{layer: number, channel: number} | null}
 */
export function explanationOf(layers, run, name) {
  for (const [place, layer] of layers.entries()) {
    if (layer.explains !== "unit" || !layer.runs[run]) continue;
    const { labels } = layerIn(layer, run);
    const channel = (labels ?? []).findIndex((label) => label === name || label.startsWith(`${name}@`));
    if (channel >= 0) return { layer: place, channel };
  }
  return null;
}
