// Plays the steps of a diagram at the pace at which they happened, and goes through them one by one.

import { element, put } from "../kit.js";

const LONGEST = 1_500, SHORTEST = 40; // ms between two steps on screen, however long it took
const SPEEDS = [1, 4, 16, 64] as const;

export interface Steps {
  readonly count: number;
  /** ms since the first, of each step. */
  readonly since: (step: number) => number;
  readonly words: (step: number) => string;
  readonly show: (step: number) => void;
}

export class Player {
  readonly root: HTMLElement;
  private readonly slider: HTMLInputElement = element("input", { type: "range", min: 0, testid: "slider", "aria-label": "Event", oninput: () => this.choose(Number(this.slider.value)) });
  private readonly speed = element("select", { "aria-label": "Speed", testid: "speed" }, ...SPEEDS.map((each) => element("option", { value: each }, `${each} ×`)));
  private readonly play = element("button", { type: "button", class: "primary", testid: "play", onclick: () => (this.timer ? this.stop() : this.start()) }, "Play");
  private readonly place = element("span", { class: "soft", testid: "step" });
  private timer = 0;
  private at = 0;

  constructor(private readonly steps: Steps, signal: AbortSignal) {
    this.slider.max = String(Math.max(0, steps.count - 1));
    this.root = element("div", { class: "row player" }, this.play,
      element("button", { type: "button", class: "quiet", testid: "previous", "aria-label": "Previous event", onclick: () => this.choose(this.at - 1) }, "‹"),
      element("button", { type: "button", class: "quiet", testid: "following", "aria-label": "Following event", onclick: () => this.choose(this.at + 1) }, "›"),
      this.slider, this.speed, this.place);
    signal.addEventListener("abort", () => this.stop());
  }

  /** Go to this step; what plays stops. */
  choose(step: number): void {
    this.stop();
    this.go(step);
  }

  private go(step: number): void {
    this.at = Math.min(Math.max(0, step), this.steps.count - 1);
    this.slider.value = String(this.at);
    this.slider.setAttribute("aria-valuetext", this.steps.words(this.at));
    put(this.place, `${this.at + 1} of ${this.steps.count}`);
    this.steps.show(this.at);
  }

  private start(): void {
    put(this.play, "Pause");
    this.go(this.at >= this.steps.count - 1 ? 0 : this.at);
    this.wait();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    put(this.play, "Play");
  }

  private wait(): void {
    if (this.at >= this.steps.count - 1) return this.stop();
    const gap = (this.steps.since(this.at + 1) - this.steps.since(this.at)) / Number(this.speed.value);
    this.timer = setTimeout(() => {
      this.go(this.at + 1);
      this.wait();
    }, Math.min(LONGEST, Math.max(SHORTEST, gap)));
  }
}
