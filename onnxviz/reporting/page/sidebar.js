/** The layers at the left: a tree by scope with a search, which also works by keyboard. */

import { byId } from "./dom.js";
import { HealthList } from "./health.js";
import { plural } from "./numbers.js";
import { describeRow, treeRows } from "./rows.js";
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
    this.run = 0;
    this.tree.append(...treeRows(buildTree(layers), layers));
    /** @type {HTMLElement[]} */
    this.rows = [...this.tree.querySelectorAll('[role="treeitem"]')];
    /** @type {HTMLElement[]} the row of each layer */
    this.ofLayer = [];
    for (const row of this.rows) if (row.dataset.layer) this.ofLayer[Number(row.dataset.layer)] = row;
    this.health = new HealthList(layers, open, () => this.tell(byId("search").value));
    this.describe();
    this.listen();
  }

  /**
   * Mark the layer that is shown, and count live channels in the run that is shown.
   * @param {number} layer
   * @param {number} run
   */
  show(layer, run) {
    if (run !== this.run) {
      this.run = run;
      this.describe();
    }
    for (const row of this.tree.querySelectorAll('[aria-selected="true"]')) row.setAttribute("aria-selected", "false");
    const row = this.ofLayer[layer];
    row.setAttribute("aria-selected", "true");
    for (let scope = groupOf(row); scope; scope = groupOf(scope)) scope.setAttribute("aria-expanded", "true");
    this.rove(row);
    row.scrollIntoView({ block: "nearest" });
  }

  /** Show the facts of each layer in the run. */
  describe() {
    this.ofLayer.forEach((row, place) => describeRow(row, this.layers[place], this.run));
    this.health.show(this.run, this.ofLayer);
    this.tell(byId("search").value);
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

  /** The rows that neither the search nor a closed scope hides. */
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
   * Show the layers that a search finds, of these perhaps only those that are not well, and their number.
   * @param {string} query
   */
  tell(query) {
    const found = new Set([...searchLayers(query, this.layers)].filter((place) => this.health.keeps(place)));
    const some = found.size < this.layers.length;
    this.ofLayer.forEach((row, place) => (row.hidden = !found.has(place)));
    for (const row of [...this.rows].reverse()) {
      if (row.dataset.layer) continue;
      row.hidden = ![...(row.lastElementChild?.children ?? [])].some(
        (child) => !(/** @type {HTMLElement} */ (child).hidden),
      );
      if (some && !row.hidden) row.setAttribute("aria-expanded", "true");
    }
    const all = plural(this.layers.length, "layer");
    byId("found").textContent = !some ? all : found.size ? `${found.size} of ${all}` : `no layer of ${all}`;
  }
}

/**
 * @param {HTMLElement} item
 * @returns {HTMLElement | null}
 */
function groupOf(item) {
  return /** @type {HTMLElement | null} */ (item.parentElement?.closest('[role="treeitem"]') ?? null);
}
