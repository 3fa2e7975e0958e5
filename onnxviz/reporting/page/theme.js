/** Light and dark: the system's choice until the user makes another. */

const system = matchMedia("(prefers-color-scheme: light)");

/**
 * Return the theme that is shown.
 * @returns {ThemeName}
 */
export function currentTheme() {
  return document.documentElement.dataset.theme === "light" ? "light" : "dark";
}

/**
 * Follow the system's theme, and the button that overrides it.
 * @param {HTMLElement} button
 * @param {() => void} changed
 */
export function followTheme(button, changed) {
  let chosen = false;
  const show = (/** @type {string} */ theme) => {
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", theme === "dark" ? "Light theme" : "Dark theme");
    button.title = theme === "dark" ? "Light theme" : "Dark theme";
  };
  show(system.matches ? "light" : "dark");
  system.addEventListener("change", () => {
    if (chosen) return;
    show(system.matches ? "light" : "dark");
    changed();
  });
  button.addEventListener("click", () => {
    chosen = true;
    show(currentTheme() === "dark" ? "light" : "dark");
    changed();
  });
}
