// How many pictures of a camera a second `onnxviz serve` shows, of the bundled classifier at the start of the page,
// with and without explanations; the browser, which makes the camera's picture, too, works on the same machine.

import { launch, open } from "./browser/open.js";
import { FAKE_CAMERA, serve } from "./browser/serve.js";

const MILLISECONDS = 15_000;

for (const method of ["gradcam", "none"]) {
  const server = await serve(["--method", method]);
  const browser = await launch(FAKE_CAMERA);
  const page = await open(browser, server.address, { start: true, permissions: ["camera"] });
  await page.waitForSelector("#start[data-ready]");
  const times = [];
  page.on("response", (answer) => answer.url().includes("/update") && answer.ok() && times.push(performance.now()));
  await page.click("#live-camera");
  await page.waitForTimeout(MILLISECONDS);
  await browser.close();
  server.stop();
  const second = (1000 * (times.length - 1)) / (times.at(-1) - times[0]);
  console.log(`--method ${method}: ${second.toFixed(1)} pictures a second, ${times.length} in all`);
}
