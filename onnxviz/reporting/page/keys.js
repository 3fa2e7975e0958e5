/** Where keys lead: to which channel, and to which position in it. */

/**
 * Return the channel that a key leads to, as its place in the order shown.
 * @param {string} key
 * @param {number} shown
 * @param {Grid} grid
 * @param {number} pageRows rows of tiles on the stage
 * @returns {number | null} null where the key leads nowhere
 */
export function stepChannel(key, shown, grid, pageRows) {
  const { columns, count } = grid;
  const page = columns * pageRows;
  /** @type {{[key: string]: number}} */
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -page,
    PageDown: page,
  };
  if (!count) return null;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in steps)) return null;
  const next = shown + steps[key];
  if (key.startsWith("Page")) return Math.max(0, Math.min(count - 1, next));
  return next < 0 || next >= count ? shown : next;
}

/**
 * Return the position that an arrow leads to, within a channel.
 * @param {string} key
 * @param {readonly number[]} position stored
 * @param {readonly number[]} extent
 * @returns {number[] | null}
 */
export function stepPosition(key, position, extent) {
  /** @type {{[key: string]: [number, number]}} axis from the end, and step */
  const steps = {
    ArrowLeft: [1, -1],
    ArrowRight: [1, 1],
    ArrowUp: [2, -1],
    ArrowDown: [2, 1],
  };
  const step = steps[key];
  if (!step || step[0] > extent.length) return null;
  const axis = extent.length - step[0];
  return position.map((at, place) => (place === axis ? Math.max(0, Math.min(extent[axis] - 1, at + step[1])) : at));
}

/**
 * Return whether a key is typed into a field, where it is text and not a command.
 * @param {EventTarget | null} target
 */
export function isTyping(target) {
  return (
    target instanceof HTMLElement &&
    (target.matches("input:not([type=range]):not([type=checkbox]), select, textarea") || target.isContentEditable)
  );
}
