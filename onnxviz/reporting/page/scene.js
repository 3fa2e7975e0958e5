/** A scene: one layer in one run, with the chosen scale, colours and order. All views draw from it. */

import { attend, chooseQuery, queryChoices } from "./attention.js";
import { chooseColormap, codePixels, pixelOf, pixelsOf, themeColours } from "./colour.js";
import { valueAt } from "./decode.js";
import { withPatches } from "./field.js";
import { formatNumber, formatRange } from "./numbers.js";
import { chooseOrder, orderChannels } from "./order.js";
import { besidesOf, sizeOf, statisticsOf } from "./report.js";
import { scaleLimits } from "./scale.js";

/**
 * Return a layer with its sizes and the names of its channels in a run, which may differ from those in the first run.
 * @param {Layer} layer
 * @param {number} run
 * @returns {Layer}
 */
export function layerIn(layer, run) {
  const entry = layer.runs[run];
  const { extent = layer.extent, shape = layer.shape, steps = layer.steps, labels = layer.labels } = entry ?? {};
  return entry?.extent || entry?.steps || entry?.labels ? { ...layer, extent, shape, steps, labels } : layer;
}

/**
 * Return the statistics of a layer in every run that has it.
 * @param {Layer} layer
 * @param {ScaleRules} rules
 */
function statisticsOfRuns(layer, rules) {
  return layer.runs.flatMap((run) => (run ? [statisticsOf(run, rules)] : []));
}

/**
 * Return the wanted run if it has a layer, else the first run that has it.
 * @param {Layer} layer
 * @param {number} wanted
 */
export function runWith(layer, wanted) {
  return layer.runs[wanted] ? wanted : layer.runs.findIndex(Boolean);
}

/**
 * Return the scene that a state describes.
 * @param {ReportIndex} index
 * @param {State} state
 * @param {Values} stored of the layer in the run
 * @param {ThemeName} themeName
 * @returns {Scene}
 */
export function makeScene(index, state, stored, themeName) {
  const whole = withPatches(layerIn(index.layers[state.layer], state.run), index.runs[state.run].picture);
  const rules = index.scale_rules;
  const known = statisticsOf(/** @type {LayerRun} */ (whole.runs[state.run]), rules);
  const attended = attend(whole, { values: stored, statistics: known }, state.query, rules);
  const { layer, values, statistics } = attended ?? { layer: whole, values: stored, statistics: known };
  const size = sizeOf(layer);
  const others = state.scale === "inputs" ? statisticsOfRuns(layer, rules) : [];
  const attention = layer.drawing === "attention" ? index.attention : null;
  const mode = attention && state.scale === "auto" ? attention.scale : state.scale;
  const [shared, fixed] = [layer.limits ?? null, index.look.fixed];
  const about = Boolean(index.runs[state.run].difference);
  const limits = scaleLimits(mode, { statistics, values, size, others, shared, fixed, about }, rules);
  const theme = themeColours(index.themes, themeName);
  const names = Object.keys(index.colormaps);
  const colormap = chooseColormap(
    attention && state.colormap === "auto" ? attention.colormap : state.colormap,
    limits.diverging,
    theme,
    names,
  );
  const pixels = pixelsOf(index.colormaps[colormap]);
  const order = chooseOrder(state.order, layer);
  const ordered = orderChannels(order, statistics);
  const flat = layer.form === "volume" ? layer.extent.slice(1) : layer.extent;
  return {
    layer,
    run: state.run,
    tokens: index.runs[state.run].tokens ?? {},
    stored,
    queries: queryChoices(whole, state.query),
    query: chooseQuery(whole, state.query)?.name ?? "matrix",
    error: attended?.error ?? null,
    values,
    statistics,
    size,
    limits,
    scale: index.scales[limits.mode],
    order,
    colormap,
    pixels,
    theme,
    height: flat.length > 1 ? flat[0] : 1,
    width: flat.length ? flat[flat.length - 1] : 1,
    depth: layer.form === "volume" ? layer.extent[0] : 1,
    slice: layer.form === "volume" ? Math.min(state.slice, layer.extent[0] - 1) : 0,
    channels: state.live ? ordered.filter((place) => isLive(layer, statistics, place)) : ordered,
    markPixels: Uint32Array.of(0, ...[theme.nan, theme.positive_infinity, theme.negative_infinity].map(pixelOf)),
    gamma: attention ? attention.gamma : 1,
    tables: new Map(),
    besides: attended ? null : besidesOf(/** @type {LayerRun} */ (whole.runs[state.run])),
  };
}

