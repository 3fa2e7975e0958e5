/** The stages of a network: layers in a row whose maps are of one size. */

// As many rows as a first look takes in.
const MOST_STAGES = 8;

/**
 * Return the stages of a report's layers, from the input on, each with the layer that stands for it, its last.
 *
 * Vectors are a stage only where there is nothing else. Of many stages the first, the last and some between are kept.
 * @param {readonly Layer[]} layers
 * @returns {LayerStage[]}
 */
export function splitStages(layers) {
  const own = ownLayers(layers).map((place) => ({ layer: layers[place], place }));
  const maps = own.filter(({ layer }) => layer.form !== "vector");
  const shown = maps.length ? maps : own;
  /** @type {(LayerStage & {size: string})[]} */
  const stages = [];
  for (const { layer, place } of shown) {
    const size = `${layer.form} ${layer.extent.map((side) => side * 2 ** layer.halved).join("x")}`;
    const stage = stages.at(-1);
    if (stage?.size === size && layer.form !== "vector") {
      stage.shows = place;
      stage.layers++;
    } else stages.push({ size, shows: place, layers: 1 });
  }
  if (stages[0] && stages[0].layers > 1) {
    // The first layer of all is the one that is closest to the input.
    stages.splice(
      0,
      1,
      { ...stages[0], shows: shown[0].place, layers: 1 },
      { ...stages[0], layers: stages[0].layers - 1 },
    );
  }
  return evenly(stages, MOST_STAGES).map(({ shows, layers: count }) => ({ shows, layers: count }));
}

/**
 * Return the places of the layers of the model, without those that explain its answer; of a page that has only
 * explanations all.
 * @param {readonly Layer[]} layers
 * @returns {number[]}
 */
export function ownLayers(layers) {
  const places = layers.map((_, place) => place);
  const own = places.filter((place) => !layers[place].explains);
  return own.length ? own : places;
}

/**
 * Return up to so many items, the first and the last among them, evenly spread.
 * @template T
 * @param {readonly T[]} items
 * @param {number} most
 * @returns {T[]}
 */
export function evenly(items, most) {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, place) => items[Math.round((place * (items.length - 1)) / (most - 1))]);
}
