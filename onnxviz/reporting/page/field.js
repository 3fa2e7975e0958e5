/** Receptive fields: the part of the input that a stored position sees, and whether that is exact. */

import { formatNumber, formatShape } from "./numbers.js";

/**
 * Return the window of input pixels that a stored position sees, before it is clipped to the picture.
 *
 * Position i sees start + i * stride to start + i * stride + size - 1. A stored position of a map that was halved
 * h times stands for 2 ** h positions along each axis, and sees all that these see.
 *
 * @param {Layer} layer its `axes` say along which axis of the field each stored axis moves
 * @param {readonly number[]} position stored, one entry for each axis
 * @returns {{start: number[], size: number[]} | null} one entry for each axis of the field; null if unknown
 */
export function fieldWindow(layer, position) {
  const { receptive_field: field, halved } = layer;
  if (!field || !field.size || !field.stride || !field.start) return null;
  const axes = layer.axes ?? position.map((_, axis) => axis);
  const { length } = field.size;
  if (axes.length !== position.length || axes.some((axis) => axis >= length)) return null;
  const start = [...field.start];
  const size = [...field.size];
  const times = 2 ** halved;
  for (const [stored, axis] of axes.entries()) {
    const stride = field.stride[axis];
    start[axis] += position[stored] * times * stride;
    size[axis] += (times - 1) * Math.abs(stride);
    // Where the axis runs backwards, the last of the positions begins first.
    if (stride < 0) start[axis] += (times - 1) * stride;
  }
  return { start, size };
}

/**
 * Return a layer whose tokens are maps with the place of its patches, where these lie side by side in the picture and
 * fill it: as many patches of the size that a token sees as there are tokens. Else nothing says where each one lies.
 * @param {Layer} layer
 * @param {{height: number, width: number} | null} picture
 * @returns {Layer}
 */
export function withPatches(layer, picture) {
  const { tokens, receptive_field: field, halved } = layer;
  if (!picture || !tokens || !("grid" in tokens) || !field?.size || field.start) return layer;
  if (field.status !== "exact" || tokens.status !== "exact") return layer;
  const { size } = field;
  const grid = halved ? tokens.grid : layer.extent;
  const fills = [picture.height, picture.width].every((side, axis) => grid[axis] * size[axis] === side);
  return fills ? { ...layer, receptive_field: { ...field, stride: size, start: [0, 0] } } : layer;
}

/**
 * Clip a window (y, x), or (x) of a signal that is drawn as a picture, to the picture.
 * @param {{start: number[], size: number[]}} window
 * @param {{height: number, width: number}} picture
 * @returns {{top: number, left: number, bottom: number, right: number} | null} bottom and right are one past the last
 *   pixel; null for a window of more axes
 */
export function clipWindow({ start, size }, picture) {
  if (start.length > 2) return null;
  const [top, bottom] = start.length === 2 ? [start[0], start[0] + size[0]] : [0, picture.height];
  const left = start[start.length - 1];
  const right = left + size[size.length - 1];
  const clip = (/** @type {number} */ value, /** @type {number} */ most) => Math.max(0, Math.min(most, value));
  return {
    top: clip(top, picture.height),
    left: clip(left, picture.width),
    bottom: clip(bottom, picture.height),
    right: clip(right, picture.width),
  };
}

/**
 * Return in words what a position sees, with the status of its field.
 * @param {ReceptiveField | null} field
 * @param {{size: number[]} | null} window null where it is not known
 * @param {boolean} [tokens] whether the position is a token
 * @returns {string}
 */
export function fieldWords(field, window, tokens = false) {
  if (!field) return "unknown";
  if (field.status === "whole input") return field.status;
  const sides = window?.size ?? field.size;
  if (!sides) return "unknown";
  const size = formatShape(sides.map((side) => formatNumber(side, 5)));
  // Of patches the rest comes through attention, of maps through a gate.
  const rest = field.global ? `, and the whole input${tokens ? "" : " through a gate"}` : "";
  return `${size} px, ${field.status}${rest}${window ? "" : "; where is not known"}`;
}

/**
 * Return where a map lies on the picture: each position in the middle of its field, as wide as its stride.
 * @param {Layer} layer
 * @param {{height: number, width: number}} picture
 * @returns {{top: number, left: number, height: number, width: number, exact: boolean}} in input pixels
 */
export function placeOnPicture(layer, picture) {
  const { receptive_field: field, extent, halved } = layer;
  const whole = {
    top: 0,
    left: 0,
    height: picture.height,
    width: picture.width,
    exact: false,
  };
  if (!field || !field.size || !field.stride || !field.start || field.size.length !== 2 || extent.length !== 2)
    return whole;
  if ((layer.axes ?? [0, 1]).join() !== "0,1") return whole;
  const { size, stride, start } = field;
  if (!stride.every((step) => step > 0)) return whole;
  const times = 2 ** halved;
  const [top, left] = [0, 1].map((axis) => start[axis] + (size[axis] - stride[axis]) / 2);
  const [height, width] = [0, 1].map((axis) => stride[axis] * extent[axis] * times);
  return { top, left, height, width, exact: field.status === "exact" };
}