/**
 * Return the values of a channel's tokens that lie nowhere on its map, such as that of a class token.
 * @param {Scene} scene
 * @param {number} place
 * @returns {number[]}
 */
export function besidesIn({ layer, besides }, place) {
  const count = besides ? besides.length / layer.kept.length : 0;
  return [...(besides ?? []).slice(place * count, (place + 1) * count)];
}

/**
 * Return whether a channel has something to show: a map that is not constant, a unit of a vector that is not zero.
 * @param {Layer} layer
 * @param {Statistics} statistics
 * @param {number} place
 */
export function isLive(layer, statistics, place) {
  if (sizeOf(layer) === 1) return statistics.low[place] !== 0 && !Number.isNaN(statistics.low[place]);
  return !Number.isNaN(statistics.low[place]) && !isFlat(layer, statistics, place);
}

/**
 * Return whether a map is hatched: all its values are finite and the same. A map of one value never is.
 * @param {Layer} layer
 * @param {Statistics} statistics
 * @param {number} place
 */
export function isFlat(layer, statistics, place) {
  return sizeOf(layer) > 1 && statistics.constant[place];
}

/**
 * Return the range of a channel as text; for a constant channel, its value.
 * @param {Scene} scene
 * @param {number} place
 */
export function rangeWords({ layer, statistics }, place) {
  const [low, high] = [statistics.low[place], statistics.high[place]];
  return isFlat(layer, statistics, place) ? formatNumber(low) : formatRange(low, high);
}

/**
 * Count the live channels of a layer in a run that has it, those that are not kept included.
 * @param {Layer} layer
 * @param {number} run
 */
export function countLive(layer, run) {
  return /** @type {LayerRun} */ (layer.runs[run]).live;
}

/**
 * Return the pixels of a channel's codes.
 * @param {Scene} scene
 * @param {number} place
 * @returns {Uint32Array}
 */
export function tableOf(scene, place) {
  let table = scene.tables.get(place);
  if (!table) {
    const { statistics, limits } = scene;
    const range = /** @type {[number, number]} */ ([statistics.low[place], statistics.high[place]]);
    table = codePixels(scene.pixels, range, [limits.low[place], limits.high[place]], scene.gamma);
    scene.tables.set(place, table);
  }
  return table;
}

/**
 * Return the slice of a channel that is shown, ready to paint.
 * @param {Scene} scene not of a vector
 * @param {number} place
 * @param {{zoomX: number, zoomY: number}} zoom
 * @returns {Tile}
 */
export function tileOf(scene, place, zoom) {
  const { values, height, width, size, slice, markPixels } = scene;
  const codes = /** @type {Uint8Array} */ (values.codes);
  const offset = place * size + slice * height * width;
  return {
    codes,
    marks: values.marks,
    offset,
    height,
    width,
    ...zoom,
    table: tableOf(scene, place),
    markPixels,
  };
}

/**
 * Return one value and its greatest error.
 * @param {Scene} scene
 * @param {number} place
 * @param {readonly number[]} position stored, one entry for each axis
 * @returns {{value: number, error: number}}
 */
export function valueIn(scene, place, position) {
  const { layer, values, statistics, size } = scene;
  const offset = position.reduce((sum, at, axis) => sum * layer.extent[axis] + at, 0);
  const value = valueAt(values, statistics, place, offset, size);
  const exact = values.floats || values.ends?.[place * size + offset];
  if (exact || !Number.isFinite(value)) return { value, error: 0 };
  // Each halving rounded once more to a code.
  const error =
    (statistics.high[place] / 512 - statistics.low[place] / 512) * (1 + layer.halved) + (scene.error?.[place] ?? 0);
  return { value, error };
}

/**
 * Return the group in which a channel lies, such as a direction of a recurrent layer, and its number there; null where
 * there are no groups.
 * @param {Layer} layer
 * @param {number} place
 */
export function channelGroup({ groups = 1, channels, kept }, place) {
  if (groups < 2) return null;
  const each = channels / groups;
  return { group: Math.floor(kept[place] / each), channel: kept[place] % each };
}

/**
 * Return the name of a channel: its class, or its index; of a vector of steps, the number of the step.
 * @param {Layer} layer
 * @param {number} place
 */
export function channelName(layer, place) {
  const channel = layer.kept[place];
  if (layer.labels) return layer.labels[channel];
  return String(channel + (layer.form === "vector" ? (layer.steps?.first ?? 0) : 0));
}
