/** The size of the page's text: as usual, or larger, to be read from the back of a room. */

const LARGER = 1.4;

/** How large text is, 1 as usual. */
export function textSize() {
  return document.documentElement.dataset.size === "large" ? LARGER : 1;
}

/**
 * Make a button change the size.
 * @param {HTMLElement} button
 * @param {() => void} changed
 */
export function followSize(button, changed) {
  button.addEventListener("click", () => {
    const large = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(large));
    document.documentElement.dataset.size = large ? "large" : "usual";
    changed();
  });
}
