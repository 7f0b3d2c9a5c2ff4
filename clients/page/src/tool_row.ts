// A tool at work, and what came of it.

import type { EventData } from "greenroom";
import { element, icon, ICONS, isObject, pretty, seconds } from "./dom.js";

const CANCELLED = "cancelled"; // the error of a tool that ended with what it was part of

type End = "done" | "failed" | "stopped";

function brief(value: unknown): string {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const text = entries.map(([k, v]) => `${k}: ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ");
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
}

export class ToolRow {
  readonly name: string;
  readonly row: HTMLLIElement;
  /** Where its beginning is seen. */
  readonly summary: HTMLElement;
  readonly #spent = element("span", { class: "spent" }, "running…");
  readonly #body = element("div", { class: "inside" });

  constructor(tool_name: string, given: unknown) {
    this.name = tool_name;
    if (given !== undefined && given !== null) this.#body.append(element("h4", {}, "Arguments"), element("pre", {}, pretty(given)));
    this.summary = element("summary", {}, element("span", { class: "spinner", "aria-hidden": "true" }),
      element("code", {}, tool_name), element("span", { class: "given" }, brief(given)), this.#spent);
    this.row = element("li", { class: "tool running", testid: "tool-call", "data-state": "running" },
      element("details", {}, this.summary, this.#body));
  }

  /** Returns where its end is seen. */
  complete({ result, error, reference, duration_ms }: EventData["tool_completed"]): HTMLElement {
    const end = error === undefined || error === null ? "done" : error === CANCELLED ? "stopped" : "failed";
    this.#end(end, `${end === "done" ? "" : `${end} · `}${seconds(duration_ms)}`);
    if (end === "failed") this.#fail(error, reference);
    else if (result !== undefined && result !== null) this.#body.append(element("h4", {}, "Result"), element("pre", {}, pretty(result)));
    return this.#spent;
  }

  get isRunning(): boolean { return this.row.dataset["state"] === "running"; }

  /** The run ended before it. */
  stop(): void {
    if (this.isRunning) this.#end("stopped", "stopped");
  }

  #fail(error: unknown, reference: string | undefined): void {
    this.#body.append(element("h4", {}, "Error"), element("pre", { class: "error" }, pretty(error)));
    if (reference) this.#body.append(element("p", { class: "detail reference" }, `Reference: ${reference}`));
    const words = isObject(error) ? error["message"] ?? error : error;
    this.row.append(element("p", { class: "error" }, pretty(words)));
  }

  #end(state: End, words: string): void {
    this.row.classList.replace("running", state);
    this.row.dataset["state"] = state;
    this.row.querySelector(".spinner")?.replaceWith(icon(ICONS[state], state));
    this.#spent.textContent = words;
  }
}
