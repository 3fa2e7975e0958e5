// The example's page that explains a dropped picture, with the model and onnxruntime in one file.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { PYTHON, REPOSITORY } from "../fixture.js";
import { launch, open } from "./open.js";

const example = join(REPOSITORY, "examples/explain_in_browser");
const skip = existsSync(join(example, "node_modules")) ? false : `cd ${example} && npm ci`;
let browser;
let folder;
let truth;
before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), "onnxviz-explained-"));
  const script = join(REPOSITORY, "tests/reporting/page/explained.py");
  const made = execFileSync(PYTHON, [script, folder], {
    env: { ...process.env, PYTHONPATH: REPOSITORY },
    encoding: "utf-8",
  });
  truth = JSON.parse(made.trim().split("\n").at(-1));
  browser = await launch();
});
after(() => browser?.close());

const far = (found, wanted) =>
  Math.max(...wanted.map((value, place) => Math.abs(value - found[place]))) / Math.max(...wanted);

test("a page from disk explains a picture as onnxruntime does, and asks nothing of a network", { skip }, async () => {
  const page = await open(browser, `file://${join(folder, "page.html")}`, { start: true });
  await page.setInputFiles("input", join(folder, "cat.png"));
  await page.waitForSelector("body[data-shown='285']");
  assert.ok(far(await page.evaluate(() => globalThis.heat), truth[285]) < 1e-4);
  await page.locator("#classes button", { hasText: "tiger cat" }).click();
  await page.waitForSelector("body[data-shown='282']");
  assert.ok(far(await page.evaluate(() => globalThis.heat), truth[282]) < 1e-4);
  assert.deepEqual(
    page.requests.filter((address) => !/^(file|blob):/.test(address)),
    [],
  );
  assert.deepEqual(page.complaints, []);
});

test("a file that is no picture is said to be none", { skip }, async () => {
  const page = await open(browser, `file://${join(folder, "page.html")}`, { start: true });
  await page.setInputFiles("input", join(folder, "explained.onnx"));
  await page.waitForFunction(() => document.getElementById("state").textContent.includes("cannot be explained"));
  assert.deepEqual(page.complaints, []);
});
