// What the user said.

import { element, icon, ICONS, isObject, pretty } from "./dom.js";

export function drawBubble(body: unknown): HTMLElement {
  const said = isObject(body) && "text" in body ? body : { text: body };
  const { text, table } = said as { text: unknown; table?: unknown };
  const bubble = element("article", { class: "you", "aria-label": "You" });
  if (isObject(table)) bubble.append(element("p", { class: "table-name" }, icon(ICONS.table), `${table["name"] ?? "table"}${shapeOf(table)}`));
  if (text !== "" && text !== undefined) bubble.append(element("p", { class: "prose" }, pretty(text)));
  return bubble;
}

function shapeOf({ rows, columns }: { readonly [field: string]: unknown }): string {
  return rows === undefined ? "" : ` · ${Number(rows).toLocaleString("en")} × ${String(columns)}`;
}

export function markUnsent(bubble: HTMLElement): void {
  bubble.classList.add("unsent");
  bubble.append(element("p", { class: "fate" }, "Sending…"));
}

export function markRefused(bubble: HTMLElement, why: string): void {
  bubble.classList.add("refused");
  const fate = bubble.querySelector(".fate");
  if (fate) fate.textContent = `Not sent: ${why}`;
}
