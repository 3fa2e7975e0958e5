/** Connects keys to what they do, on the maps and anywhere on the page. */

import { showLayers } from "./app.js";
import { byId } from "./dom.js";
import { isTyping, stepChannel, stepPosition } from "./keys.js";
import { speakSpot } from "./readout.js";
import { zoomBy } from "./zoom.js";

/** @typedef {import("./app.js").App} App */

/**
 * Listen to keys.
 * @param {App} app
 */
export function listenKeys(app) {
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
  } else if (event.key === "Enter" || event.key === " ") app.pick({ place, position });
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
  if (app.start.shown && (key === "]" || key === "[" || key === "Escape")) app.open(0);
  else if (key === "/") {
    showLayers(true);
    byId("search").focus();
  } else if (key === "[") app.open(Math.max(0, layer - 1));
  else if (key === "]") app.open(Math.min(last, layer + 1));
  else if (key === "+" || key === "=") zoomBy(app, 1);
  else if (key === "-") zoomBy(app, -1);
  else if (key === "0") app.change({ zoom: null }, false);
  else if (/^[1-9]$/.test(key) && Number(key) <= app.index.runs.length) app.change({ run: Number(key) - 1 }, false);
  else if (key === "p") app.pins.toggle();
  else if (key === "h") app.goToStart();
  else if (key === "k") app.play.toggle();
  else if (key === "a") byId("size").click();
  else if (key === "?") byId("keys").showModal();
  else if (key === "Escape") showLayers(false);
  else return false;
  return true;
}
