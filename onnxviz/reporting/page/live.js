/** A page that is served: pictures that are dropped, pasted, chosen or taken by the camera go to the model. */

import { byId } from "./dom.js";
import { started } from "./main.js";

// Larger pictures are reduced before they are sent: the model sees less anyway.
const LONGEST_SIDE = 1280;

// At most so often a camera's picture is sent, and never before the one before is answered.
const FRAME_MILLISECONDS = 150;

// At the start, and above a layer.
const CAMERA_BUTTONS = ["live-camera", "layer-camera"];

/** Sends pictures to the model, and brings what it makes of them into the report. */
export class Live {
  /**
   * @param {import("./app.js").App} app
   * @param {string} token
   */
  constructor(app, token) {
    this.app = app;
    this.token = token;
    /** @type {Blob | null} the picture that is shown; null while it is the one that the page began with */
    this.picture = null;
    /** @type {Set<number>} layers that still show the picture before */
    this.stale = new Set();
    /** @type {Map<number, string>} */
    this.blocks = new Map();
    this.count = 0;
    this.name = "";
    /** @type {MediaStream | null} */
    this.camera = null;
    this.listen();
  }

  /** Show what a page that is served has more, and listen. */
  listen() {
    byId("live-box").hidden = false;
    for (const id of ["layer-choose", "layer-camera"]) byId(id).hidden = false;
    const file = byId("live-file");
    for (const id of ["live-choose", "layer-choose"]) byId(id).addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      this.take(file.files?.[0] ?? null);
      // The same file again is a choice, too.
      file.value = "";
    });
    for (const id of CAMERA_BUTTONS) {
      byId(id).addEventListener("click", () => (this.camera ? this.stopCamera() : this.startCamera()));
    }
    addEventListener("paste", (event) => this.take(pictureOf(event.clipboardData)));
    addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("dropping");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      const dropped = pictureOf(event.dataTransfer);
      if (dropped) this.take(dropped);
      else
        this.app.tell("Only the file of a picture can be dropped here. One of another page can be copied and pasted.");
    });
  }

  /**
   * Show a picture.
   * @param {Blob | null} blob
   */
  async take(blob) {
    if (!blob) return;
    this.stopCamera();
    this.name = blob instanceof File && blob.name ? blob.name : "that was pasted";
    try {
      await this.send(await reduced(await createImageBitmap(blob)));
    } catch (error) {
      this.app.tell(`This cannot be shown: ${/** @type {Error} */ (error).message}`);
    }
  }

  /**
   * Send a picture, and show what the model makes of it in the layers that are on the screen.
   * @param {Blob} picture
   */
  async send(picture) {
    await this.ask(picture, this.app.shownLayers());
    this.app.tell("");
    this.app.sidebar.describe();
    await this.app.change({ run: 0 }, false, !this.app.start.shown);
  }

  /**
   * Make sure that layers show the picture of now.
   * @param {readonly number[]} layers
   */
  async refresh(layers) {
    const old = layers.filter((layer) => this.stale.has(layer));
    if (old.length && this.picture) await this.ask(this.picture, old);
  }

  /**
   * @param {Blob} picture
   * @param {readonly number[]} layers
   */
  async ask(picture, layers) {
    const address = `update?token=${encodeURIComponent(this.token)}&layers=${layers.join(",")}`;
    const answer = await fetch(address, { method: "POST", body: picture });
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 300) || answer.statusText);
    this.bring(picture, await answer.json());
  }

  /**
   * Put an answer in the place of the run that was shown.
   * @param {Blob} picture
   * @param {LiveAnswer} answer
   */
  bring(picture, answer) {
    const { index } = this.app;
    if (picture !== this.picture) {
      this.blocks.clear();
      for (const [place, layer] of index.layers.entries()) {
        this.stale.add(place);
        // How many channels live is not known before the layer is asked for.
        layer.runs = layer.runs.map((run) => run && { ...run, live: layer.channels });
      }
    }
    this.picture = picture;
    index.runs = [{ ...answer.run, name: this.name }];
    for (const [place, layer] of Object.entries(answer.layers)) {
      const entry = /** @type {LayerRun} */ (layer.runs[0]);
      // Numbers of blocks are used once in the life of the page.
      this.count++;
      this.blocks.set(this.count, answer.blocks[entry.block]);
      layer.runs = [{ ...entry, block: FIRST_BLOCK + this.count }];
      index.layers[Number(place)] = layer;
      this.stale.delete(Number(place));
    }
  }

  /**
   * Return the text of a block that came with an answer.
   * @param {number} block
   * @returns {string | undefined}
   */
  text(block) {
    return this.blocks.get(block - FIRST_BLOCK);
  }

  /** Show what the camera sees, picture after picture. */
  async startCamera() {
    if (!navigator.mediaDevices) {
      this.app.tell("The camera needs an encrypted connection, or a page of this machine: choose a picture instead.");
      return;
    }
    try {
      this.camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
    } catch (error) {
      this.app.tell(`The camera cannot be used: ${/** @type {Error} */ (error).message}`);
      return;
    }
    markCamera(true);
    this.name = "of the camera";
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = this.camera;
    await video.play();
    const { camera } = this;
    const next = async () => {
      if (this.camera !== camera) return;
      const began = performance.now();
      try {
        await this.send(await reduced(await createImageBitmap(video)));
      } catch (error) {
        this.app.tell(`The camera's picture cannot be shown: ${/** @type {Error} */ (error).message}`);
      }
      setTimeout(next, Math.max(0, FRAME_MILLISECONDS - (performance.now() - began)));
    };
    next();
  }

  /** Let the camera go. */
  stopCamera() {
    for (const track of this.camera?.getTracks() ?? []) track.stop();
    this.camera = null;
    markCamera(false);
  }
}

// Blocks of the page itself have lower numbers.
const FIRST_BLOCK = 1_000_000;

/** @param {boolean} going whether the camera's pictures are shown */
function markCamera(going) {
  for (const id of CAMERA_BUTTONS) byId(id).setAttribute("aria-pressed", String(going));
}

/**
 * Return the first picture among what is dropped or pasted.
 * @param {DataTransfer | null} data
 * @returns {Blob | null}
 */
function pictureOf(data) {
  return [...(data?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;
}

/**
 * Return a picture as a file of at most LONGEST_SIDE pixels a side.
 * @param {ImageBitmap} bitmap
 * @returns {Promise<Blob>}
 */
async function reduced(bitmap) {
  const share = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * share));
  canvas.height = Math.max(1, Math.round(bitmap.height * share));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("the browser made no picture of it");
  return /** @type {Blob} */ (blob);
}

started.then((app) => {
  app.live = new Live(app, JSON.parse(byId("server").textContent).token);
});
