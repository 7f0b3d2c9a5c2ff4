// The wire, for the curious: each frame as it goes.

import type { Client, WireFrame } from "greenroom";
import { $, element, pretty, put } from "./dom.js";

const MOST = 200; // frames on screen
const LONGEST = 4_000; // characters of one
const SECRET = "…"; // in place of a token

export class Wire {
  readonly #frames: { readonly at: Date; readonly it: WireFrame }[] = [];

  constructor(client: Client) {
    client.on("frame", (it) => this.#take(it));
    $("show-wire").addEventListener("click", () => this.#toggle());
  }

  get #isShown(): boolean { return !$("wire").hidden; }

  #toggle(): void {
    $("wire").hidden = this.#isShown;
    $("show-wire").setAttribute("aria-expanded", String(this.#isShown));
    put($("show-wire"), this.#isShown ? "Hide the wire" : "Show the wire");
    $("wire-frames").replaceChildren(...(this.#isShown ? this.#frames.map((frame) => row(frame)) : []));
    this.#follow();
  }

  #take(it: WireFrame): void {
    const frame = { at: new Date(), it };
    this.#frames.push(frame);
    if (this.#frames.length > MOST) this.#frames.shift();
    if (!this.#isShown) return;
    if ($("wire-frames").childElementCount >= MOST) $("wire-frames").firstElementChild?.remove();
    $("wire-frames").append(row(frame));
    this.#follow();
  }

  #follow(): void {
    $("wire").scrollTop = $("wire").scrollHeight;
  }
}

function row({ at, it: { isSent, frame } }: { at: Date; it: WireFrame }): HTMLElement {
  const shown = "token" in frame ? { ...frame, token: SECRET } : frame;
  const time = at.toLocaleTimeString("en", { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
  const arrow = element("span", { class: "arrow", "aria-hidden": "true" }, isSent ? "↑" : "↓");
  const summary = element("summary", {}, element("time", {}, time), arrow, element("span", { class: "unseen" }, isSent ? "sent" : "received"),
    element("code", {}, frame.type), element("span", { class: "given" }, brief(shown)));
  return element("li", { class: isSent ? "sent" : "came" }, element("details", {}, summary, element("pre", {}, pretty(shown, LONGEST))));
}

function brief({ type: _, ...rest }: { readonly type: string }): string {
  const events = (rest as { events?: unknown }).events;
  const text = Array.isArray(events) ? events.map(({ offset, kind }) => `${offset} ${kind}`).join(", ") : JSON.stringify(rest).slice(1, -1);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
