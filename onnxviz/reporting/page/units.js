/** Starts the page of `mine`: which pictures each unit responds to. */

import { shorten } from "./address.js";
import { byId, fillSelect, make } from "./dom.js";
import { isTyping, stepChannel } from "./keys.js";
import { LayerNames } from "./names.js";
import { plural } from "./numbers.js";
import { followTheme } from "./theme.js";
import { formatUnitAddress, parseUnitAddress } from "./unit-address.js";
import { ORDERS, UnitBlocks, select } from "./unit-blocks.js";
import { paintCell } from "./unit-cell.js";
import { showUnit } from "./unit-panel.js";

class UnitsPage {
  constructor() {
    /** @type {UnitsIndex} */
    this.index = JSON.parse(byId("index").textContent);
    this.blocks = new UnitBlocks((block) => byId(`block-${block}`).textContent);
    this.names = new LayerNames(/** @type {any} */ (this.index.layers));
    this.layer = -1;
    /** @type {number | null} */
    this.unit = null;
    /** @type {MinedLayer | null} what is known of the units of the layer that is shown */
    this.mined = null;
    /** @type {number[]} the units that are shown, in their order */
    this.shown = [];
    this.asked = 0;
  }

  /** Say something, or nothing more. @param {string} text */
  tell(text) {
    byId("notice").hidden = !text;
    byId("notice-text").textContent = text;
  }

  /** Open the place that an address names. @param {string} hash */
  async visit(hash) {
    const { layer: called, unit } = parseUnitAddress(hash);
    const found = this.names.find(called);
    const missing = found < 0 ? `There is no layer “${shorten(called, 80)}” here; this is the first.` : "";
    await this.open(Math.max(0, found), found < 0 ? null : unit);
    if (missing) this.tell(missing);
  }

  /**
   * Open a layer, and a unit of it.
   * @param {number} layer
   * @param {number | null} unit
   */
  async open(layer, unit) {
    const asked = ++this.asked;
    const facts = this.index.layers[layer];
    if (!facts) return;
    const mined = await this.blocks.read(facts.block);
    if (asked !== this.asked) return;
    this.tell("");
    const same = layer === this.layer;
    this.layer = layer;
    this.mined = mined;
    if (!same) this.showLayer();
    document.body.classList.remove("layers-open");
    if (unit !== null && unit >= facts.channels) {
      this.tell(`${shorten(facts.name, 80)} has units 0 to ${facts.channels - 1}, no ${unit}.`);
    }
    await this.pick(unit !== null && unit < facts.channels ? unit : null);
  }

