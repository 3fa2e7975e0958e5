/** Checks an address against the report. */

import { shorten } from "./address.js";
import { choicesOf } from "./choices.js";
import { formatShape } from "./numbers.js";
import { shownLayer } from "./attention.js";
import { layerIn, runWith } from "./scene.js";

/**
 * Return the changes that an address asks for. Parts that do not fit the report are left out and named in `problems`.
 * @param {ReportIndex} index
 * @param {Place} place
 * @param {number} found the layer that the place names, -1 if there is no such layer
 * @returns {{changes: Partial<State>, problems: string[]}}
 */
export function checkPlace(index, place, found) {
  const { layers, runs } = index;
  /** @type {string[]} */
  const problems = [];
  if (found < 0) problems.push(`this report has no layer “${shorten(place.layer, 60)}”; here is the first one`);
  const layer = Math.max(0, found);
  if (place.run >= runs.length) problems.push(`there is no input ${place.run}: the report has ${runs.length}`);
  const wanted = place.run < runs.length ? place.run : 0;
  if (!layers[layer].runs[wanted]) problems.push(lacking(runs[wanted]));
  const run = runWith(layers[layer], wanted);
  const look = checkLook(index, place, problems);
  const spot = found < 0 ? NOWHERE : checkSpot(shownLayer(layerIn(layers[layer], run), place.query), place, problems);
  return { changes: { layer, run, query: place.query, ...look, ...spot }, problems };
}

const NOWHERE = { place: null, position: null };

/**
 * @param {ReportIndex} index
 * @param {Place} place
 * @param {string[]} problems
 */
function checkLook(index, place, problems) {
  const look = { scale: place.scale, colormap: place.colormap, order: place.order };
  const choices = choicesOf(index);
  for (const key of /** @type {const} */ (["scale", "colormap", "order"])) {
    if (choices[key].some(([value]) => value === look[key])) continue;
    problems.push(`there is no ${key} “${shorten(look[key], 40)}”`);
    look[key] = "auto";
  }
  return look;
}

/**
 * @param {Layer} layer
 * @param {Place} wanted
 * @param {string[]} problems
 * @returns {{place: number | null, position: number[] | null}}
 */
function checkSpot(layer, wanted, problems) {
  if (wanted.channel === null) return NOWHERE;
  const place = layer.kept.indexOf(wanted.channel);
  if (place < 0) {
    const there =
      wanted.channel < layer.channels ? "is not in this file" : `does not exist: the layer has ${layer.channels}`;
    problems.push(`channel ${wanted.channel} ${there}`);
    return NOWHERE;
  }
  if (!wanted.position) return { place, position: layer.form === "vector" ? [] : null };
  const stored = wanted.position.map((at) => Math.floor(at / 2 ** layer.halved));
  const inside = fits(layer, stored);
  if (!inside)
    problems.push(`position ${wanted.position.join(", ")} lies outside the map of ${formatShape(layer.extent)}`);
  return { place, position: inside ? stored : null };
}

/**
 * Return the pins that an address asks for; what the report does not have is left out and named in `problems`.
 * @param {ReportIndex} index
 * @param {readonly PinnedPlace[]} wanted
 * @param {(name: string) => number} find the layer of a name, -1 if there is no such layer
 * @param {string[]} problems
 * @returns {Pin[]}
 */
export function checkPins(index, wanted, find, problems) {
  return wanted.flatMap(({ layer: name, channel, run }) => {
    const layer = find(name);
    const place = layer < 0 || !index.layers[layer].runs[run] ? -1 : index.layers[layer].kept.indexOf(channel);
    if (place < 0) problems.push(`there is nothing to pin at “${shorten(name, 60)}”, channel ${channel}`);
    return place < 0 ? [] : [{ layer, run, place }];
  });
}

/**
 * Return whether a position lies in a layer's maps.
 * @param {Layer} layer
 * @param {readonly number[] | null} position stored
 */
export function fits(layer, position) {
  return (
    !position || (position.length === layer.extent.length && position.every((at, axis) => at < layer.extent[axis]))
  );
}

/**
 * Return the problem that an input lacks the wanted layer.
 * @param {Run} run
 */
export function lacking(run) {
  return `the input “${shorten(run.name, 60)}” has no such layer; here is another`;
}

/**
 * Return problems as one sentence.
 * @param {readonly string[]} problems
 */
export function sentence(problems) {
  const text = problems.join("; ");
  return text.charAt(0).toUpperCase() + text.slice(1) + ".";
}
