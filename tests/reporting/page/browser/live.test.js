import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { REPOSITORY } from "../fixture.js";
import { launch, open } from "./open.js";
import { FAKE_CAMERA, serve } from "./serve.js";

let browser;
let server;
before(async () => {
  server = await serve();
  browser = await launch(FAKE_CAMERA);
});
after(async () => {
  await browser?.close();
  server?.stop();
});

const picture = (name) => join(REPOSITORY, `models/pictures/${name}.jpg`);
const best = (page) => page.locator("#start-classes dt").first().innerText();
const says = (page, name) =>
  page.waitForFunction((wanted) => document.querySelector("#start-classes dt")?.innerText === wanted, name, {
    timeout: 20_000,
  });

test("a picture of one's own brings its classes and maps, in every layer that is opened", async () => {
  const page = await open(browser, server.address, { start: true });
  await page.waitForSelector("#start[data-ready]");
  assert.equal(await best(page), "Egyptian cat");
  await page.setInputFiles("#live-file", picture("coffee"));
  await says(page, "espresso");
  assert.match(await page.locator("#start-words").innerText(), /coffee\.jpg/);
  await page.click(".start-row >> nth=2");
  await page.waitForFunction(() => !document.getElementById("start").offsetParent);
  await page.keyboard.press("]");
  await page.waitForFunction(() => document.getElementById("layer-facts").innerText.includes("live"));
  assert.equal(await page.locator("#notice").isHidden(), true);
  assert.match(
    await page.evaluate(() => document.getElementById("input-image").src.slice(0, 22)),
    /^data:image\/png;base64/,
  );
  assert.deepEqual(page.complaints, []);
});

test("the answer's explanations follow, each for its class over the picture", async () => {
  const page = await open(browser, server.address, { start: true });
  await page.waitForSelector("#start[data-ready]");
  const named = (row) => page.locator(`.start-row >> nth=${row} >> .start-reason bdi`).allInnerTexts();
  assert.deepEqual(await named(0), ["Egyptian cat", "tiger cat", "tabby, tabby cat"]);
  assert.deepEqual(await named(1), []);
  await page.setInputFiles("#live-file", picture("coffee"));
  await page.waitForFunction(() => document.querySelector(".start-reason bdi")?.innerText === "espresso");
  const pictures = page.locator(".start-reason img");
  assert.equal(await pictures.first().getAttribute("src"), await page.locator("#start-picture").getAttribute("src"));
  await page.click(".start-row >> nth=0");
  await page.waitForFunction(() => document.getElementById("layer-name").innerText === "gradcam");
  assert.equal(await page.locator("#overlay-opacity").inputValue(), "60");
  assert.match(await page.locator("#channel-title").innerText(), /espresso/);
  await page.keyboard.press("[");
  await page.waitForFunction(() => document.getElementById("layer-name").innerText !== "gradcam");
  assert.equal(await page.locator("#overlay-opacity").inputValue(), "0");
  assert.deepEqual(page.complaints, []);
});

test("a picture can be dropped and pasted; what is no picture is said", async () => {
  const page = await open(browser, server.address, { start: true });
  await page.waitForSelector("#start[data-ready]");
  const hand = (kind, name, type, text) =>
    page.evaluate(
      async ([event, file, mime, content]) => {
        const data = new DataTransfer();
        const bytes = await (await fetch(content).catch(() => new Response(content))).blob();
        data.items.add(new File([bytes], file, { type: mime }));
        const given =
          event === "drop"
            ? new DragEvent(event, { dataTransfer: data })
            : new ClipboardEvent(event, { clipboardData: data });
        dispatchEvent(given);
      },
      [kind, name, type, text],
    );
  await hand("drop", "broken.png", "image/png", "not a picture");
  await page.waitForFunction(() =>
    document.getElementById("notice-text").textContent.startsWith("This cannot be shown"),
  );
  await hand("paste", "notes.txt", "text/plain", "words");
  assert.equal(await best(page), "Egyptian cat");
});

test("the camera's pictures follow one another", async () => {
  const page = await open(browser, server.address, { start: true, permissions: ["camera"] });
  await page.waitForSelector("#start[data-ready]");
  let answers = 0;
  page.on("response", (response) => response.url().includes("/update") && response.status() === 200 && answers++);
  await page.click("#live-camera");
  await page.waitForFunction(() => document.getElementById("start-words").innerText.includes("of the camera"), null, {
    timeout: 20_000,
  });
  while (answers < 3) await page.waitForTimeout(100);
  await page.click("#live-camera");
  assert.equal(await page.locator("#live-camera").getAttribute("aria-pressed"), "false");
  assert.deepEqual(page.complaints, []);
});

test("above a layer there are the same buttons, and what is dropped there shows there", async () => {
  const page = await open(browser, `${server.address}#l=stem%2Fconv`, { permissions: ["camera"] });
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#layer-choose")]);
  await chooser.setFiles(picture("rocket"));
  await page.waitForFunction(() => document.querySelector("#classes dt")?.innerText === "missile", null, {
    timeout: 20_000,
  });
  assert.equal(await page.locator("#layer-name").innerText(), "stem/conv");
  await page.click("#layer-camera");
  await page.waitForFunction(() => document.getElementById("layer-camera").getAttribute("aria-pressed") === "true");
  await page.click("#layer-camera");
  assert.equal(await page.locator("#live-camera").getAttribute("aria-pressed"), "false");
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["words"], "notes.txt", { type: "text/plain" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
  });
  assert.match(await page.locator("#notice-text").innerText(), /^Only the file of a picture/);
  assert.deepEqual(page.complaints, []);
});

test("who lacks the token sees nothing", async () => {
  const answer = await fetch(server.address.replace(/token=.*/, "token=guess"));
  assert.equal(answer.status, 403);
});
