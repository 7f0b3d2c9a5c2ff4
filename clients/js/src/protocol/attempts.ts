// Attempts to connect: by which transport, and how long to wait before the next one. Pure, as the machine is that it belongs to.

import { BAD_TOKEN } from "./codes.js";
import { backOff } from "./coming_back.js";
import type { Transport } from "./commands.js";
import type { Env } from "./env.js";
import type { Closing } from "./frames.js";

const BAD_TOKENS = 2; // in a row, before a refusal is final

export class Attempts {
  readonly #env: Env;
  #via: Transport = "websocket";
  #count = 0; // since a connection was stable: for the back-off
  #unopened = 0; // in a row: for the choice of the transport
  #badTokens = 0;

  constructor(env: Env) {
    this.#env = env;
  }

  /** Whether another token may be accepted. */
  get hasTries(): boolean {
    return this.#badTokens < BAD_TOKENS;
  }

  begin(): void {
    this.#count = this.#unopened = this.#badTokens = 0;
  }

  /** Server-sent events take each third turn, after two of WebSocket; what worked is kept to. */
  next(): Transport {
    return (this.#via = this.#unopened % 3 === 2 ? "sse" : "websocket");
  }

  ready(): void {
    this.#badTokens = 0;
    this.#unopened = this.#via === "sse" ? 2 : 0;
  }

  /** The connection has lived long enough to forget earlier failures. */
  stable(): void {
    this.#count = 0;
  }

  /** Another network may let WebSockets pass. */
  online(): void {
    this.#unopened = 0;
  }

  lost(code: number, wasOpen: boolean): void {
    if (!wasOpen) this.#unopened += 1;
    if (code === BAD_TOKEN) this.#badTokens += 1;
  }

  /** The ms to wait before the next attempt, at least as long as the server asked for. */
  wait(asked: Closing["reconnect"] | undefined): number {
    const { random } = this.#env;
    const wanted = asked ? asked.after_ms + random() * asked.jitter_ms : 0;
    return this.#count++ || !asked ? Math.max(wanted, backOff(random(), this.#count - 1)) : wanted;
  }
}
