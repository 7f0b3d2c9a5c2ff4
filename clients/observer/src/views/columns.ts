// Tables that scroll in their own box.

import { type Child, element } from "../kit.js";

export interface Column<T> {
  readonly title: string;
  readonly is?: "num";
  readonly of: (row: T) => Child;
}

export function tableOf<T>(name: string, columns: readonly Column<T>[], rows: readonly T[]): HTMLElement {
  const head = columns.map(({ title, is }) => element("th", { scope: "col", class: is }, title));
  const body = rows.map((row) => element("tr", {}, ...columns.map(({ of, is }) => element("td", { class: is }, of(row)))));
  return element("div", { class: "scroll lines", tabindex: 0, role: "region", "aria-label": name },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

/** A section with a table; of nothing, it says so in a few words. */
export function section<T>(title: string, columns: readonly Column<T>[], rows: readonly T[], none: string, ...more: readonly Child[]): HTMLElement {
  return element("section", { class: "part" }, element("h2", {}, title),
    rows.length ? tableOf(title, columns, rows) : element("p", { class: "soft" }, none), ...more);
}
