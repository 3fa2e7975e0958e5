// Feeds a dropped picture to the model in this page, and lays the heat of a class over it.

const text = (id) => document.getElementById(id).textContent.trim();
const bytes = (id) => Uint8Array.from(atob(text(id)), (letter) => letter.charCodeAt(0));
const settings = JSON.parse(text("settings"));
const [height, width] = settings.size;
const say = (words) => (document.getElementById("state").textContent = words);

const runtime = URL.createObjectURL(new Blob([bytes("runtime")], { type: "text/javascript" }));
const ort = await import(runtime);
ort.env.wasm.wasmBinary = bytes("wasm").buffer;
ort.env.wasm.numThreads = 1; // several need headers that no file from disk has
const session = await ort.InferenceSession.create(bytes("model"));
say("Ready.");
document.body.dataset.ready = "";

/** The picture as the model sees it: a canvas of the model's size. */
function fitted(picture) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  const share = settings.resize === "crop" ? settings.crop_fraction : 1;
  let [w, h] = [picture.width, picture.height];
  if (settings.resize === "crop") {
    const scale = Math.min(w / width, h / height) * share;
    [w, h] = [width * scale, height * scale];
  }
  context.drawImage(picture, (picture.width - w) / 2, (picture.height - h) / 2, w, h, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** (pixel - mean) / std, a plane for each channel. */
function numbers(pixels) {
  const order = settings.channel_order === "bgr" ? [2, 1, 0] : [0, 1, 2];
  const found = new Float32Array(3 * width * height);
  order.forEach((channel, plane) => {
    const mean = settings.mean[plane % settings.mean.length];
    const std = settings.std[plane % settings.std.length];
    for (let place = 0; place < width * height; place++) {
      found[plane * width * height + place] = (pixels.data[4 * place + channel] - mean) / std;
    }
  });
  return new ort.Tensor("float32", found, [1, 3, height, width]);
}

/** Run the model; -1 asks for the strongest class. */
async function explained(pixels, index) {
  const asked = new ort.Tensor("int64", BigInt64Array.of(BigInt(index)), [1]);
  const feeds = { [settings.image]: numbers(pixels), class_index: asked };
  const found = await session.run(feeds, [settings.scores, "heat"]);
  return { scores: found[settings.scores].data, heat: found.heat };
}

/** Heat over the greyed picture, its opacity following its value. */
function draw(pixels, heat) {
  const canvas = document.querySelector("#drop canvas");
  const context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [width, height];
  const [, rows, columns] = heat.dims;
  const most = Math.max(...heat.data) || 1;
  const cells = new ImageData(columns, rows);
  heat.data.forEach((value, place) => {
    const share = value / most;
    cells.data.set([255, 60 + 150 * share, 40 * share, 150 * share ** 1.2], 4 * place);
  });
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(cells, 0, 0);
  const picture = new OffscreenCanvas(width, height);
  picture.getContext("2d").putImageData(pixels, 0, 0);
  context.filter = "grayscale(0.8)";
  context.drawImage(picture, 0, 0);
  context.filter = "none";
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
  canvas.hidden = false;
  document.querySelector("#drop span").hidden = true;
}

async function show(pixels, index = -1) {
  const start = performance.now();
  const { scores, heat } = await explained(pixels, index);
  const order = Array.from(scores.keys()).sort((one, other) => scores[other] - scores[one]);
  const chosen = index < 0 ? order[0] : index;
  draw(pixels, heat);
  const list = document.getElementById("classes");
  list.replaceChildren(
    ...order.slice(0, 5).map((which) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(which === chosen));
      for (const words of [settings.labels?.[which] ?? `class ${which}`, scores[which].toFixed(3)]) {
        button.append(Object.assign(document.createElement("span"), { textContent: words }));
      }
      button.onclick = () => show(pixels, which);
      return button;
    }),
  );
  say(`${Math.round(performance.now() - start)} ms`);
  document.body.dataset.shown = chosen;
  window.heat = Array.from(heat.data);
}

async function open(file) {
  try {
    await show(fitted(await createImageBitmap(file)));
  } catch (error) {
    say(`${file.name} cannot be explained: ${error.message}`);
  }
}

const drop = document.getElementById("drop");
drop.querySelector("input").onchange = (event) => event.target.files[0] && open(event.target.files[0]);
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
}
