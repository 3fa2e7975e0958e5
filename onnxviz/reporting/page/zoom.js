/** Zooming by steps. */

import { ZOOMS, zoomed } from "./grid.js";

/** @typedef {import("./app.js").App} App */

/**
 * Zoom by steps. The value under a point stays there; without a point, the chosen position moves to the middle.
 * @param {App} app
 * @param {number} steps
 * @param {{x: number, y: number}} [point] of the window
 */
export function zoomBy(app, steps, point) {
  const { stage, scene } = app;
  if (!stage.grid || !scene || scene.layer.form === "vector") return;
  const longest = 4096 * devicePixelRatio;
  const allowed = ZOOMS.filter((zoom) => zoomed(Math.max(scene.height, scene.width), zoom) <= longest);
  const at = allowed.findIndex((zoom) => zoom >= /** @type {Grid} */ (stage.grid).zoom);
  const zoom = allowed[Math.max(0, Math.min(allowed.length - 1, at + steps))];
  const spot = point ? stage.spotAt(point.x, point.y) : app.chosen;
  app.state.zoom = zoom;
  stage.show(scene, zoom, false);
  if (spot) stage.bring(spot, point ?? stage.middle);
  else if (app.state.place !== null) stage.reveal(app.state.place);
  app.legend();
  app.marked();
}
