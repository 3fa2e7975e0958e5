/** The stage: all channels of a layer, of which one canvas shows the visible part in pixels of the screen. */

import { makeTarget, pencil } from "./dom.js";
import { textSize } from "./size.js";
import { cornerOf, hitTile } from "./grid.js";
import { drawLabels } from "./labels.js";
import { cellBox, layScene, positionOf } from "./layout.js";
import { paintTiles, shownPlaces } from "./tiles.js";

/** The room for maps on a sheet of paper, A4 or Letter, in pixels of CSS; words of 11 pixels are 6 points high. */
const PAPER = { width: 700, height: 840, size: 0.75 };

/** The longest side of a canvas, in pixels, that every browser has. */
const LONGEST = 16_000;

/** Draws a scene, and finds what lies under a point. */
export class Stage {
  /** @param {StageParts} parts */
  constructor(parts) {
    this.parts = parts;
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {Grid | null} */
    this.grid = null;
    /** @type {number | null} */
    this.zoom = null;
    this.whole = false;
    this.frame = 0;
    /** Called when the grid has moved. */
    this.moved = () => {};
    parts.box.addEventListener("scroll", () => this.ask(), { passive: true });
    new ResizeObserver(() => this.resized()).observe(parts.box);
  }

  /** Pixels of the screen to one of CSS. */
  get ratio() {
    return devicePixelRatio;
  }

  /** The room for the grid, in pixels of the screen. */
  get room() {
    if (this.whole) {
      const { width, height, size } = PAPER;
      return { width: width * this.ratio, height: height * this.ratio, ratio: size * this.ratio };
    }
    const { box, margin } = this.parts;
    const style = getComputedStyle(margin);
    const side = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    const above = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    const ratio = this.ratio;
    return {
      width: Math.max(1, Math.floor((box.clientWidth - side) * ratio)),
      height: Math.max(1, Math.floor((box.clientHeight - above) * ratio)),
      // What is laid out grows with the text.
      ratio: ratio * textSize(),
    };
  }

  /**
   * Show a scene.
   * @param {Scene} scene
   * @param {number | null} zoom null fits it to the stage
   * @param {boolean} fresh whether it is another layer, shown from its top
   * @param {boolean} [whole] whether all of it is painted, on paper
   */
  show(scene, zoom, fresh, whole = false) {
    this.scene = scene;
    this.zoom = zoom;
    this.whole = whole;
    this.lay();
    if (fresh) this.parts.box.scrollTo(0, 0);
    this.paint();
  }

  /** Lay out the grid. */
  lay() {
    const { scene } = this;
    if (!scene) return;
    this.grid = layScene(scene, this.zoom, this.room);
    const { space } = this.parts;
    space.style.width = `${this.grid.totalWidth / this.ratio}px`;
    space.style.height = `${this.grid.totalHeight / this.ratio}px`;
  }

  resized() {
    if (!this.scene) return;
    this.lay();
    this.ask();
    this.moved();
  }

