/** The start: the page's controls are connected, and what the address says is opened. */

import { App, layerFacts } from "./app.js";
import { byId } from "./dom.js";
import { ZOOMS, zoomed } from "./grid.js";
import { isTyping, stepChannel, stepPosition } from "./keys.js";
import { copyText } from "./link.js";
import { speakSpot } from "./readout.js";
import { BlockStore, readIndex } from "./report.js";
import { captioned, fileName, saveCanvas } from "./save.js";
import { followTheme } from "./theme.js";

/** Start the page. */
export async function start() {
  const index = readIndex(byId("index").textContent);
  const store = new BlockStore((block) => byId(`block-${block}`).textContent);
  followTheme(byId("theme"), () => app.change({}, false));
  const app = new App(index, store);
  if (!index.layers.length) {
    app.tell("This report holds no layer.");
    return;
  }
  listenControls(app);
  listenPointer(app);
  listenKeys(app);
  listenButtons(app);
  addEventListener("hashchange", () => app.visit(location.hash));
  await app.visit(location.hash);
  document.body.dataset.ready = String(Math.round(performance.now()));
}

/** @param {App} app */
function listenControls(app) {
  const on = (/** @type {string} */ id, /** @type {string} */ event, /** @type {(control: any) => void} */ act) => {
    const control = byId(id);
    control.addEventListener(event, () => act(control));
  };
  on("run", "change", (control) => app.change({ run: Number(control.value) }, false));
  on("scale", "change", (control) => app.change({ scale: control.value }, false));
  on("colours", "change", (control) => app.change({ colormap: control.value }, false));
  on("order", "change", (control) => app.change({ order: control.value }, false));
  on("live", "change", (control) => app.change({ live: control.checked }, false));
  on("slice", "input", (control) => {
    const slice = Number(control.value);
    const position = app.state.position ? [slice, ...app.state.position.slice(1)] : null;
    app.change({ slice, position }, false);
  });
  on("overlay-opacity", "input", (control) => {
    app.state.overlay = Number(control.value) / 100;
    app.follow();
  });
  byId("zoom-out").addEventListener("click", () => zoomBy(app, -1));
  byId("zoom-in").addEventListener("click", () => zoomBy(app, 1));
  byId("fit").addEventListener("click", () => app.change({ zoom: null }, false));
}

/**
 * Zoom by steps, keeping what lies under a point where it is.
 * @param {App} app
 * @param {number} steps
 * @param {{x: number, y: number}} [point] of the window
 */
function zoomBy(app, steps, point) {
  const { stage, scene } = app;
  if (!stage.grid || !scene || scene.layer.form === "vector") return;
  const longest = 4096 * devicePixelRatio;
  const allowed = ZOOMS.filter((zoom) => zoomed(Math.max(scene.height, scene.width), zoom) <= longest);
  const at = allowed.findIndex((zoom) => zoom >= /** @type {Grid} */ (stage.grid).zoom);
  const zoom = allowed[Math.max(0, Math.min(allowed.length - 1, at + steps))];
  const spot = point ? stage.spotAt(point.x, point.y) : null;
  app.state.zoom = zoom;
  stage.show(scene, zoom, false);
  if (spot && point) stage.bring(spot, point);
  else if (app.state.place !== null) stage.reveal(app.state.place);
  app.legend();
  app.marked();
}

/** @param {App} app */
function listenPointer(app) {
  const stage = byId("stage");
  stage.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (event.pointerType === "touch") return;
    app.hover = app.stage.spotAt(event.clientX, event.clientY);
    app.spotted();
  });
  stage.addEventListener("pointerleave", () => {
    app.hover = null;
    app.spotted();
  });
  stage.addEventListener("click", (/** @type {PointerEvent} */ event) => {
    const spot = app.stage.spotAt(event.clientX, event.clientY);
    if (spot) app.choose(spot);
  });
  stage.addEventListener(
    "wheel",
    (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomBy(app, event.deltaY < 0 ? 1 : -1, {
        x: event.clientX,
        y: event.clientY,
      });
    },
    { passive: false },
  );
  const enlarged = byId("enlarged");
  enlarged.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    app.hover = enlargedSpot(app, enlarged, event);
    app.spotted();
  });
  enlarged.addEventListener("pointerleave", () => {
    app.hover = null;
    app.spotted();
  });
  enlarged.addEventListener("click", (/** @type {PointerEvent} */ event) => {
    const spot = enlargedSpot(app, enlarged, event);
    if (spot) app.choose(spot);
  });
}

/**
 * @param {App} app
 * @param {HTMLCanvasElement} canvas
 * @param {PointerEvent} event
 * @returns {Spot | null}
 */
