// What the user said.

import type { SentFile } from "greenroom";
import { sizeText } from "./attachments.js";
import { element, icon, ICONS, isObject, pretty, put } from "./dom.js";

const MOST_CHARACTERS = 1_200, MOST_LINES = 16; // of a message that is shown whole

export function drawBubble(body: unknown, files: readonly SentFile[] = []): HTMLElement {
  const said = isObject(body) && "text" in body ? body : { text: body };
  const { text, table } = said as { text: unknown; table?: unknown };
  const bubble = element("article", { class: "you", "aria-label": "You" });
  if (isObject(table)) bubble.append(element("p", { class: "table-name" }, icon(ICONS.table), `${table["name"] ?? "table"}${shapeOf(table)}`));
  for (const { name, size } of files) bubble.append(element("p", { class: "table-name", testid: "file-name" }, icon(ICONS.file), element("span", {}, element("bdi", {}, name), ` · ${sizeText(size)}`)));
  if (text !== "" && text !== undefined) bubble.append(...drawText(pretty(text)));
  return bubble;
}

/** A long one is folded. */
function drawText(text: string): HTMLElement[] {
  const prose = element("p", { class: "prose" }, text);
  if (text.length <= MOST_CHARACTERS && text.split("\n").length <= MOST_LINES) return [prose];
  const button = element("button", { type: "button", class: "link", "aria-expanded": "false", onclick: () => {
    const isOpen = !prose.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(isOpen));
    put(button, isOpen ? "Show less" : "Show all");
  } }, "Show all");
  prose.classList.add("folded");
  return [prose, button];
}

function shapeOf({ rows, columns }: { readonly [field: string]: unknown }): string {
  return rows === undefined ? "" : ` · ${Number(rows).toLocaleString("en")} × ${String(columns)}`;
}

export function markUnsent(bubble: HTMLElement): void {
  bubble.classList.add("unsent");
  bubble.append(element("p", { class: "fate" }, element("span", { class: "online" }, "Sending…"), element("span", { class: "away" }, "Not sent yet: it goes once you are connected.")));
}

export function markRefused(bubble: HTMLElement, why: string): void {
  bubble.classList.add("refused");
  const fate = bubble.querySelector(".fate");
  if (fate) fate.textContent = `Not sent: ${why.replace(/^say: /, "")}`;
}
