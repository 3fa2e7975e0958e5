/** Attention over the picture: of the stored matrix of each head the row of one query, or the mean of all rows. */

import { valueAt } from "./decode.js";
import { formatNumber } from "./numbers.js";
import { isConstant } from "./scale.js";

/**
 * Return where the tokens of an attention lie, null where its matrix alone can be shown: of text, of windows, halved.
 * @param {Layer} layer
 * @returns {AttentionTokens | null}
 */
function placesOf({ drawing, form, tokens, halved, extent }) {
  if (drawing !== "attention" || form !== "map" || halved || !tokens || !("keys" in tokens)) return null;
  const known = [tokens.queries, tokens.keys].every(
    (side, axis) => !side || (side.ordered && side.prefix + side.grid[0] * side.grid[1] === extent[axis]),
  );
  return known ? tokens : null;
}

/**
 * Return whose attention is shown, as the pictures choose it; null where the whole matrix is.
 * @param {Layer} layer
 * @param {string} query `auto`, `class`, `mean`, `matrix`, a row and column of the grid such as `7,3`, or a number
 * @returns {ChosenQuery | null}
 */
export function chooseQuery(layer, query) {
  const places = placesOf(layer);
  if (!places || query === "matrix") return null;
  const { queries } = places;
  const at = /^\d/.test(query) ? query.split(",").map(Number) : [];
  if (at.length === 1 && at[0] < layer.extent[0]) return { row: at[0], name: query, words: `query ${query}` };
  if (queries && at.length === 2 && at.every((place, axis) => place < queries.grid[axis])) {
    const row = queries.prefix + at[0] * queries.grid[1] + at[1];
    return { row, name: query, words: `attention of the token in row ${at[0]}, column ${at[1]}` };
  }
  const lacking = at.length ? `no query ${query}: ` : query === "class" && !queries?.prefix ? "no class token: " : "";
  return query !== "mean" && queries?.prefix
    ? { row: 0, name: "class", words: `${lacking}class token's attention` }
    : { row: null, name: "mean", words: `${lacking}mean over queries` };
}

/**
 * Return the choices of the menu as pairs of value and name, none where there is nothing to choose.
 * @param {Layer} layer as it is stored
 * @param {string} query
 * @returns {[string, string][]}
 */
export function queryChoices(layer, query) {
  const places = placesOf(layer);
  if (!places) return [];
  const chosen = chooseQuery(layer, query);
  /** @type {[string, string][]} */
  const token = chosen && !["class", "mean"].includes(chosen.name) ? [[chosen.name, `token ${chosen.name}`]] : [];
  /** @type {[string, string][]} */
  const first = places.queries?.prefix ? [["class", "class token"]] : [];
  return [...first, ["mean", "mean of all"], ...token, ["matrix", "whole matrix"]];
}

/**
 * Return a layer with the extent in which it is shown, and with words for whose attention it is.
 * @param {Layer} layer
 * @param {string} query
 * @returns {Layer}
 */
export function shownLayer(layer, query) {
  const chosen = chooseQuery(layer, query);
  const places = placesOf(layer);
  if (!chosen || !places) return layer;
  const notes = (layer.notes ?? []).filter((note) => note !== "rows are queries");
  return { ...layer, extent: places.keys.grid, notes: [...notes, chosen.words] };
}

/**
 * Return the maps of a query, a head each, as a layer of their own; null where the whole matrix is shown.
 * @param {Layer} layer as it is stored
 * @param {{values: Values, statistics: Statistics}} stored
 * @param {string} query
 * @param {ScaleRules} rules
 * @returns {Attended | null}
 */
export function attend(layer, { values, statistics }, query, rules) {
  const chosen = chooseQuery(layer, query);
  const places = placesOf(layer);
  if (!chosen || !places) return null;
  const [count, width] = layer.extent;
  const rows = chosen.row === null ? [...Array(count).keys()] : [chosen.row];
  const read = (/** @type {number} */ head, /** @type {number} */ key) =>
    rows.reduce((sum, row) => sum + valueAt(values, statistics, head, row * width + key, count * width), 0) /
    rows.length;
  const { prefix } = places.keys;
  const heads = layer.kept.map((_, head) => [...Array(width).keys()].map((key) => read(head, key)));
  const maps = heads.map((head) => head.slice(prefix));
  const shown = shownLayer(layer, query);
  return {
    layer: prefix ? { ...shown, labels: headLabels(layer, heads, prefix) } : shown,
    ...encoded(maps, rules),
    error: Float64Array.from(statistics.high, (high, head) => (high - statistics.low[head]) / 512),
  };
}

/**
 * Return a name for each head: its number, and what it gives to the tokens that lie nowhere in the picture.
 * @param {Layer} layer
 * @param {readonly number[][]} heads
 * @param {number} prefix
 */
function headLabels(layer, heads, prefix) {
  const labels = /** @type {string[]} */ (Array(layer.channels).fill(""));
  for (const [place, weights] of heads.entries()) {
    const sum = weights.slice(0, prefix).reduce((total, weight) => total + weight, 0);
    const channel = layer.kept[place];
    labels[channel] = `${channel} · ${prefix === 1 ? "class" : "prefix"} ${formatNumber(sum, 2)}`;
  }
  return labels;
}

/**
 * Return maps as codes on their own ranges, with their statistics, as blocks hold them.
 * @param {readonly number[][]} maps
 * @param {ScaleRules} rules
 * @returns {{values: Values, statistics: Statistics}}
 */
function encoded(maps, rules) {
  const size = maps[0].length;
  const codes = new Uint8Array(maps.length * size);
  const marks = new Uint8Array(codes.length);
  const columns = maps.map((map, head) => {
    const finite = map.filter(Number.isFinite);
    const found = summaryOf(finite, rules);
    for (const [place, value] of map.entries()) {
      const part = found.high > found.low ? (value - found.low) / (found.high - found.low) : 0;
      codes[head * size + place] = Math.max(0, Math.min(255, Math.floor(256 * part)));
      if (!Number.isFinite(value)) marks[head * size + place] = Number.isNaN(value) ? 1 : value > 0 ? 2 : 3;
    }
    return { ...found, nan: map.filter(Number.isNaN).length, all: finite.length };
  });
  const column = (/** @type {"low" | "high" | "mean" | "std" | "held"} */ name) =>
    Float64Array.from(columns, (found) => found[name]);
  const statistics = {
    low: column("low"),
    high: column("high"),
    mean: column("mean"),
    std: column("std"),
    held: column("held"),
    nan: columns.map(({ nan }) => nan),
    inf: columns.map(({ nan, all }) => size - nan - all),
    constant: columns.map(({ low, high, all }) => all === size && isConstant(low, high, rules)),
  };
  return { values: { codes, marks: marks.some(Boolean) ? marks : null, ends: null, floats: null }, statistics };
}

/**
 * @param {readonly number[]} finite
 * @param {ScaleRules} rules
 */
function summaryOf(finite, rules) {
  if (!finite.length) return { low: NaN, high: NaN, mean: NaN, std: NaN, held: NaN };
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  const std = Math.sqrt(finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / finite.length);
  const ordered = finite.map(Math.abs).sort((one, other) => one - other);
  const above = ordered.filter((magnitude) => magnitude > ordered[0]).length;
  const held = ordered[ordered.length - 1 - Math.floor((1 - rules.held) * above + 1e-9)];
  return { low, high, mean, std, held };
}
