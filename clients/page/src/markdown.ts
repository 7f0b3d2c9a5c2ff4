// Markdown as elements. Tokens become elements one by one and no HTML is ever parsed: markup in a text stays text.

import { type Child, element, put } from "./dom.js";
import { lexer, type Token, type Tokens } from "./marked.js";

const LINKS = /^(https?:|mailto:)/i;
const COPIED_MS = 1_500;

export const blocksOf = (text: string): readonly Token[] => lexer(text, { gfm: true, breaks: true });

/** A text that is whole. */
export const drawMarkdown = (text: string): HTMLElement => element("div", { class: "prose" }, ...blocksOf(text).map((token) => drawBlock(token)));

/** Null for what is not seen, such as an empty line. */
export function drawBlock(token: Token): HTMLElement | null {
  const block = token as Tokens.Generic;
  switch (block.type) {
    case "space": case "def": return null;
    case "heading": return element(HEADINGS[block["depth"] as number] ?? "h5", {}, ...inline(block));
    case "code": return drawCode(block["text"], block["lang"]);
    case "blockquote": return element("blockquote", {}, ...nested(block));
    case "list": return drawList(block as Tokens.List);
    case "table": return drawTable(block as Tokens.Table);
    case "hr": return element("hr");
    default: return element("p", {}, ...inline(block));
  }
}

/** The page's own headings are h1 and h2. */
const HEADINGS: Readonly<Record<number, "h3" | "h4" | "h5">> = { 1: "h3", 2: "h4" };

const nested = ({ tokens = [] }: { tokens?: Token[] | undefined }): Child[] => tokens.map((token) => drawBlock(token));

function inline({ tokens, text, raw }: Tokens.Generic): Child[] {
  return tokens ? tokens.map((token) => drawInline(token as Tokens.Generic)) : [String(text ?? raw)];
}

function drawInline(token: Tokens.Generic): Child {
  switch (token.type) {
    case "strong": return element("strong", {}, ...inline(token));
    case "em": return element("em", {}, ...inline(token));
    case "del": return element("del", {}, ...inline(token));
    case "codespan": return element("code", {}, unescaped(token["text"]));
    case "br": return element("br");
    case "link": case "image": return drawLink(token);
    case "html": return token.raw;
    case "checkbox": return element("input", { type: "checkbox", disabled: true, checked: token["checked"] === true, "aria-label": "Done" });
    case "escape": return String(token["text"]);
    default: return token.tokens ? element("span", {}, ...inline(token)) : unescaped(String(token["text"] ?? token.raw));
  }
}

/** An image is a link as well: the page loads nothing from elsewhere. */
function drawLink(token: Tokens.Generic): Child {
  const href = String(token["href"]);
  const words = token.type === "image" ? [String(token["text"]) || href] : inline(token);
  if (!LINKS.test(href)) return element("span", {}, ...words);
  return element("a", { href, target: "_blank", rel: "noopener noreferrer", title: token["title"] as string | null }, ...words);
}

/** The lexer's own escapes. */
const unescaped = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name] ?? "");

function drawList({ ordered, start, items, loose }: Tokens.List): HTMLElement {
  const list = ordered ? element("ol", { start: start || 1 }) : element("ul");
  list.append(...items.map((item) => element("li", { class: loose ? "loose" : null }, ...item.tokens.map((token) => drawItemPart(token)))));
  return list;
}

const drawItemPart = (token: Token): Child =>
  token.type === "text" || token.type === "checkbox" ? drawInline(token as Tokens.Generic) : drawBlock(token);

function drawTable({ header, rows, align }: Tokens.Table): HTMLElement {
  const kind = (index: number) => (align[index] === "right" ? "number" : null);
  const head = header.map((cell, i) => element("th", { scope: "col", class: kind(i) }, ...inline(cell as unknown as Tokens.Generic)));
  const row = (cells: readonly Tokens.TableCell[]) =>
    element("tr", {}, ...cells.map((cell, i) => element("td", { class: kind(i) }, ...inline(cell as unknown as Tokens.Generic))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows.map(row))));
}

function drawCode(text: string, lang: string | undefined): HTMLElement {
  const copy = element("button", { type: "button", class: "copy", onclick: () => void copied(text, copy) }, "Copy");
  const bar = element("div", { class: "code-bar" }, element("span", {}, lang ?? ""), navigator.clipboard ? copy : null);
  return element("div", { class: "code" }, bar, element("pre", { tabindex: "0" }, element("code", {}, text)));
}

async function copied(text: string, button: HTMLElement): Promise<void> {
  const isDone = await navigator.clipboard.writeText(text).then(() => true, () => false);
  put(button, isDone ? "Copied" : "Not allowed");
  setTimeout(() => put(button, "Copy"), COPIED_MS);
}
