// The last hour as lines: the axis from zero, the newest point at the right. What a point says is read by pointer, by arrow keys, or as a table.

import { element, put, timeOfDay } from "./kit.js";

export interface Line {
  readonly name: string;
  /** The newest last; null where there is nothing to say. */
  readonly values: readonly (number | null)[];
}

export interface Measure {
  /** What a value is, in words: "per second". */
  readonly unit: string;
  readonly format: (value: number) => string;
}

const NS = "http://www.w3.org/2000/svg";
const POINTS = 360, HEIGHT = 150, TOP = 8, BOTTOM = 22, RIGHT = 8, LEFT = 58;
const TABLE_EVERY = 6; // points to a row of the table: a minute
const MARKS = [60, 45, 30, 15, 0]; // minutes ago; on a narrow chart every other one
const NARROW = 400;

export class TimeChart {
  readonly element: HTMLElement;
  private readonly svg = svgNode("svg", { class: "lines", height: HEIGHT, role: "presentation" });
  private readonly readout = element("output", { class: "readout", "aria-live": "polite" });
  private readonly plot: HTMLElement;
  private readonly numbers = element("details", { class: "numbers" }, element("summary", {}, "As a table"));
  private readonly cursor = svgNode("line", { class: "cursor" });
  private lines: readonly Line[] = [];
  private every = 10;
  private at = 0;
  private width = 0;
  /** The point that is read; null for the newest. */
  private chosen: number | null = null;

  constructor(title: string, private readonly measure: Measure) {
    this.plot = element("div", { class: "plot", tabindex: 0, role: "group", "aria-label": `${title}, ${measure.unit}: the last hour. Read it with the arrow keys.`,
      onkeydown: (event: KeyboardEvent) => this.step(event), onblur: () => this.choose(null),
      onpointermove: (event: PointerEvent) => this.point(event), onpointerleave: () => this.choose(null) });
    this.plot.append(this.svg);
    this.element = element("section", { class: "card chart", testid: "chart" },
      element("h3", {}, title, " ", element("span", { class: "soft" }, measure.unit)), this.readout, this.plot, this.numbers);
    this.numbers.addEventListener("toggle", () => this.tabulate());
    new ResizeObserver(([entry]) => {
      const width = Math.round(entry?.contentRect.width ?? 0);
      if (width > 80 && width !== this.width) this.draw(width);
    }).observe(this.plot);
  }

  /** All lines have as many values, `every` seconds apart, the newest of the time `at` (ms). */
  show(lines: readonly Line[], every: number, at: number): void {
    [this.lines, this.every, this.at] = [lines, every, at];
    if (this.width) this.draw(this.width);
    else this.read();
    this.tabulate();
  }

  private get count(): number {
    return this.lines[0]?.values.length ?? 0;
  }

  private x(index: number): number {
    return this.width - RIGHT - ((this.count - 1 - index) / (POINTS - 1)) * (this.width - LEFT - RIGHT);
  }

  private draw(width: number): void {
    this.width = width;
    const marks = ticks(Math.max(...this.lines.flatMap((line) => line.values.map((value) => value ?? 0)), 0));
    const highest = marks.at(-1) ?? 1, bottom = HEIGHT - BOTTOM;
    const y = (value: number): number => TOP + (1 - value / highest) * (bottom - TOP);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("width", String(width));
    this.svg.replaceChildren(
      ...marks.flatMap((mark) => [
        svgNode("line", { class: mark === 0 ? "axis" : "grid", x1: LEFT, x2: width - RIGHT, y1: y(mark), y2: y(mark) }),
        svgNode("text", { x: LEFT - 8, y: y(mark), "text-anchor": "end", "dominant-baseline": "central" }, this.measure.format(mark)),
      ]),
      ...MARKS.filter((minutes) => width > NARROW || minutes % 30 === 0).map((minutes) => svgNode("text", { x: width - RIGHT - (minutes / 60) * (width - LEFT - RIGHT), y: HEIGHT - 5,
        "text-anchor": minutes === 0 ? "end" : minutes === 60 ? "start" : "middle" }, minutes ? `−${minutes} min` : "now")),
      ...this.lines.map((line, number) => svgNode("path", { class: `line line-${number}`, d: this.path(line, y) })),
      this.cursor,
    );
    this.read();
  }

  /** A point whose neighbours say nothing is drawn, too: as a dot, by a round cap. */
  private path(line: Line, y: (value: number) => number): string {
    return line.values.map((value, index) => {
      if (value === null) return "";
      const begins = index === 0 || line.values[index - 1] === null;
      return `${begins ? "M" : "L"}${this.x(index).toFixed(1)} ${y(value).toFixed(1)}${begins ? "h0" : ""}`;
    }).join("");
  }

  private read(): void {
    const index = this.chosen ?? this.count - 1;
    const values = this.lines.map(({ name, values }, number) => {
      const value = values[index] ?? null;
      return element("span", { class: `key key-${number}` }, `${name} ${value === null ? "–" : this.measure.format(value)}`);
    });
    const when = this.count === 0 ? "The first point comes in a few seconds." : this.chosen === null ? "now" : this.timeOf(index);
    this.readout.replaceChildren(element("span", { class: "when" }, when), ...(this.count ? values : []));
    const at = this.x(index);
    for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, String(at));
    this.cursor.setAttribute("y1", String(TOP));
    this.cursor.setAttribute("y2", String(HEIGHT - BOTTOM));
    this.cursor.classList.toggle("away", this.chosen === null);
  }

  private timeOf(index: number): string {
    return timeOfDay(this.at - (this.count - 1 - index) * this.every * 1_000);
  }

  private choose(index: number | null): void {
    if (index === this.chosen) return;
    this.chosen = index === null || this.count === 0 ? null : Math.min(Math.max(index, 0), this.count - 1);
    this.read();
  }

  private point(event: PointerEvent): void {
    const from = this.plot.getBoundingClientRect().left;
    const ago = ((this.width - RIGHT - (event.clientX - from)) / (this.width - LEFT - RIGHT)) * (POINTS - 1);
    this.choose(Math.round(this.count - 1 - ago));
  }

  private step(event: KeyboardEvent): void {
    const by: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -POINTS, End: POINTS };
    const steps = by[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    this.choose((this.chosen ?? this.count - 1) + steps);
  }

  /** A row for each minute, the newest first; made only while it is open. */
  private tabulate(): void {
    this.numbers.querySelector(".scroll")?.remove();
    if (!this.numbers.open) return;
    const rows: HTMLElement[] = [];
    for (let index = this.count - 1; index >= 0; index -= TABLE_EVERY)
      rows.push(element("tr", {}, element("th", { scope: "row" }, this.timeOf(index)),
        ...this.lines.map(({ values }) => {
          const value = values[index] ?? null;
          return element("td", { class: "num" }, value === null ? "–" : this.measure.format(value));
        })));
    const head = element("tr", {}, element("th", { scope: "col" }, "Time"), ...this.lines.map(({ name }) => element("th", { scope: "col", class: "num" }, name)));
    this.numbers.append(element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table" },
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
  }
}

/** Zero and round steps of 1, 2 or 5 up to `high`, about four. */
function ticks(high: number): readonly number[] {
  const raw = (high || 1) / 3, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5].map((factor) => factor * power).find((size) => size >= raw) ?? 10 * power;
  const count = Math.max(1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

function svgNode(name: string, attributes: Readonly<Record<string, string | number>>, text?: string): SVGElement {
  const made = document.createElementNS(NS, name) as SVGElement;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) put(made, text);
  return made;
}
