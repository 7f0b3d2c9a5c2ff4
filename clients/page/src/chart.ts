// A small chart as SVG, redrawn to its container's width so that its text keeps its size.
// Bars lie down (long names stay readable); lines run left to right.

import { isObject } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
let charts = 0; // for ids that the accessible name refers to

export interface Chart {
  readonly type?: unknown;
  readonly x: readonly unknown[];
  /** A point without a value is left out. */
  readonly y: readonly (number | null)[];
  readonly y_label?: unknown;
}

/** What is drawn of a chart, and what is not, in words. */
interface Drawn {
  readonly isLine: boolean;
  readonly x: readonly unknown[];
  readonly y: readonly number[];
  readonly leftOut: readonly string[];
}

function node(name: string, attributes: Readonly<Record<string, string | number>> = {}, text?: string): SVGElement {
  const element = document.createElementNS(NS, name) as SVGElement;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

const canvas = document.createElement("canvas").getContext("2d");
const FONT_PX = 12.5; // as in style.css
const BAR = { step: 30, thick: 18 } as const;
const MOST_BARS = 60, MOST_POINTS = 1_000;
const LINES = { height: 230, top: 14, bottom: 30 } as const;

function widthOf(text: string): number {
  if (!canvas) return text.length * FONT_PX * 0.6;
  canvas.font = `${FONT_PX}px ${getComputedStyle(document.body).fontFamily}`;
  return Math.ceil(canvas.measureText(text).width);
}

/** The text, shortened to at most `width` pixels. */
function cut(text: string, most: number): string {
  if (widthOf(text) <= most) return text;
  let kept = text.slice(0, 80);
  while (kept.length > 1 && widthOf(`${kept}…`) > most) kept = kept.slice(0, -1);
  return `${kept}…`;
}

export const isChart = (chart: unknown): chart is Chart =>
  isObject(chart) && Array.isArray(chart["x"]) && Array.isArray(chart["y"]) && chart["x"].length > 0 &&
  chart["x"].length === chart["y"].length && chart["y"].every((y) => y === null || Number.isFinite(y)) && chart["y"].some((y) => y !== null);

/** Zero is always in it: a part of an axis makes small differences look large. */
function drawable({ type, x, y }: Chart): Drawn {
  const isLine = type === "line", most = isLine ? MOST_POINTS : MOST_BARS;
  const points = y.flatMap((value, i) => (value === null ? [] : [{ x: x[i], y: value }]));
  const shown = points.slice(0, most), missing = y.length - points.length;
  const leftOut = [
    missing ? `${counted(missing, "point")} without a value ${missing === 1 ? "is" : "are"} left out.` : "",
    points.length > most ? `The first ${most} of ${points.length} are shown.` : "",
  ].filter(Boolean);
  return { isLine, x: shown.map((point) => point.x), y: shown.map((point) => point.y), leftOut };
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

export function drawChart(chart: Chart, title?: string): HTMLElement {
  const figure = document.createElement("figure");
  figure.className = "chart";
  figure.dataset["testid"] = "chart";
  const label = String(chart.y_label ?? "");
  if (label && !(title ?? "").toLowerCase().includes(label.toLowerCase())) {
    const caption = document.createElement("figcaption");
    caption.textContent = label;
    figure.append(caption);
  }
  const parts = drawable(chart);
  const svgs = figure.appendChild(document.createElement("div"));
  if (parts.leftOut.length) {
    const note = document.createElement("p");
    note.className = "left-out";
    note.textContent = parts.leftOut.join(" ");
    figure.append(note);
  }
  let drawn = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry?.contentRect.width ?? 0);
    if (width < 40 || width === drawn) return;
    drawn = width;
    svgs.replaceChildren((parts.isLine ? lines : bars)(parts, title, width));
  }).observe(figure);
  return figure;
}

function frame(chart: Drawn, title: string | undefined, width: number, height: number): SVGElement {
  const id = `chart-${++charts}`;
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-labelledby": `${id}-t ${id}-d` });
  const listed = chart.y.map((y, i) => `${chart.x[i]}: ${exact.format(y)}`).join("; ");
  svg.append(node("title", { id: `${id}-t` }, title || "Chart"), node("desc", { id: `${id}-d` }, listed));
  return svg;
}

