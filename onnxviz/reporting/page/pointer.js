/** Connects the pointer to what it does, on the maps and on the enlarged channel. */

import { byId } from "./dom.js";
import { zoomBy } from "./zoom.js";

/** @typedef {import("./app.js").App} App */

/**
 * Follow the pointer.
 * @param {App} app
 */
export function listenPointer(app) {
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
    if (spot) app.pick(spot);
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
    if (spot) app.pick(spot);
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
