// A machine as it was drawn, with the present state lit, and where it came from.

import { element, named, put } from "../kit.js";

interface Move {
  readonly old: string;
  readonly event: string;
  readonly new: string;
}

export interface Machine {
  readonly name: string;
  readonly phase: string;
  readonly postponed: readonly string[];
  readonly moves: readonly Move[];
}

export class MachineCard {
  readonly root: HTMLElement;
  private readonly title = element("h3");
  private readonly now = element("p", { testid: "phase" });
  private readonly picture = element("div", { class: "machine scroll", tabindex: 0, role: "region", "aria-label": "The machine's states" });
  private readonly log = element("ol", { class: "moves", testid: "moves" });
  private drawn = "";
  private logged = "";
  private lit = "";

  constructor() {
    const log = element("section", { class: "card" }, element("h3", {}, "Transitions, the last first"), this.log);
    this.root = element("section", { class: "machine-card", hidden: true }, this.title, this.now, this.picture, log);
  }

  set(machine: Machine | null, drawing: string): void {
    this.root.hidden = machine === null;
    if (!machine) return;
    put(this.title, `Machine ${named(machine.name)}`);
    put(this.now, nowOf(machine));
    if (drawing !== this.drawn) this.draw(drawing);
    for (const state of this.picture.querySelectorAll<SVGElement>(".state")) state.classList.toggle("is-lit", state.dataset["state"] === machine.phase);
    if (machine.phase !== this.lit) this.bringIntoView();
    this.lit = machine.phase;
    this.tell(machine.moves);
  }

  /** Within the picture only: the page stays where it is. */
  private bringIntoView(): void {
    const state = this.picture.querySelector(".is-lit")?.getBoundingClientRect(), box = this.picture.getBoundingClientRect();
    if (!state) return;
    this.picture.scrollBy(state.x + state.width / 2 - box.x - box.width / 2, state.y + state.height / 2 - box.y - box.height / 2);
  }

  private draw(drawing: string): void {
    this.drawn = drawing;
    const parsed = new DOMParser().parseFromString(drawing, "image/svg+xml").documentElement;
    this.picture.replaceChildren(...(parsed.localName === "svg" ? [document.importNode(parsed, true)] : []));
  }

  private tell(moves: readonly Move[]): void {
    const key = JSON.stringify(moves);
    if (key === this.logged) return;
    this.logged = key;
    const lines = [...moves].reverse().map((move) => element("li", {}, element("b", {}, move.new), " from ", move.old, " by ", element("code", {}, named(move.event))));
    this.log.replaceChildren(...(lines.length ? lines : [element("li", { class: "soft" }, "It has not left its first state.")]));
  }
}

function nowOf({ phase, postponed }: Machine): string {
  return postponed.length ? `In ${phase}. Postponed until it leaves this state: ${postponed.map(named).join(", ")}.` : `In ${phase}.`;
}