  /** Paint before the next frame. */
  ask() {
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  /** Paint the visible part or, on paper, all that a canvas can hold. */
  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { scene, grid, whole } = this;
    if (!scene || !grid) return;
    const { canvas, box, space } = this.parts;
    const room = this.room;
    // The canvas sticks to the visible part of the space: scrolling shows no gap until it is painted again.
    const ratio = this.ratio;
    const left = whole ? 0 : Math.max(0, Math.round((box.scrollLeft - space.offsetLeft) * ratio));
    const top = whole ? 0 : Math.max(0, Math.round((box.scrollTop - space.offsetTop) * ratio));
    const seen = (/** @type {number} */ css) => (whole ? LONGEST : Math.ceil(css * ratio));
    const width = Math.min(seen(box.clientWidth), Math.max(1, grid.totalWidth - left));
    const height = Math.min(seen(box.clientHeight), Math.max(1, grid.totalHeight - top));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${width / ratio}px`;
      canvas.style.height = `${height / ratio}px`;
    }
    const target = makeTarget(width, height);
    const view = { left, top, ratio: room.ratio };
    if (scene.layer.form !== "vector") paintTiles(target, scene, grid, view);
    const context = pencil(canvas);
    context.putImageData(target.image, 0, 0);
    drawLabels(context, scene, grid, view);
  }

  /**
   * Find the channel and the position under a point of the window.
   * @param {number} clientX
   * @param {number} clientY
   * @returns {Spot | null}
   */
  spotAt(clientX, clientY) {
    const { scene, grid } = this;
    if (!scene || !grid) return null;
    const corner = this.parts.space.getBoundingClientRect();
    const hit = hitTile(grid, (clientX - corner.left) * this.ratio, (clientY - corner.top) * this.ratio);
    if (!hit) return null;
    return {
      place: scene.channels[hit.place],
      position: positionOf(scene, hit.row, hit.column),
    };
  }

  /**
   * Put the frames around a tile and a value.
   * @param {number | null} chosen the place of the channel with the frame
   * @param {Spot | null} spot
   */
  mark(chosen, spot) {
    const { scene, grid, parts } = this;
    if (!scene || !grid) return;
    const shown = chosen === null ? -1 : scene.channels.indexOf(chosen);
    frame(parts.tile, shown < 0 ? null : this.boxOf(shown));
    const under = spot ? scene.channels.indexOf(spot.place) : -1;
    const cell = under < 0 || !spot ? null : cellBox(scene, grid, under, spot.position);
    frame(parts.cell, cell && scaled(cell, this.ratio));
  }

  /**
   * Return the box of a tile in CSS pixels of the space.
   * @param {number} shown its place in the order shown
   */
  boxOf(shown) {
    const grid = /** @type {Grid} */ (this.grid);
    const corner = cornerOf(grid, shown);
    return scaled({ ...corner, width: grid.tileWidth, height: grid.tileHeight }, this.ratio);
  }

  /** How many channels of the grid are in view at least in part, and how many it has. */
  get shown() {
    const grid = /** @type {Grid} */ (this.grid);
    const top = Math.max(0, Math.round((this.parts.box.scrollTop - this.parts.space.offsetTop) * this.ratio));
    const places = shownPlaces(grid, { left: 0, top, ratio: this.ratio }, this.parts.canvas.height);
    return { shown: places.length, count: grid.count };
  }

  /** The middle of the visible part, as a point of the window. */
  get middle() {
    const { left, top, width, height } = this.parts.box.getBoundingClientRect();
    return { x: left + width / 2, y: top + height / 2 };
  }

  /**
   * Scroll so that a value lies under a point of the window.
   * @param {Spot} spot
   * @param {{x: number, y: number}} point
   */
  bring(spot, point) {
    const { scene, grid, parts } = this;
    if (!scene || !grid) return;
    const shown = scene.channels.indexOf(spot.place);
    if (shown < 0) return;
    const cell = scaled(cellBox(scene, grid, shown, spot.position), this.ratio);
    const corner = parts.space.getBoundingClientRect();
    parts.box.scrollLeft += corner.left + cell.x + cell.width / 2 - point.x;
    parts.box.scrollTop += corner.top + cell.y + cell.height / 2 - point.y;
  }

  /**
   * Scroll to a channel.
   * @param {number} place
   */
  reveal(place) {
    const { scene, grid } = this;
    const shown = scene ? scene.channels.indexOf(place) : -1;
    if (shown < 0 || !grid) return;
    const box = this.boxOf(shown);
    const { box: view, space } = this.parts;
    const [x, y] = [box.x + space.offsetLeft, box.y + space.offsetTop];
    const below = grid.below / this.ratio + 8;
    if (y - 8 < view.scrollTop) view.scrollTop = y - 12;
    else if (y + box.height + below > view.scrollTop + view.clientHeight) {
      view.scrollTop = Math.min(y - 12, y + box.height + below - view.clientHeight);
    }
    if (x - 8 < view.scrollLeft) view.scrollLeft = x - 12;
    else if (x + box.width > view.scrollLeft + view.clientWidth) {
      view.scrollLeft = Math.min(x - 12, x + box.width + 12 - view.clientWidth);
    }
  }
}

/**
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {number} ratio
 */
function scaled({ x, y, width, height }, ratio) {
  return {
    x: x / ratio,
    y: y / ratio,
    width: width / ratio,
    height: height / ratio,
  };
}

/**
 * @param {HTMLElement} element
 * @param {{x: number, y: number, width: number, height: number} | null} box
 */
function frame(element, box) {
  element.hidden = !box;
  if (!box) return;
  element.style.transform = `translate(${box.x}px, ${box.y}px)`;
  element.style.width = `${box.width}px`;
  element.style.height = `${box.height}px`;
}
