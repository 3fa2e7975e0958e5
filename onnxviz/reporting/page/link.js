/** The address bar, which follows what is shown, and the clipboard. */

import { formatAddress } from "./address.js";

/**
 * Write a place to the address bar.
 * @param {Place} place
 * @param {boolean} step whether the browser's back button leads to the place before
 */
export function writeAddress(place, step) {
  const hash = "#" + formatAddress(place);
  if (hash === location.hash) return;
  try {
    if (step) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  } catch {
    // In a sandboxed frame the page has no history; everything else works there.
  }
}

/** Take the place out of the address bar; the browser's back button leads to it. */
export function leaveAddress() {
  try {
    history.pushState(null, "", location.pathname + location.search);
  } catch {
    // As in `writeAddress`.
  }
}

/**
 * Return an address that is of use to others: of a file on this disk its name and the place in it, without the folders.
 * @param {{protocol: string, pathname: string, hash: string, href: string}} location
 */
export function usefulLink({ protocol, pathname, hash, href }) {
  return protocol === "file:" ? pathname.slice(pathname.lastIndexOf("/") + 1) + hash : href;
}

/**
 * Copy text.
 * @param {string} text
 * @returns {Promise<boolean>} whether it could be
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text);
  }
}

/** @param {string} text */
function copyByHand(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  let copied;
  try {
    copied = document.execCommand("copy");
  } catch {
    copied = false;
  }
  field.remove();
  return copied;
}
