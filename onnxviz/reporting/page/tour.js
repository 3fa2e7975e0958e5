/** A tour of six steps through the page, for those who see feature maps for the first time. */

import { shorten } from "./address.js";
import { byId } from "./dom.js";
import { orderChannels } from "./order.js";
import { ownLayers } from "./stages.js";

/** Leads through the page, a step at a time, in words beside the maps. */
export class Tour {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.place = 0;
    byId("tour-next").addEventListener("click", () => this.go(this.place + 1));
    byId("tour-back").addEventListener("click", () => this.go(this.place - 1));
    byId("tour-close").addEventListener("click", () => this.close());
  }

  /**
   * Show a step; behind the last the tour ends at the start.
   * @param {number} place
   */
  async go(place) {
    const steps = tourSteps(this.app.index, this.app.state.run);
    if (place >= steps.length) {
      this.close();
      return this.app.visit("");
    }
    this.place = place;
    const step = steps[place];
    byId("tour").hidden = false;
    byId("tour-title").textContent = step.title;
    byId("tour-text").textContent = step.text;
    byId("tour-place").textContent = `${place + 1} of ${steps.length}`;
    byId("tour-back").disabled = place === 0;
    byId("tour-next").textContent = place + 1 < steps.length ? "Next" : "To the start";
    if (step.layer === null) await this.app.visit("");
    else await this.show(step.layer, step.middle);
    byId("tour-next").focus();
    return undefined;
  }

  /**
   * Open a layer at its channel that varies most.
   * @param {number} layer
   * @param {boolean} middle whether the position in the middle of it is chosen
   */
  async show(layer, middle) {
    await this.app.open(layer);
    const { scene } = this.app;
    if (!scene) return;
    const [place] = orderChannels("deviation", scene.statistics);
    const position = scene.layer.extent.map((side) => Math.floor(side / 2));
    if (middle) this.app.choose({ place, position });
    this.app.stage.reveal(place);
  }

  /** End the tour. */
  close() {
    byId("tour").hidden = true;
  }
}

/**
 * Return the steps of a tour through a report.
 * @param {ReportIndex} index
 * @param {number} run
 * @returns {{title: string, text: string, layer: number | null, middle: boolean}[]} layer: null for the start
 */
export function tourSteps({ layers, runs }, run) {
  const own = ownLayers(layers);
  const maps = own.filter((place) => layers[place].form !== "vector" && layers[place].runs[run]);
  const places = maps.length ? maps : own;
  const at = (/** @type {number} */ share) => places[Math.round(share * (places.length - 1))];
  const name = (/** @type {number} */ place) => shorten(layers[place].name, 60);
  const best = runs[run].classes[0];
  const answer = best ? ` Here it is ${shorten(best.name, 60)}.` : "";
  return [
    {
      title: "A picture goes in, an answer comes out",
      text: `Between the two lie layers. Each turns what it is given into maps, and hands them on.${answer}`,
      layer: null,
      middle: false,
    },
    {
      title: "The first maps",
      text:
        `${name(at(0))} looks at a few pixels at a time. Each map is one pattern that it looks for, an edge or a colour: ` +
        "bright where it is found. Can you tell which pattern a map looks for?",
      layer: at(0),
      middle: false,
    },
    {
      title: "One value, and what it sees",
      text:
        "Point at any value of a map. At the right stands its number, and on the picture a frame around all that this " +
        "value depends on: its receptive field.",
      layer: at(0),
      middle: true,
    },
    {
      title: "Half way through",
      text:
        `In ${name(at(0.5))} the maps are smaller and each value sees more. They no longer look like the picture: they ` +
        "answer to parts, such as an eye, a wheel or fur.",
      layer: at(0.5),
      middle: true,
    },
    {
      title: "The last maps",
      text:
        `In ${name(at(1))} a map says whether something is there, and roughly where. From these few numbers the model ` +
        "takes its answer.",
      layer: at(1),
      middle: true,
    },
    {
      title: "Now you",
      text:
        "Keep a channel beside others with P, go through the layers with [ and ], search one with /. The address always " +
        "says what you look at: copy it to show it to somebody else.",
      layer: at(0.25),
      middle: true,
    },
  ];
}
