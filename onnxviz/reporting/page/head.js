/** The part above the maps: the model, the layer's name and facts, the controls. */

import { shorten } from "./address.js";
import { choicesOf } from "./choices.js";
import { byId, fillSelect, make } from "./dom.js";
import { notFinite, saturation } from "./health.js";
import { formatNumber, formatShape } from "./numbers.js";
import { overlayOf } from "./picture.js";
import { countLive, isLive } from "./scene.js";
import { capital, sliceName, sliceWords } from "./steps.js";
import { splitName } from "./tree.js";

/**
 * Write what is the same for all layers, and fill the menus.
 * @param {ReportIndex} index
 */
export function introduce(index) {
  const { model, runs, left_out, onnxviz } = index;
  byId("model-name").textContent = shorten(model.name, 300);
  byId("model-name").title = shorten(model.name, 400);
  byId("model-facts").textContent = [model.device, `onnxviz ${onnxviz}`].filter(Boolean).join(" · ");
  document.title = `${shorten(model.name, 80)} · onnxviz`;
  // The name of an option must not be broken between lines.
  const words = left_out.split(/(--[a-z-]+)/);
  byId("left-out").replaceChildren(
    ...words.map((text, place) => (place % 2 ? make("span", { class: "whole" }, text) : text)),
  );
  byId("left-out").hidden = !left_out;
  const choices = choicesOf(index);
  fillSelect(byId("scale"), choices.scale);
  fillSelect(byId("colours"), choices.colormap);
  fillSelect(byId("order"), choices.order);
  fillSelect(
    byId("run"),
    runs.map((run, place) => [String(place), shorten(run.name, 60) || `input ${place + 1}`]),
  );
  byId("run-box").hidden = runs.length < 2;
  if (model.lead) byId("run-noun").textContent = "Shown";
}

/**
 * Show the layer's name and its facts.
 * @param {Scene} scene
 * @param {number} count of layers
 * @param {number} place of this one
 */
export function showHead(scene, count, place) {
  const { layer, run } = scene;
  const { scope, leaf } = splitName(layer);
  const before = scope && leaf !== layer.name ? layer.name.slice(0, layer.name.length - leaf.length) : "";
  const name = make("bdi", {}, make("span", { class: "muted" }, shorten(before, 500)), shorten(leaf, 500));
  byId("layer-name").replaceChildren(name);
  byId("layer-name").title = shorten(layer.name, 1000);
  byId("layer-facts").textContent = layerFacts(layer, run);
  byId("stage").setAttribute("aria-label", `Channels of ${shorten(layer.name, 300)}`);
  byId("previous").disabled = place === 0;
  byId("next").disabled = place === count - 1;
}

/**
 * Return the facts of a layer in one line.
 * @param {Layer} layer
 * @param {number} run
 * @returns {string}
 */
export function layerFacts(layer, run) {
  const facts = [layer.op || layer.kind || "", formatShape(layer.shape), layer.layout ?? "", layer.dtype ?? ""];
  if (layer.tap && layer.tap !== "value") facts.push(layer.tap);
  if (layer.steps) facts.push(layer.steps.words);
  const kept = layer.kept.length;
  facts.push(`${countLive(layer, run)} of ${layer.channels} live`);
  if (kept < layer.channels && layer.form === "vector") facts.push(`only the ${kept} strongest are here`);
  else if (kept < layer.channels)
    facts.push(kept === 1 ? "only the one that varies most is here" : `only the ${kept} that vary most are here`);
  if (layer.halved) facts.push(`maps halved ${layer.halved === 1 ? "once" : `${layer.halved} times`}`);
  const health = layer.runs[run]?.health;
  return [...facts, notFinite(health), ...(layer.notes ?? []), endWords(layer.runs[run])].filter(Boolean).join(" · ");
}

/**
 * Return how many values of a run lie at an end of the codes that they stand for, or of what the layer can hold; empty
 * where there are none.
 * @param {LayerRun | null} run
 */
function endWords(run) {
  const shares = run?.at_ends?.map((share) => `${formatNumber(100 * share)} %`);
  return shares ? `${shares.join(" and ")} at the ends of the codes` : saturation(run?.health);
}

/**
 * Set the controls to the current choices, and hide those that have no effect on this layer.
 * @param {Scene} scene
 * @param {State} state
 * @param {boolean} pictured whether the input is a picture
 */
export function showControls(scene, state, pictured) {
  const { form } = scene.layer;
  const vector = form === "vector";
  byId("run").value = String(state.run);
  byId("scale").value = state.scale;
  byId("colours").value = state.colormap;
  for (const option of byId("order").options) {
    option.hidden = vector && (option.value === "deviation" || option.value === "mean");
  }
  byId("order").value = vector && scene.order === "strength" ? "auto" : vector ? scene.order : state.order;
  byId("live").checked = state.live;
  for (const id of ["scale-box", "colours-box", "zoom-box"]) byId(id).hidden = vector;
  byId("overlay-box").hidden = vector || form === "band" || !pictured;
  byId("overlay-opacity").value = String(Math.round(100 * state[overlayOf(scene.layer)]));
  const all = scene.layer.kept.every((_, place) => isLive(scene.layer, scene.statistics, place));
  byId("live-only-box").hidden = all && !state.live;
  byId("query-box").hidden = !scene.queries.length;
  fillSelect(byId("query"), scene.queries);
  byId("query").value = scene.query;
  byId("slice-box").hidden = scene.depth < 2;
  byId("slice").max = String(scene.depth - 1);
  byId("slice").value = String(scene.slice);
  byId("slice-name").textContent = capital(sliceName(scene.layer));
  byId("slice-words").textContent = sliceWords(scene);
}
