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
 * @param {ThemeName | null} wanted the theme to begin with, null for the system's
 */
export function followTheme(button, changed, wanted) {
  let chosen = Boolean(wanted);
  const show = (/** @type {string} */ theme) => {
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", theme === "dark" ? "Light theme" : "Dark theme");
    button.title = theme === "dark" ? "Light theme" : "Dark theme";
  };
  show(wanted ?? (system.matches ? "light" : "dark"));
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