  /** Show the head of a layer, and its units. */
  showLayer() {
    const { index, layer } = this;
    const facts = index.layers[layer];
    byId("layer-name").textContent = facts.name;
    byId("layer-facts").textContent = facts.facts;
    byId("dead-box").hidden = !facts.dead;
    if (!facts.dead) byId("dead").checked = false;
    for (const link of byId("layer-list").querySelectorAll("a")) {
      if (Number(link.dataset.layer) === layer) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    byId("layer-list").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    this.filter();
  }

  /** Show the units that the filters let through. */
  filter() {
    const { index, mined } = this;
    if (!mined) return;
    const facts = index.layers[this.layer];
    const kind = byId("class").value;
    this.shown = select(mined, {
      order: byId("order").value,
      kind: kind === "" ? null : Number(kind),
      pure: byId("pure").checked ? index.k / 2 : 0,
      dead: byId("dead").checked,
      wanted: byId("wanted").value,
    });
    byId("pure-box").hidden = kind === "";
    byId("found").textContent = `${this.shown.length} of ${plural(facts.channels, "unit")}`;
    byId("units").replaceChildren(...this.shown.map((unit) => paintCell(index, facts, mined, unit)));
    byId("units").scrollTop = 0;
    this.mark();
  }

  /** Choose a unit, or none. @param {number | null} unit */
  async pick(unit) {
    this.unit = unit;
    const facts = this.index.layers[this.layer];
    const name = this.names.of(/** @type {any} */ (facts));
    const address = `#${formatUnitAddress(name, unit)}`;
    if (location.hash !== address) history.replaceState(null, "", address);
    byId("panel").hidden = unit === null;
    this.mark();
    if (unit !== null && this.mined) {
      const pictures = await this.blocks.pictures(this.index.pictures);
      if (unit === this.unit) showUnit(this.index, facts, this.mined, unit, pictures);
    }
  }

  /** Mark the cell of the unit that is chosen. */
  mark() {
    for (const cell of byId("units").children) {
      const chosen = Number(cell.dataset.unit) === this.unit;
      cell.setAttribute("aria-pressed", String(chosen));
      cell.tabIndex = chosen || (this.unit === null && cell === byId("units").firstChild) ? 0 : -1;
    }
  }

  /** Choose the unit that a key leads to. @param {string} key @returns {boolean} whether the key meant something */
  step(key) {
    const cells = /** @type {HTMLElement[]} */ ([...byId("units").children]);
    const columns = Math.max(1, cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length);
    const grid = /** @type {any} */ ({ columns, count: cells.length });
    const at = this.unit === null ? -1 : this.shown.indexOf(this.unit);
    const next = at < 0 && key.startsWith("Arrow") && cells.length ? 0 : stepChannel(key, Math.max(at, 0), grid, 4);
    if (next === null) return false;
    this.pick(this.shown[next]);
    cells[next].focus({ preventScroll: true });
    cells[next].scrollIntoView({ block: "nearest" });
    return true;
  }

  /** @param {string} key @returns {boolean} whether the key meant something */
  key(key) {
    const last = this.index.layers.length - 1;
    if (key === "/") {
      document.body.classList.add("layers-open");
      byId("search").focus();
    } else if (key === "[") this.open(Math.max(0, this.layer - 1), null);
    else if (key === "]") this.open(Math.min(last, this.layer + 1), null);
    else if (key === "?") byId("keys").showModal();
    else if (key === "Escape") {
      document.body.classList.remove("layers-open");
      this.pick(null);
    } else return this.step(key);
    return true;
  }
}

/** Write what does not change, and listen. @param {UnitsPage} page */
function prepare(page) {
  const { index } = page;
  byId("model-name").textContent = index.model;
  const used = `${index.used.toLocaleString("en")} ${index.used === 1 ? "picture" : "pictures"}`;
  byId("model-facts").textContent = `what each unit responds to in ${used}`;
  byId("layer-list").append(
    ...index.layers.map((layer, place) => {
      const name = page.names.of(/** @type {any} */ (layer));
      const href = `#${formatUnitAddress(name, null)}`;
      const link = make("a", { href, "data-layer": String(place) }, make("bdi", {}, shorten(layer.name, 200)));
      link.append(make("span", { class: "muted" }, String(layer.channels)));
      return make("li", {}, link);
    }),
  );
  fillSelect(byId("order"), ORDERS);
  byId("class-box").hidden = !index.classes.length;
  fillSelect(byId("class"), [["", "all"], ...index.classes.map(pairOfClass)]);
}

/** @param {string} name @param {number} place @returns {[string, string]} */
function pairOfClass(name, place) {
  return [String(place), shorten(name, 60)];
}

/** @param {UnitsPage} page */
function listen(page) {
  for (const id of ["order", "class", "pure", "dead"]) byId(id).addEventListener("change", () => page.filter());
  byId("wanted").addEventListener("input", () => page.filter());
  byId("search").addEventListener("input", () => {
    const text = byId("search").value.toLowerCase();
    for (const [place, row] of [...byId("layer-list").children].entries()) {
      const { name, op } = page.index.layers[place];
      row.hidden = !`${name}\n${op}`.toLowerCase().includes(text);
    }
  });
  byId("units").addEventListener("click", (/** @type {any} */ event) => {
    const cell = event.target.closest(".unit");
    if (cell) page.pick(Number(cell.dataset.unit));
  });
  byId("close-unit").addEventListener("click", () => page.pick(null));
  byId("close-notice").addEventListener("click", () => page.tell(""));
  byId("skip").addEventListener("click", () => byId("units").firstChild?.focus());
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("close-keys").addEventListener("click", () => byId("keys").close());
  byId("open-layers").addEventListener("click", () => document.body.classList.toggle("layers-open"));
  byId("shade").addEventListener("click", () => document.body.classList.remove("layers-open"));
  addEventListener("hashchange", () => page.visit(location.hash));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isTyping(event.target)) /** @type {HTMLElement} */ (event.target).blur();
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
    if (page.key(event.key)) event.preventDefault();
  });
}

/** Start the page. */
async function startUnits() {
  const page = new UnitsPage();
  followTheme(byId("theme"), () => {}, null);
  prepare(page);
  listen(page);
  await page.visit(location.hash);
  document.body.dataset.ready = String(Math.round(performance.now()));
}

startUnits();
