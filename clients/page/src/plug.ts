// Pull the plug: break the connection, and see what comes of it.

import type { Client, GreenroomEvent } from "greenroom";
import { ask } from "./admission.js";
import { $, put, seconds } from "./dom.js";
import type { Tokens } from "./tokens.js";

const COPIED = "This tab is a copy of another: it has begun a session of its own, at the same place. Ask in one, and watch the other.";
const OPENED = "A copy of this tab is open. Each has a session of its own: ask in one, and watch the other.";

/** The sockets of this page, so that they can be broken. */
export class BreakableSocket extends WebSocket {
  static #latest: BreakableSocket | null = null;

  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    BreakableSocket.#latest = this;
  }

  /** As a network does: the page is not asked. Returns whether there was one. */
  static break(): boolean {
    const socket = BreakableSocket.#latest;
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.close();
    return true;
  }
}

interface Break {
  readonly what: string;
  readonly at: number;
  /** Until when events are caught up; null before the connection is back. */
  until: number | null;
  took: number;
  events: number;
  twice: number;
}

export class Plug {
  readonly #client: Client;
  readonly #tokens: Tokens;
  readonly #known = new Set<number>(); // offsets that were handed to this page
  #latest = 0;
  #break: Break | null = null;

  constructor(client: Client, tokens: Tokens) {
    [this.#client, this.#tokens] = [client, tokens];
    for (const id of ["open-plug", "try-plug"]) $(id).addEventListener("click", () => this.#toggle(id === "try-plug"));
    $("drop-connection").addEventListener("click", () => this.#drop());
    $("duplicate-tab").addEventListener("click", () => this.#duplicate());
    $("kill-server").addEventListener("click", () => void this.#kill());
    client.on("events", (events) => this.#came(events));
    client.on("reset", ({ beyond }) => this.#forget(beyond));
    client.on("frame", ({ isSent, frame }) => this.#frame(isSent, frame));
  }

  #toggle(isShown = false): void {
    $("plug").hidden = !isShown && !$("plug").hidden;
    $("open-plug").setAttribute("aria-expanded", String(!$("plug").hidden));
    if (!$("plug").hidden) $("drop-connection").focus({ preventScroll: true });
  }

  #drop(): void {
    this.#begin("Reconnected");
    if (!BreakableSocket.break()) this.#client.connect();
  }

  /** Copies sessionStorage, as the browser's own command does. */
  #duplicate(): void {
    window.open(location.href);
    this.#tell(OPENED);
  }

  async #kill(): Promise<void> {
    this.#begin("The server was killed and started again; reconnected");
    const response = await ask("demo/kill", this.#tokens.kept, "POST").catch(() => null); // it dies before it answers
    if (response && !response.ok) this.#fail(`The server was not killed (${response.status}).`);
  }

  #begin(what: string): void {
    this.#break = { what, at: performance.now(), until: null, took: 0, events: 0, twice: 0 };
    this.#tell("Waiting for the connection to break…");
  }

  #fail(words: string): void {
    this.#break = null;
    this.#tell(words);
  }

  #frame(isSent: boolean, frame: { readonly type: string; readonly offset?: number; readonly from?: number; readonly epoch?: string; readonly session?: string }): void {
    if (isSent && frame.type === "hello" && frame.epoch && !frame.session) this.#tell(COPIED);
    if (!isSent && frame.type === "ready") this.#isBack(frame.from ?? 0, frame.offset ?? 0);
  }

  #isBack(from: number, newest: number): void {
    this.#latest = Math.max(this.#latest, from);
    if (!this.#break) return;
    this.#break.took = performance.now() - this.#break.at;
    this.#break.until = newest;
    this.#conclude();
  }

  #came(events: readonly GreenroomEvent[]): void {
    for (const { offset } of events) {
      const isMissed = this.#break?.until != null && offset <= this.#break.until;
      if (this.#break && isMissed) this.#break.events += 1;
      if (this.#break && this.#known.has(offset)) this.#break.twice += 1;
      this.#known.add(offset);
      this.#latest = Math.max(this.#latest, offset);
    }
    this.#conclude();
  }

  /** Once all that was missed is here. */
  #conclude(): void {
    const it = this.#break;
    if (!it || it.until === null || this.#latest < it.until) return;
    this.#break = null;
    const events = it.events === 0 ? "nothing was missed" : `${it.events} event${it.events === 1 ? "" : "s"} caught up, ${it.twice || "none"} twice`;
    this.#tell(`${it.what} in ${seconds(it.took)}: ${events}.`);
  }

  #forget(beyond: number): void {
    for (const offset of this.#known) if (offset > beyond) this.#known.delete(offset);
  }

  #tell(words: string): void {
    put($("plug-outcome"), words);
    $("plug-outcome").hidden = false;
  }
}
