/** The start: the page's controls are connected, and what the address says is opened. */

import { App } from "./app.js";
import { listenButtons, listenControls } from "./controls.js";
import { byId } from "./dom.js";
import { listenKeys } from "./keyboard.js";
import { listenPointer } from "./pointer.js";
import { BlockStore, readIndex } from "./report.js";
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

start();
