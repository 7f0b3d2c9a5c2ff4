// A final report: one of the analyst's shape gets a chart and a table; any other is shown as it is.
// Its `questions` are the page's buttons, not part of the card.

import { drawChart, isChart } from "./chart.js";
import { element, isObject, pretty } from "./dom.js";
import { drawMarkdown } from "./markdown.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const hundredths = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

function shown(cell: unknown, format = whole): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell !== "number") return pretty(cell);
  return (cell !== 0 && Math.abs(cell) < 0.1 ? small : format).format(cell);
}

interface Table {
  readonly columns: readonly unknown[];
  readonly rows: readonly (readonly unknown[])[];
}

const isTable = (table: unknown): table is Table =>
  isObject(table) && Array.isArray(table["columns"]) && Array.isArray(table["rows"]) && table["rows"].every(Array.isArray);
const isText = (value: unknown): value is string => typeof value === "string";

/** The parts of a report that are drawn in a way of their own; whatever else it has is shown as facts. */
const UNDERSTOOD: Readonly<Record<string, (value: unknown) => boolean>> = {
  title: isText, summary: isText, table: isTable, chart: isChart, notes: Array.isArray, questions: Array.isArray,
};

export const summaryOf = (report: unknown): string | null => {
  const summary = isObject(report) ? report["summary"] : report;
  return isText(summary) ? summary.trim() : null;
};

export const questionsOf = (report: unknown): readonly string[] => {
  const questions = isObject(report) ? report["questions"] : null;
  return Array.isArray(questions) ? questions.filter(isText) : [];
};

/** `said` is what was streamed before: a summary that repeats it is not shown twice. */
export function drawReport(report: unknown, said: string): HTMLElement {
  const card = element("section", { class: "report", testid: "report", "aria-label": "Report" });
  if (isObject(report)) fill(card, report, said);
  else if (Array.isArray(report)) card.append(element("pre", {}, pretty(report)));
  else if (pretty(report).trim() !== said) card.append(drawMarkdown(pretty(report)));
  return card;
}

function fill(card: HTMLElement, report: { readonly [field: string]: unknown }, said: string): void {
  const { title, summary, chart, table, notes } = report;
  const name = isText(title) ? title : undefined;
  if (name !== undefined) card.append(element("h3", {}, name));
  if (isText(summary) && summary.trim() !== said) card.append(drawMarkdown(summary));
  if (isChart(chart)) card.append(drawChart(chart, name));
  if (isTable(table)) card.append(drawTable(table, name));
  if (Array.isArray(notes) && notes.length) card.append(element("ul", { class: "notes" }, ...notes.map((note) => element("li", {}, pretty(note)))));
  const rest = Object.entries(report).filter(([key, value]) => !UNDERSTOOD[key]?.(value));
  if (rest.length) card.append(facts(rest));
}

function drawTable({ columns, rows }: Table, title: string | undefined): HTMLElement {
  const numeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => row[i] === null || typeof row[i] === "number"));
  const formats = columns.map((_, i) => (numeric[i] && !rows.every((row) => Number.isInteger(row[i] ?? 0)) ? hundredths : whole));
  const kind = (i: number) => (numeric[i] ? "number" : null);
  const cells = (row: readonly unknown[]) => columns.map((_, i) => element("td", { class: kind(i) }, shown(row[i], formats[i])));
  const head = columns.map((name, i) => element("th", { scope: "col", class: kind(i) }, shown(name)));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${title ?? "report"}` },
    element("table", {},
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row))))));
}

/** {saving: "10%"}: short values side by side with their names, structures as JSON. */
function facts(entries: readonly (readonly [string, unknown])[]): HTMLElement {
  const list = element("dl");
  for (const [name, value] of entries) {
    const isPlain = value === null || typeof value !== "object";
    list.append(element("dt", {}, name), element("dd", {}, isPlain ? shown(value) : element("pre", {}, pretty(value))));
  }
  return list;
}
