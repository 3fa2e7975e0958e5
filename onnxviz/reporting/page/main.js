/** Starts the page: connects its controls and opens the place in the address. */

import { App } from "./app.js";
import { listenButtons, listenControls } from "./controls.js";
import { byId } from "./dom.js";
import { listenKeys } from "./keyboard.js";
import { listenPointer } from "./pointer.js";
import { BlockStore, readIndex } from "./report.js";
import { followSize } from "./size.js";
import { followTheme } from "./theme.js";

/**
 * Start the page.
 * @returns {Promise<App>}
 */
async function start() {
  const index = readIndex(byId("index").textContent);
  const store = new BlockStore(async (block) => app.live?.text(block) ?? blockText(block));
  followTheme(byId("theme"), () => app.change({}, false), index.look.theme);
  const app = new App(index, store);
  if (!index.layers.length) {
    app.tell("This report holds no layer.");
    return app;
  }
  followSize(byId("size"), () => app.change({}, false));
  addEventListener("beforeprint", () => app.print(true));
  addEventListener("afterprint", () => app.print(false));
  listenControls(app);
  listenPointer(app);
  listenKeys(app);
  listenButtons(app);
  addEventListener("hashchange", () => app.visit(location.hash));
  await app.visit(location.hash);
  document.body.dataset.ready = String(Math.round(performance.now()));
  return app;
}

/**
 * Return the text of a block, which may lie in a part of the file that the browser has not read yet.
 * @param {number} block
 * @returns {Promise<string>}
 */
async function blockText(block) {
  const found = document.getElementById(`block-${block}`);
  // A block is complete once another element follows it.
  if (document.readyState === "loading" && !found?.nextElementSibling) {
    await new Promise((read) => document.addEventListener("DOMContentLoaded", read, { once: true }));
  }
  return byId(`block-${block}`).textContent;
}

/** The page, once it has started: what a served page adds begins with it. */
export const started = start();
