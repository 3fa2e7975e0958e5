// A browser for the tests: Debian's Chromium, or the one that CHROMIUM names.

import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Start the browser. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
}

/**
 * Open a page; what it complains of, and what it asks of a network, is gathered. An address without a place leads to
 * the first layer, with `start` to the start.
 * @returns a page with `complaints` and `requests`
 */
export async function open(browser, address, { start = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "dark", ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.requests = [];
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
  page.on("dialog", (dialog) => page.complaints.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => page.requests.push(request.url().slice(0, 80)));
  await page.goto(address);
  await page.waitForSelector("body[data-ready]");
  if (!start && !address.includes("#")) await page.keyboard.press("Escape");
  return page;
}

/** Go to another place of the same page. */
export async function goTo(page, hash) {
  await page.evaluate((wanted) => {
    location.hash = wanted;
  }, hash);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 30))));
}

/** Read what the readout says. */
export function readout(page) {
  return page.evaluate(() => {
    const text = (id) => document.getElementById(id).textContent;
    const { value } = document.getElementById("read-value").dataset;
    return {
      channel: text("read-channel"),
      position: text("read-position"),
      value: Number(value),
      text: text("read-value"),
      field: text("read-field"),
      pixels: text("read-pixels"),
    };
  });
}