function enlargedSpot(app, canvas, event) {
  const { scene, state } = app;
  if (!scene || state.place === null) return null;
  const box = canvas.getBoundingClientRect();
  const at = (/** @type {number} */ part, /** @type {number} */ count) =>
    Math.max(0, Math.min(count - 1, Math.floor(part * count)));
  const row = at((event.clientY - box.top) / box.height, scene.height);
  const column = at((event.clientX - box.left) / box.width, scene.width);
  const { form, extent } = scene.layer;
  const position = form === "volume" ? [scene.slice, row, column] : extent.length === 2 ? [row, column] : [column];
  return { place: state.place, position };
}

/** @param {App} app */
function listenKeys(app) {
  byId("stage").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!stageKey(app, event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  addEventListener("keydown", (event) => {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
    if (!pageKey(app, event.key)) return;
    event.preventDefault();
  });
}

/**
 * @param {App} app
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key meant something
 */
function stageKey(app, event) {
  const { scene, stage, state } = app;
  const { grid } = stage;
  if (!scene || !grid) return false;
  const place = state.place ?? scene.channels[0];
  const { extent, form } = scene.layer;
  const middle = extent.map((side, axis) => (form === "volume" && axis === 0 ? scene.slice : Math.floor(side / 2)));
  const position = state.position ?? middle;
  if (event.shiftKey && event.key.startsWith("Arrow")) {
    const next = stepPosition(event.key, position, extent);
    if (next) app.choose({ place, position: state.position ? next : position });
  } else if (event.key === "Enter" || event.key === " ") app.choose({ place, position });
  else {
    const rows = Math.max(1, Math.floor(stage.room.height / grid.stepY));
    const next = stepChannel(event.key, Math.max(0, scene.channels.indexOf(place)), grid, rows);
    if (next === null) return false;
    app.choose({ place: scene.channels[next], position });
    stage.reveal(scene.channels[next]);
  }
  if (app.chosen) speakSpot(scene, app.chosen);
  return true;
}

/**
 * @param {App} app
 * @param {string} key
 * @returns {boolean}
 */
function pageKey(app, key) {
  const { layer } = app.state;
  const last = app.index.layers.length - 1;
  if (key === "/") {
    openLayers(true);
    byId("search").focus();
  } else if (key === "[") app.open(Math.max(0, layer - 1));
  else if (key === "]") app.open(Math.min(last, layer + 1));
  else if (key === "+" || key === "=") zoomBy(app, 1);
  else if (key === "-") zoomBy(app, -1);
  else if (key === "0") app.change({ zoom: null }, false);
  else if (key === "p") app.pin();
  else if (key === "?") byId("keys").showModal();
  else if (key === "Escape") openLayers(false);
  else return false;
  return true;
}

/** @param {boolean} open */
function openLayers(open) {
  document.body.classList.toggle("layers-open", open);
  byId("open-layers").setAttribute("aria-expanded", String(open));
}

/** @param {App} app */
function listenButtons(app) {
  byId("open-layers").addEventListener("click", () => {
    openLayers(!document.body.classList.contains("layers-open"));
    if (document.body.classList.contains("layers-open")) byId("search").focus();
  });
  byId("shade").addEventListener("click", () => openLayers(false));
  byId("skip").addEventListener("click", () => byId("stage").focus());
  byId("previous").addEventListener("click", () => app.open(app.state.layer - 1));
  byId("next").addEventListener("click", () => app.open(app.state.layer + 1));
  byId("pin").addEventListener("click", () => app.pin());
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("close-keys").addEventListener("click", () => byId("keys").close());
  byId("close-notice").addEventListener("click", () => app.tell(""));
  byId("copy").addEventListener("click", async () => {
    const copied = await copyText(location.href);
    done("copy", copied ? "Link copied" : "");
    if (!copied) app.tell(`Copy this link: ${location.href}`);
  });
  byId("save").addEventListener("click", async () => {
    const { scene, stage, index } = app;
    if (!scene || !stage.grid) return;
    const run = index.runs.length > 1 ? ` · ${index.runs[scene.run].name}` : "";
    const words = {
      title: scene.layer.name,
      facts: `${index.model.name}${run} · ${layerFacts(scene.layer, scene.statistics)}`,
    };
    stage.paint();
    await saveCanvas(captioned(byId("maps"), scene, stage.grid, words), fileName(scene.layer.name));
    done("save", "Saved");
  });
}

/**
 * Say on a button for a moment that it has done its work.
 * @param {string} id
 * @param {string} text
 */
function done(id, text) {
  const label = byId(id).querySelector("span");
  label.dataset.text ??= label.textContent;
  if (!text) return;
  label.textContent = text;
  byId("speech").textContent = text;
  setTimeout(() => (label.textContent = label.dataset.text), 1600);
}

start();
