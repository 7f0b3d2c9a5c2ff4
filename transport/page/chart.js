// A small chart as SVG, redrawn to its container's width so that its text keeps its size.
// Bars lie down (long names stay readable); lines run left to right.

const NS = "http://www.w3.org/2000/svg";
let charts = 0; // for ids that the accessible name refers to

const node = (name, attributes = {}, text) => {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

const canvas = document.createElement("canvas").getContext("2d");
const FONT_PX = 12.5; // as in style.css
const widthOf = (text) => {
  canvas.font = `${FONT_PX}px ${getComputedStyle(document.body).fontFamily}`;
  return Math.ceil(canvas.measureText(text).width);
};

/** The text, shortened to at most `width` pixels. */
const cut = (text, most) => {
  if (widthOf(text) <= most) return text;
  let kept = text.slice(0, 80);
  while (kept.length > 1 && widthOf(`${kept}…`) > most) kept = kept.slice(0, -1);
  return `${kept}…`;
};

export const isChart = (chart) =>
  chart && Array.isArray(chart.x) && Array.isArray(chart.y) && chart.x.length > 0 &&
  chart.x.length === chart.y.length && chart.y.every(Number.isFinite);

export function drawChart(chart, title) {
  const figure = document.createElement("figure");
  figure.className = "chart";
  figure.dataset.testid = "chart";
  const label = String(chart.y_label ?? "");
  if (label && !String(title ?? "").toLowerCase().includes(label.toLowerCase())) {
    const caption = document.createElement("figcaption");
    caption.textContent = label;
    figure.append(caption);
  }
  let drawn = 0;
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.round(contentRect.width);
    if (width < 40 || width === drawn) return;
    drawn = width;
    figure.querySelector("svg")?.remove();
    figure.append((chart.type === "line" ? lines : bars)(chart, title, width));
  }).observe(figure);
  return figure;
}

function frame(chart, title, width, height) {
  const id = `chart-${++charts}`;
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
                            "aria-labelledby": `${id}-t ${id}-d` });
  const listed = chart.x.map((x, i) => `${x}: ${exact.format(chart.y[i])}`).join("; ");
  svg.append(node("title", { id: `${id}-t` }, title || "Chart"), node("desc", { id: `${id}-d` }, listed));
  return svg;
}

function bars(chart, title, width) {
  const step = 30, thick = 18;
  const svg = frame(chart, title, width, chart.x.length * step + 4);
  const names = chart.x.map(String);
  const widest = Math.min(Math.max(...names.map(widthOf)), width * 0.36);
  const left = widest + 10, right = Math.max(...chart.y.map((v) => widthOf(compact.format(v)))) + 10;
  const low = Math.min(0, ...chart.y), high = Math.max(0, ...chart.y);
  const scale = (width - left - right) / (high - low || 1);
  const zero = left + -low * scale;
  chart.y.forEach((value, i) => {
    const y = i * step + 4, length = Math.max(Math.abs(value) * scale, 1.5);
    const group = node("g", { class: "bar" });
    group.append(
      node("title", {}, `${names[i]}: ${exact.format(value)}`),
      node("text", { x: left - 10, y: y + thick / 2, "text-anchor": "end", "dominant-baseline": "central" }, cut(names[i], widest)),
      node("rect", { x: value < 0 ? zero - length : zero, y, width: length, height: thick, rx: 3 }),
      node("text", { class: "value", x: (value < 0 ? zero : zero + length) + 7, y: y + thick / 2, "dominant-baseline": "central" }, compact.format(value)),
    );
    svg.append(group);
  });
  if (low < 0) svg.append(node("line", { class: "axis", x1: zero, x2: zero, y1: 0, y2: chart.x.length * step }));
  return svg;
}

/** Round steps of 1, 2 or 5 that cover low…high in about four. */
function ticks(low, high) {
  const raw = (high - low || Math.abs(high) || 1) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const first = Math.floor(low / step), count = Math.ceil(high / step) - first;
  return Array.from({ length: Math.max(count, 1) + 1 }, (_, i) => (first + i) * step);
}

function lines(chart, title, width) {
  const height = 230, top = 14, bottom = 30;
  const svg = frame(chart, title, width, height);
  const low = Math.min(...chart.y), high = Math.max(...chart.y);
  // From zero unless that would flatten the line.
  const marks = ticks(low > 0 && low > high * 0.6 ? low : Math.min(0, low), Math.max(0, high));
  const names = chart.x.map((name) => cut(String(name), width * 0.3));
  const widest = Math.max(...names.map(widthOf)) + 14;
  const left = Math.max(widest / 2, Math.max(...marks.map((m) => widthOf(compact.format(m)))) + 10);
  const right = Math.max(widest / 2, 18); // names stand in the middle below their points
  const x = (i) => left + (chart.x.length === 1 ? 0.5 : i / (chart.x.length - 1)) * (width - left - right);
  const [bottomMark, topMark] = [marks[0], marks.at(-1)];
  const y = (v) => top + ((topMark - v) / (topMark - bottomMark)) * (height - top - bottom);
  for (const mark of marks)
    svg.append(
      node("line", { class: "grid", x1: left, x2: width - right, y1: y(mark), y2: y(mark) }),
      node("text", { x: left - 8, y: y(mark), "text-anchor": "end", "dominant-baseline": "central" }, compact.format(mark)),
    );
  const points = chart.y.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`);
  const floor = y(bottomMark).toFixed(1);
  svg.append(
    node("polygon", { class: "area", points: [`${x(0).toFixed(1)},${floor}`, ...points, `${x(points.length - 1).toFixed(1)},${floor}`].join(" ") }),
    node("polyline", { class: "line", points: points.join(" ") }),
  );
  const every = Math.max(1, Math.ceil((widest * chart.x.length) / (width - left - right)));
  chart.y.forEach((value, i) => {
    const dot = node("circle", { cx: x(i), cy: y(value), r: chart.x.length > 40 ? 2 : 3.5 });
    dot.append(node("title", {}, `${chart.x[i]}: ${exact.format(value)}`));
    svg.append(dot);
    if (i % every) return;
    svg.append(node("text", { class: "tick", x: x(i), y: height - 10, "text-anchor": "middle" }, names[i]));
  });
  return svg;
}
