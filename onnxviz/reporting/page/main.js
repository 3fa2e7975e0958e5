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
  const store = new BlockStore(blockText);
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

/**
 * Give the text of a block, which may lie in a part of the file that has still to be read.
 * @param {number} block
 * @returns {Promise<string>}
 */
async function blockText(block) {
  const found = document.getElementById(`block-${block}`);
  // What something follows is whole.
  if (document.readyState === "loading" && !found?.nextElementSibling) {
    await new Promise((read) => document.addEventListener("DOMContentLoaded", read, { once: true }));
  }
  return byId(`block-${block}`).textContent;
}

start();