function bars(chart: Drawn, title: string | undefined, width: number): SVGElement {
  const svg = frame(chart, title, width, chart.x.length * BAR.step + 4);
  const names = chart.x.map(String);
  const widest = Math.min(Math.max(...names.map(widthOf)), width * 0.36);
  const left = widest + 10, right = Math.max(...chart.y.map((v) => widthOf(compact.format(v)))) + 10;
  const low = Math.min(0, ...chart.y), high = Math.max(0, ...chart.y);
  const scale = (width - left - right) / (high - low || 1);
  const zero = left + -low * scale;
  chart.y.forEach((value, i) => {
    const name = names[i] ?? "", y = i * BAR.step + 4, middle = y + BAR.thick / 2, length = Math.max(Math.abs(value) * scale, 1.5);
    const group = node("g", { class: "bar" });
    group.append(
      node("title", {}, `${name}: ${exact.format(value)}`),
      node("text", { x: left - 10, y: middle, "text-anchor": "end", "dominant-baseline": "central" }, cut(name, widest)),
      node("rect", { x: value < 0 ? zero - length : zero, y, width: length, height: BAR.thick, rx: 3 }),
      node("text", { class: "value", x: (value < 0 ? zero : zero + length) + 7, y: middle, "dominant-baseline": "central" }, compact.format(value)),
    );
    svg.append(group);
  });
  if (low < 0) svg.append(node("line", { class: "axis", x1: zero, x2: zero, y1: 0, y2: chart.x.length * BAR.step }));
  return svg;
}

/** Round steps of 1, 2 or 5 that cover low…high in about four. */
function ticks(low: number, high: number): number[] {
  const raw = (high - low || Math.abs(high) || 1) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5].map((m) => m * power).find((s) => s >= raw) ?? 10 * power;
  const first = Math.floor(low / step), count = Math.ceil(high / step) - first;
  return Array.from({ length: Math.max(count, 1) + 1 }, (_, i) => (first + i) * step);
}

function lines(chart: Drawn, title: string | undefined, width: number): SVGElement {
  const { height, top, bottom } = LINES;
  const svg = frame(chart, title, width, height);
  const marks = ticks(Math.min(0, ...chart.y), Math.max(0, ...chart.y));
  const names = chart.x.map((name) => cut(String(name), width * 0.3));
  const widest = Math.max(...names.map(widthOf)) + 14;
  const left = Math.max(widest / 2, Math.max(...marks.map((m) => widthOf(compact.format(m)))) + 10);
  const right = Math.max(widest / 2, 18); // names stand in the middle below their points
  const x = (i: number) => left + (chart.x.length === 1 ? 0.5 : i / (chart.x.length - 1)) * (width - left - right);
  const lowest = marks[0] ?? 0, highest = marks.at(-1) ?? 1;
  const y = (v: number) => top + ((highest - v) / (highest - lowest)) * (height - top - bottom);
  for (const mark of marks)
    svg.append(
      node("line", { class: mark === 0 ? "axis" : "grid", x1: left, x2: width - right, y1: y(mark), y2: y(mark) }),
      node("text", { x: left - 8, y: y(mark), "text-anchor": "end", "dominant-baseline": "central" }, compact.format(mark)),
    );
  const points = chart.y.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`);
  const zero = y(0).toFixed(1);
  svg.append(
    node("polygon", { class: "area", points: [`${x(0).toFixed(1)},${zero}`, ...points, `${x(points.length - 1).toFixed(1)},${zero}`].join(" ") }),
    node("polyline", { class: "line", points: points.join(" ") }),
  );
  const every = Math.max(1, Math.ceil((widest * chart.x.length) / (width - left - right)));
  chart.y.forEach((value, i) => {
    const dot = node("circle", { cx: x(i), cy: y(value), r: chart.x.length > 40 ? 2 : 3.5 });
    dot.append(node("title", {}, `${chart.x[i]}: ${exact.format(value)}`));
    svg.append(dot);
    if (i % every === 0) svg.append(node("text", { class: "tick", x: x(i), y: height - 10, "text-anchor": "middle" }, names[i]));
  });
  return svg;
}
