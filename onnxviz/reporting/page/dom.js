/** The few operations on the document. Names reach it as text only, never as markup. */

/**
 * Return an element of the page's own HTML.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks ${id}`);
  return found;
}

/**
 * Make an element.
 * @param {string} tag
 * @param {{[attribute: string]: string}} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Fill a select with options.
 * @param {HTMLSelectElement} select
 * @param {readonly [string, string][]} options value and text
 */
export function fillSelect(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

/**
 * Set the size of a canvas so that each of its pixels is one pixel of the screen.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width in pixels of the screen
 * @param {number} height in pixels of the screen
 */
export function sizeCanvas(canvas, width, height) {
  const ratio = devicePixelRatio;
  canvas.width = Math.max(1, width);
  canvas.height = Math.max(1, height);
  canvas.style.width = `${canvas.width / ratio}px`;
  canvas.style.height = `${canvas.height / ratio}px`;
}

/**
 * Return the drawing context of a canvas, without smoothing.
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
export function pencil(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: true }));
  context.imageSmoothingEnabled = false;
  return context;
}

/**
 * Make an array of pixels that can be painted and put on a canvas.
 * @param {number} width
 * @param {number} height
 * @returns {Target & {image: ImageData}}
 */
export function makeTarget(width, height) {
  const image = new ImageData(Math.max(1, width), Math.max(1, height));
  return {
    image,
    pixels: new Uint32Array(image.data.buffer),
    width: image.width,
    height: image.height,
  };
}
