/** The rows of the tree of layers. */

import { shorten } from "./address.js";
import { make } from "./dom.js";
import { formatShape, plural } from "./numbers.js";
import { countLive, layerIn, runWith } from "./scene.js";

/**
 * Make the rows of a scope: its layers, and its scopes with their own rows inside.
 * @param {Scope} scope
 * @param {readonly Layer[]} layers
 * @param {number} [level]
 * @returns {HTMLElement[]}
 */
export function treeRows(scope, layers, level = 1) {
  return scope.children.map((child) =>
    "children" in child ? scopeRow(child, layers, level) : layerRow(child, layers, level),
  );
}

/**
 * @param {Scope} scope
 * @param {readonly Layer[]} layers
 * @param {number} level
 */
function scopeRow(scope, layers, level) {
  const name = shorten(scope.name, 200);
  const label = make("span", { class: "scope-name" }, make("bdi", {}, name));
  const count = make("span", { class: "scope-count", "aria-hidden": "true" }, String(scope.layers));
  const row = treeItem(level, make("div", { class: "row scope" }, label, count), {
    "aria-expanded": "true",
    "aria-label": `${name}, ${plural(scope.layers, "layer")}`,
  });
  row.append(make("div", { role: "group" }, ...treeRows(scope, layers, level + 1)));
  return row;
}

/**
 * @param {Leaf} leaf
 * @param {readonly Layer[]} layers
 * @param {number} level
 */
function layerRow(leaf, layers, level) {
  const head = make(
    "div",
    { class: "row layer" },
    make("span", { class: "layer-name" }, make("bdi", {}, shorten(leaf.name, 200))),
    make("span", { class: "layer-badge", hidden: "" }),
    make("span", { class: "layer-live" }),
    make("span", { class: "layer-facts" }),
  );
  return treeItem(level, head, {
    "aria-selected": "false",
    "data-layer": String(leaf.layer),
    title: shorten(layers[leaf.layer].name, 400),
  });
}

/**
 * @param {number} level
 * @param {HTMLElement} head
 * @param {{[attribute: string]: string}} attributes
 */
function treeItem(level, head, attributes) {
  head.style.setProperty("--level", String(Math.min(level - 1, 8)));
  return make("div", { role: "treeitem", "aria-level": String(level), tabindex: "-1", ...attributes }, head);
}

/**
 * Show the facts of a layer on its row: those in a run or, if that lacks the layer, in the first run that has it.
 * @param {HTMLElement} row
 * @param {Layer} named
 * @param {number} wanted
 */
export function describeRow(row, named, wanted) {
  const run = runWith(named, wanted);
  const layer = layerIn(named, run);
  const live = countLive(layer, run);
  const write = (/** @type {string} */ part, /** @type {string} */ words) => {
    const found = /** @type {HTMLElement} */ (row.querySelector(part));
    found.textContent = words;
  };
  const shape = formatShape([layer.channels, ...spatialShape(layer)]);
  write(".layer-facts", `${layer.op || layer.kind || ""} ${shape}`.trim());
  write(".layer-live", live < layer.channels ? `${live} live` : "");
}

/**
 * Return the sizes of a layer's axes of space, by its layout.
 * @param {Layer} layer
 * @returns {number[]}
 */
function spatialShape(layer) {
  const { layout, shape, extent, halved } = layer;
  const sizes =
    layout && layout.length === shape.length ? shape.filter((_, axis) => "DHWLT".includes(layout[axis])) : [];
  return sizes.length === extent.length ? sizes : extent.map((side) => side * 2 ** halved);
}
