/** The layers at the left: a tree by scope with a search, all by keyboard too. */

import { shorten } from "./address.js";
import { byId, make } from "./dom.js";
import { formatShape, plural } from "./numbers.js";
import { countLive, layerIn, runWith, statisticsIn } from "./scene.js";
import { buildTree, searchLayers } from "./tree.js";

/** The tree of layers. */
export class Sidebar {
  /**
   * @param {readonly Layer[]} layers
   * @param {(layer: number) => void} open
   */
  constructor(layers, open) {
    this.layers = layers;
    this.open = open;
    this.tree = byId("tree");
    /** @type {HTMLElement[]} */
    this.rows = [];
    /** @type {HTMLElement[]} the row of each layer */
    this.ofLayer = [];
    this.run = 0;
    this.fill(this.tree, buildTree(layers), 1);
    this.listen();
    this.tell("");
  }

  /**
   * Mark the layer that is shown, and count live channels in the run that is shown.
   * @param {number} layer
   * @param {number} run
   */
  show(layer, run) {
    if (run !== this.run) {
      this.run = run;
      this.ofLayer.forEach((row, place) => this.describe(row, place));
    }
    for (const row of this.tree.querySelectorAll('[aria-selected="true"]')) row.setAttribute("aria-selected", "false");
    const row = this.ofLayer[layer];
    row.setAttribute("aria-selected", "true");
    for (let scope = groupOf(row); scope; scope = groupOf(scope)) scope.setAttribute("aria-expanded", "true");
    this.rove(row);
    row.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {HTMLElement} parent
   * @param {Scope} scope
   * @param {number} level
   */
  fill(parent, scope, level) {
    for (const child of scope.children) {
      const row = "children" in child ? this.scopeRow(child, level) : this.layerRow(child, level);
      parent.append(row);
    }
  }

  /**
   * @param {Scope} scope
   * @param {number} level
   */
  scopeRow(scope, level) {
    const label = make("span", { class: "scope-name" });
    label.append(make("bdi", {}, shorten(scope.name, 200)));
    const count = make("span", { class: "scope-count", "aria-hidden": "true" }, String(scope.layers));
    const head = make("div", { class: "row scope" }, label, count);
    const group = make("div", { role: "group" });
    const item = this.item(level, head, {
      "aria-expanded": "true",
      "aria-label": `${shorten(scope.name, 200)}, ${plural(scope.layers, "layer")}`,
    });
    item.append(group);
    this.fill(group, scope, level + 1);
    return item;
  }

  /**
   * @param {Leaf} leaf
   * @param {number} level
   */
  layerRow(leaf, level) {
    const name = make("span", { class: "layer-name" }, make("bdi", {}, shorten(leaf.name, 200)));
    const row = make(
      "div",
      { class: "row layer" },
      name,
      make("span", { class: "layer-live" }),
      make("span", { class: "layer-facts" }),
    );
    const item = this.item(level, row, { "aria-selected": "false" });
    item.dataset.layer = String(leaf.layer);
    item.title = shorten(this.layers[leaf.layer].name, 400);
    this.ofLayer[leaf.layer] = item;
    this.describe(item, leaf.layer);
    return item;
  }

  /**
   * @param {number} level
   * @param {HTMLElement} head
   * @param {{[attribute: string]: string}} attributes
   */
  item(level, head, attributes) {
    const item = make(
      "div",
      {
        role: "treeitem",
        "aria-level": String(level),
        tabindex: "-1",
        ...attributes,
      },
      head,
    );
    head.style.setProperty("--level", String(Math.min(level - 1, 8)));
    this.rows.push(item);
    return item;
  }

  /**
   * @param {HTMLElement} item
   * @param {number} place
   */
  describe(item, place) {
    const run = runWith(this.layers[place], this.run);
    const layer = layerIn(this.layers[place], run);
    const live = countLive(layer, statisticsIn(layer, run));
    const shape = formatShape([layer.channels, ...spatialShape(layer)]);
    const facts = `${layer.op || layer.kind || ""} ${shape}`.trim();
    /** @type {HTMLElement} */ (item.querySelector(".layer-facts")).textContent = facts;
    const count = /** @type {HTMLElement} */ (item.querySelector(".layer-live"));
    count.textContent = live < layer.kept.length ? `${live} live` : "";
  }

  listen() {
    this.tree.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const item = /** @type {HTMLElement} */ (event.target).closest('[role="treeitem"]');
      if (item) this.act(/** @type {HTMLElement} */ (item));
    });
    this.tree.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.key(event));
    const search = byId("search");
    search.addEventListener("input", () => this.tell(search.value));
    search.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const first = this.visible().find((row) => row.dataset.layer);
      if (event.key === "Enter" && first) this.open(Number(first.dataset.layer));
      else if (event.key === "ArrowDown") this.focus(first ?? null);
      else if (event.key === "Escape" && search.value) {
        search.value = "";
        this.tell("");
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** @param {HTMLElement} item */
  act(item) {
    if (item.dataset.layer) this.open(Number(item.dataset.layer));
    else item.setAttribute("aria-expanded", String(item.getAttribute("aria-expanded") === "false"));
    this.focus(item);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const item = /** @type {HTMLElement | null} */ (
      /** @type {HTMLElement} */ (event.target).closest('[role="treeitem"]')
    );
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.visible();
    const at = rows.indexOf(item);
    const expanded = item.getAttribute("aria-expanded");
    if (event.key === "ArrowDown") this.focus(rows[at + 1]);
    else if (event.key === "ArrowUp") this.focus(rows[at - 1]);
    else if (event.key === "Home") this.focus(rows[0]);
    else if (event.key === "End") this.focus(rows.at(-1) ?? null);
    else if (event.key === "ArrowRight" && expanded === "false") item.setAttribute("aria-expanded", "true");
    else if (event.key === "ArrowRight" && expanded) this.focus(rows[at + 1]);
    else if (event.key === "ArrowLeft" && expanded === "true") item.setAttribute("aria-expanded", "false");
    else if (event.key === "ArrowLeft") this.focus(groupOf(item));
    else if (event.key === "Enter" || event.key === " ") this.act(item);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The rows that are neither searched away nor folded away. */
  visible() {
    return this.rows.filter((row) => !row.hidden && row.offsetParent !== null);
  }

  /** @param {HTMLElement | null | undefined} item */
  focus(item) {
    if (!item) return;
    this.rove(item);
    item.focus({ preventScroll: true });
    (item.firstElementChild ?? item).scrollIntoView({ block: "nearest" });
  }

  /** @param {HTMLElement} item the one that Tab reaches */
  rove(item) {
    for (const row of this.tree.querySelectorAll('[tabindex="0"]')) row.setAttribute("tabindex", "-1");
    item.setAttribute("tabindex", "0");
  }

  /**
   * Show what a search finds, and how many.
   * @param {string} query
   */
  tell(query) {
    const found = searchLayers(query, this.layers);
    this.ofLayer.forEach((row, place) => (row.hidden = !found.has(place)));
    for (const row of [...this.rows].reverse()) {
      if (row.dataset.layer) continue;
      row.hidden = ![...(row.lastElementChild?.children ?? [])].some(
        (child) => !(/** @type {HTMLElement} */ (child).hidden),
      );
      if (query.trim() && !row.hidden) row.setAttribute("aria-expanded", "true");
    }
    const all = plural(this.layers.length, "layer");
    byId("found").textContent = !query.trim() ? all : found.size ? `${found.size} of ${all}` : `no layer of ${all}`;
  }
}

/**
 * Give the sizes of a layer's axes of space, as its layout tells them.
 * @param {Layer} layer
 * @returns {number[]}
 */
export function spatialShape(layer) {
  const { layout, shape, extent, halved } = layer;
  const sizes =
    layout && layout.length === shape.length ? shape.filter((_, axis) => "DHWLT".includes(layout[axis])) : [];
  return sizes.length === extent.length ? sizes : extent.map((side) => side * 2 ** halved);
}

/**
 * @param {HTMLElement} item
 * @returns {HTMLElement | null}
 */
function groupOf(item) {
  return /** @type {HTMLElement | null} */ (item.parentElement?.closest('[role="treeitem"]') ?? null);
}
