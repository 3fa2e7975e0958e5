import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { PYTHON, REPOSITORY } from "../fixture.js";
import { goTo, launch, open, readout } from "./open.js";

let browser;
let folder;
let truth;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "onnxviz-real-"));
  const script = join(REPOSITORY, "tests/reporting/page/real.py");
  const environment = { ...process.env, PYTHONPATH: REPOSITORY };
  const made = execFileSync(PYTHON, [script, folder, "cat", "coffee"], {
    env: environment,
    encoding: "utf-8",
    maxBuffer: 1e8,
  });
  truth = JSON.parse(made.trim().split("\n").at(-1));
  browser = await launch();
});
after(() => browser?.close());

test("activations of the bundled model are read back from the page within range / 512", async () => {
  const page = await open(browser, `file://${join(folder, "report.html")}`);
  assert.ok(truth.length > 200);
  for (const [run, layer, channel, position, value, spread] of truth) {
    const at = position.length ? `&y=${position[0]}&x=${position[1]}` : "";
    await goTo(page, `l=${encodeURIComponent(layer)}&c=${channel}${at}&run=${run}`);
    const read = await readout(page);
    assert.equal(await page.evaluate(() => document.getElementById("notice").hidden), true);
    assert.ok(read.channel.startsWith(String(channel)), `${layer}: ${read.channel} for ${channel}`);
    assert.ok(
      Math.abs(read.value - value) <= (spread / 512) * 1.0001,
      `${layer} ${channel} ${position}: ${read.value} for ${value}`,
    );
  }
  assert.deepEqual(page.complaints, []);
});

test("the model's classes are said, and its layers are all there", async () => {
  const page = await open(browser, `file://${join(folder, "report.html")}`);
  assert.equal(await page.locator('[role="treeitem"][data-layer]').count(), new Set(truth.map((one) => one[1])).size);
  await page.locator('[role="treeitem"][data-layer]').last().locator(".row").click();
  await page.waitForFunction(() => document.getElementById("channel-title").textContent.includes("cat"));
  assert.ok(statSync(join(folder, "report.html")).size < 16e6);
});
