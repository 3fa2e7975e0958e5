/** Connects the page's controls and buttons to what they do. */

import { showLayers } from "./app.js";
import { byId } from "./dom.js";
import { layerFacts } from "./head.js";
import { copyText, usefulLink } from "./link.js";
import { overlayOf } from "./picture.js";
import { captioned, fileName, saveBlob, saveCanvas } from "./save.js";
import { sliceName, sliceWords } from "./steps.js";
import { svgOf } from "./svg.js";
import { zoomBy } from "./zoom.js";

/** @typedef {import("./app.js").App} App */

/**
 * Listen to the controls that change how maps are drawn.
 * @param {App} app
 */
export function listenControls(app) {
  const on = (/** @type {string} */ id, /** @type {string} */ event, /** @type {(control: any) => void} */ act) => {
    const control = byId(id);
    control.addEventListener(event, () => act(control));
  };
  on("run", "change", (control) => app.change({ run: Number(control.value) }, false));
  on("scale", "change", (control) => app.change({ scale: control.value }, false));
  on("colours", "change", (control) => app.change({ colormap: control.value }, false));
  on("order", "change", (control) => app.change({ order: control.value }, false));
  on("query", "change", (control) => app.change({ query: control.value, position: null }, false));
  on("live", "change", (control) => app.change({ live: control.checked }, false));
  on("slice", "input", (control) => {
    const slice = Number(control.value);
    const position = app.state.position ? [slice, ...app.state.position.slice(1)] : null;
    app.change({ slice, position }, false);
  });
  on("overlay-opacity", "input", (control) => {
    if (!app.scene) return;
    app.state[overlayOf(app.scene.layer)] = Number(control.value) / 100;
    app.follow();
  });
  byId("zoom-out").addEventListener("click", () => zoomBy(app, -1));
  byId("zoom-in").addEventListener("click", () => zoomBy(app, 1));
  byId("fit").addEventListener("click", () => app.change({ zoom: null }, false));
}

/**
 * Listen to the buttons.
 * @param {App} app
 */
export function listenButtons(app) {
  byId("open-layers").addEventListener("click", () => {
    showLayers(!document.body.classList.contains("layers-open"));
    if (document.body.classList.contains("layers-open")) byId("search").focus();
  });
  byId("shade").addEventListener("click", () => showLayers(false));
  byId("skip").addEventListener("click", () => byId("stage").focus());
  byId("previous").addEventListener("click", () => app.open(app.state.layer - 1));
  byId("next").addEventListener("click", () => app.open(app.state.layer + 1));
  byId("home").addEventListener("click", () => app.goToStart());
  for (const id of ["play", "start-play"]) byId(id).addEventListener("click", () => app.play.toggle());
  byId("start-tour").addEventListener("click", () => app.tour.go(0));
  byId("pin").addEventListener("click", () => app.pins.toggle());
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("close-keys").addEventListener("click", () => byId("keys").close());
  byId("close-notice").addEventListener("click", () => app.tell(""));
  // In a notebook the page is in a frame without an address.
  byId("copy").hidden = location.protocol === "about:";
  byId("copy").addEventListener("click", async () => {
    const link = usefulLink(location);
    const copied = await copyText(link);
    done("copy", copied ? "Link copied" : "");
    if (!copied) app.tell(`Copy this link: ${link}`);
  });
  byId("save").addEventListener("click", async () => {
    const { scene, stage } = app;
    if (!scene || !stage.grid) return;
    stage.paint();
    const words = captionWords(app.index, scene, shownWords(stage.shown));
    await saveCanvas(captioned(byId("maps"), scene, stage.grid, words), fileName(scene.layer.name));
    done("save", "Saved");
  });
  byId("save-svg").addEventListener("click", async () => {
    const { scene, stage } = app;
    if (!scene || !stage.grid) return;
    const view = { left: 0, top: 0, ratio: stage.room.ratio };
    const text = await svgOf(scene, stage.grid, view, captionWords(app.index, scene, ""));
    saveBlob(new Blob([text], { type: "image/svg+xml" }), `${fileName(scene.layer.name)}.svg`);
    done("save-svg", "Saved");
  });
}

/**
 * Return the caption of a saved picture.
 * @param {ReportIndex} index
 * @param {Scene} scene
 * @param {string} more
 */
function captionWords(index, scene, more) {
  const run = index.runs.length > 1 ? ` · ${index.runs[scene.run].name}` : "";
  const slice = scene.depth > 1 ? ` · ${sliceName(scene.layer)} ${sliceWords(scene)}` : "";
  return {
    title: scene.layer.name,
    facts: `${index.model.name}${run} · ${layerFacts(scene.layer, scene.run)}${slice}${more}`,
  };
}

/**
 * Return in words how many channels a saved picture has, where it has not all.
 * @param {{shown: number, count: number}} channels
 */
function shownWords({ shown, count }) {
  return shown < count ? ` · ${shown} of ${count.toLocaleString("en")} shown` : "";
}

/**
 * Show on a button for a moment that it has done its work.
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
