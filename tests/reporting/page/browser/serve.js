// `onnxviz serve` for the tests, and a camera that it can be shown.

import { spawn } from "node:child_process";
import { join } from "node:path";

import { PYTHON, REPOSITORY } from "../fixture.js";

/** What makes the browser take its own moving picture for a camera, without asking. */
export const FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

/**
 * Serve the bundled classifier, with further options if there are any.
 * @returns its address, and what ends it
 */
export async function serve(options = []) {
  const model = join(REPOSITORY, "models/efficientnet_lite0_int8.onnx");
  const server = spawn(PYTHON, ["-m", "onnxviz", "serve", model, "-q", ...options], {
    env: { ...process.env, PYTHONPATH: REPOSITORY },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const address = await new Promise((resolve, reject) => {
    server.stdout.once("data", (text) => resolve(String(text).trim()));
    server.once("exit", (code) => reject(new Error(`onnxviz serve ended with ${code}`)));
  });
  return { address, stop: () => server.kill("SIGINT") };
}
