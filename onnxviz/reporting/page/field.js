/** Receptive fields: what a stored position sees of the input, and how far that can be trusted. */

import { formatNumber, formatShape } from "./numbers.js";

/**
 * Give the window of input pixels that a stored position sees, before it is clipped to the picture.
 *
 * Position i sees start + i * stride to start + i * stride + size - 1. A stored position of a map that was halved
 * h times stands for 2 ** h positions an axis, and sees what they see together.
 *
 * @param {ReceptiveField | null} field
 * @param {readonly number[]} position stored, an entry an axis
 * @param {number} halved
 * @returns {{start: number[], size: number[]} | null} null where no local window is known
 */
export function fieldWindow(field, position, halved) {
  if (
    !field ||
    !field.size ||
    !field.stride ||
    !field.start ||
    field.size.length !== position.length
  )
    return null;
  const { size, stride, start } = field;
  const times = 2 ** halved;
  return {
    start: position.map(
      (place, axis) => start[axis] + place * times * stride[axis],
    ),
    size: position.map((_, axis) => size[axis] + (times - 1) * stride[axis]),
  };
}

/**
 * Clip a window (y, x) to the picture.
 * @param {{start: number[], size: number[]}} window
 * @param {{height: number, width: number}} picture
 * @returns {{top: number, left: number, bottom: number, right: number}} bottom and right are one past the last pixel
 */
export function clipWindow(window, picture) {
  const clip = (/** @type {number} */ value, /** @type {number} */ most) =>
    Math.max(0, Math.min(most, value));
  return {
    top: clip(window.start[0], picture.height),
    left: clip(window.start[1], picture.width),
    bottom: clip(window.start[0] + window.size[0], picture.height),
    right: clip(window.start[1] + window.size[1], picture.width),
  };
}

/**
 * Say what a position sees, and the status of that.
 * @param {ReceptiveField | null} field
 * @param {{size: number[]} | null} window
 * @returns {string}
 */
export function fieldWords(field, window) {
  if (!field) return "unknown";
  if (!window)
    return field.status === "unknown" || field.status === "whole input"
      ? field.status
      : "unknown";
  const size = formatShape(window.size.map((side) => formatNumber(side, 5)));
  return `${size} px, ${field.status}${field.global ? ", and the whole input through a gate" : ""}`;
}

/**
 * Give where a map lies on the picture: each position in the middle of what it sees, as wide as its stride.
 * @param {ReceptiveField | null} field
 * @param {readonly number[]} extent stored, (H, W)
 * @param {number} halved
 * @param {{height: number, width: number}} picture
 * @returns {{top: number, left: number, height: number, width: number, exact: boolean}} in input pixels
 */
export function placeOnPicture(field, extent, halved, picture) {
  const whole = {
    top: 0,
    left: 0,
    height: picture.height,
    width: picture.width,
    exact: false,
  };
  if (
    !field ||
    !field.size ||
    !field.stride ||
    !field.start ||
    field.size.length !== 2 ||
    extent.length !== 2
  )
    return whole;
  const { size, stride, start } = field;
  if (!stride.every((step) => step > 0)) return whole;
  const times = 2 ** halved;
  const [top, left] = [0, 1].map(
    (axis) => start[axis] + (size[axis] - stride[axis]) / 2,
  );
  const [height, width] = [0, 1].map(
    (axis) => stride[axis] * extent[axis] * times,
  );
  return { top, left, height, width, exact: field.status === "exact" };
}
