// The quiet line below an answer: on disk · received · seen, and on demand the same of each event.

import type { GreenroomEvent } from "greenroom";
import type { Delivery, Stage } from "./delivery.js";
import { element, put } from "./dom.js";

const STAGES: readonly { readonly stage: Stage; readonly words: string; readonly means: string }[] = [
  { stage: "disk", words: "on disk", means: "The server wrote it to its journal before it sent it" },
  { stage: "received", words: "received", means: "This page has it, and has acknowledged it" },
  { stage: "seen", words: "seen", means: "It was in view, in a window that is shown, and was reported as displayed" },
];
const ORDER: readonly Stage[] = ["disk", "received", "seen"];
const LONGEST = 500; // events in the list
const reaches = (stage: Stage, wanted: Stage): boolean => ORDER.indexOf(stage) >= ORDER.indexOf(wanted);

export class Strip {
  readonly block: HTMLDetailsElement;
  readonly #delivery: Delivery;
  readonly #events: GreenroomEvent[] = [];
  readonly #parts = STAGES.map(({ means, stage }) => element("span", { class: "stage", title: means, "data-stage": stage }));
  readonly #list = element("tbody");

  constructor(delivery: Delivery) {
    this.#delivery = delivery;
    const summary = element("summary", { testid: "delivery" }, element("span", { class: "unseen" }, "Delivery: "), ...this.#parts);
    const head = ["Event", "Kind", ...STAGES.map(({ words }) => words)].map((name) => element("th", { scope: "col" }, name));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), this.#list);
    this.block = element("details", { class: "strip", hidden: true, ontoggle: () => this.show() }, summary,
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Delivery of each event" }, table));
    const end = delivery.subscribe(() => {
      if (this.block.isConnected) this.show();
      else end();
    });
  }

  add(event: GreenroomEvent): void {
    this.#events.push(event);
    this.block.hidden = false;
  }

  show(): void {
    const stages = this.#events.map((event) => this.#delivery.stage(event));
    STAGES.forEach(({ stage, words }, index) => this.#count(this.#parts[index], stages, stage, words));
    if (this.block.open) this.#list.replaceChildren(...this.#events.slice(-LONGEST).map((event) => this.#row(event)));
  }

  /** `4 of 7 seen` while it is not all. */
  #count(part: HTMLElement | undefined, stages: readonly Stage[], wanted: Stage, words: string): void {
    if (!part) return;
    const reached = stages.filter((stage) => reaches(stage, wanted)).length;
    put(part, reached === stages.length ? words : `${reached} of ${stages.length} ${words}`);
    part.classList.toggle("whole", reached === stages.length);
  }

  #row(event: GreenroomEvent): HTMLElement {
    const stage = this.#delivery.stage(event);
    const cell = (wanted: Stage) => element("td", { class: "mark" }, reaches(stage, wanted) ? "yes" : "–");
    return element("tr", {}, element("td", { class: "number" }, String(event.offset)), element("td", {}, element("code", {}, event.kind)),
      ...ORDER.map(cell));
  }
}
