// Elements without markup: text only ever becomes text.

type Attribute = string | number | boolean | null | undefined | ((event: never) => unknown);
export type Child = Node | string | null | undefined;

/** element("p", {class: "note", testid: "event"}, "text", child, …) */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K, attributes: Readonly<Record<string, Attribute>> = {}, ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) set(made, key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function set(made: HTMLElement, key: string, value: Attribute): void {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") made.addEventListener(key.slice(2), value as EventListener);
  else if (key === "testid") made.dataset["testid"] = String(value);
  else made.setAttribute(key, value === true ? "" : String(value));
}

/** An element of the page. */
export function $<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as T;
}

/** An icon of one path on a 16 × 16 grid, invisible to assistive technology. */
export function icon(path: string, kind = ""): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
  drawn.setAttribute("d", path);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon ${kind}`);
  svg.append(drawn);
  return svg;
}

export const ICONS = {
  done: "M3.5 8.5l3 3 6-7",
  failed: "M4.5 4.5l7 7m0-7l-7 7",
  stopped: "M4.5 8h7",
  menu: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  file: "M4 1.5h5l3 3v10H4zM9 1.5v3h3",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6",
} as const;

export const LONGEST = 20_000; // characters of any one JSON or text block on screen

export function pretty(value: unknown, longest = LONGEST): string {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
  return text.length > longest ? `${text.slice(0, longest)}\n… (${text.length - longest} characters more)` : text;
}

export function seconds(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

export const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Sets text only if it is another: a live region would say it again. */
export function put(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export type Fields = { readonly [field: string]: unknown };

export const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
