// Attempts to connect: by which transport, and how long to wait before the next one. Pure, as the machine is that it belongs to.

import type { Transport } from "./commands.js";
import type { Env } from "./env.js";
import type { Closing } from "./frames.js";

const FIRST_MS = 500, LONGEST_MS = 20_000;
const STABLE_MS = 5_000; // a connection that lived this long forgets earlier failures

export class Attempts {
  readonly #env: Env;
  #count = 0; // since a connection was stable: for the back-off
  #unopened = 0; // in a row: for the choice of the transport
  #readyAt = Infinity;

  constructor(env: Env) {
    this.#env = env;
  }

  begin(): void {
    this.#count = this.#unopened = 0;
  }

  /** Server-sent events take each third turn, after two of WebSocket; what worked is kept to. */
  next(): Transport {
    return this.#unopened % 3 === 2 ? "sse" : "websocket";
  }

  ready(): void {
    if (this.next() === "websocket") this.#unopened = 0;
    this.#readyAt = this.#env.now();
  }

  /** Another network may let WebSockets pass. */
  online(): void {
    this.#unopened = 0;
  }

  lost(wasOpen: boolean): void {
    if (!wasOpen) this.#unopened += 1;
    if (this.#env.now() - this.#readyAt > STABLE_MS) this.#count = 0;
    this.#readyAt = Infinity;
  }

  /** The ms to wait before the next attempt, at least as long as the server asked for. */
  wait(asked: Closing["reconnect"] | undefined): number {
    const failures = this.#count++;
    if (!asked) return this.backOff(failures);
    return Math.max(asked.after_ms + this.#env.random() * asked.jitter_ms, failures && this.backOff(failures));
  }

  /** Exponential with full jitter: the ms to wait after this many failures, from 0. */
  backOff(failures: number): number {
    return this.#env.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
  }
}
