// A final report: one of the analyst's shape gets a chart and a table; any other is shown as it is.
// Its `questions` are the page's buttons, not part of the card.

import { drawChart, isChart } from "./chart.js";
import { element, pretty } from "./dom.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const hundredths = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const shown = (cell, format = whole) => {
  if (cell === null || cell === undefined) return "";
  if (typeof cell !== "number") return pretty(cell);
  return (cell !== 0 && Math.abs(cell) < 0.1 ? small : format).format(cell);
};
const KNOWN = new Set(["title", "summary", "table", "chart", "notes", "questions"]);

const isTable = (table) =>
  table && Array.isArray(table.columns) && Array.isArray(table.rows) && table.rows.every(Array.isArray);

/** `said` is what was streamed before: a summary that repeats it is not shown twice. */
export function drawReport(report, said) {
  const card = element("section", { class: "report", testid: "report", "aria-label": "Report" });
  if (report === null || typeof report !== "object") {
    if (pretty(report).trim() !== said) card.append(element("p", { class: "prose" }, pretty(report)));
    return card;
  }
  if (Array.isArray(report)) {
    card.append(element("pre", {}, pretty(report)));
    return card;
  }
  if (typeof report.title === "string") card.append(element("h3", {}, report.title));
  if (typeof report.summary === "string" && report.summary.trim() !== said)
    card.append(element("p", { class: "prose" }, report.summary));
  if (isChart(report.chart)) card.append(drawChart(report.chart, report.title));
  if (isTable(report.table)) card.append(drawTable(report.table, report.title));
  if (Array.isArray(report.notes) && report.notes.length)
    card.append(element("ul", { class: "notes" }, ...report.notes.map((note) => element("li", {}, pretty(note)))));
  const rest = Object.entries(report).filter(([key, value]) => !KNOWN.has(key) || !understood(key, value));
  if (rest.length) card.append(facts(rest));
  return card;
}

const understood = (key, value) =>
  ({ title: typeof value === "string", summary: typeof value === "string", table: isTable(value),
     chart: isChart(value), notes: Array.isArray(value), questions: Array.isArray(value) })[key];

function drawTable({ columns, rows }, title) {
  const numeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => row[i] === null || typeof row[i] === "number"));
  const formats = columns.map((_, i) => (numeric[i] && !rows.every((row) => Number.isInteger(row[i] ?? 0)) ? hundredths : whole));
  const cells = (row) => columns.map((_, i) => element("td", { class: numeric[i] ? "number" : null }, shown(row[i], formats[i])));
  const head = columns.map((name, i) => element("th", { scope: "col", class: numeric[i] ? "number" : null }, shown(name)));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${title ?? "report"}` },
    element("table", {},
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row))))));
}

/** {saving: "10%"}: short values side by side with their names, structures as JSON. */
function facts(entries) {
  const list = element("dl", {});
  for (const [name, value] of entries) {
    const plain = value === null || typeof value !== "object";
    list.append(element("dt", {}, name), element("dd", {}, plain ? shown(value) : element("pre", {}, pretty(value))));
  }
  return list;
}
