// How long the server may be silent before its connection counts as dead: half-open TCP says nothing for many minutes. Pure, as the
// machine is that it belongs to.

import type { Act } from "./commands.js";
import type { Request, ServerFrame } from "./frames.js";

const OPEN_MS = 15_000; // the server's own deadlines for opening are 10 s each
const AWAKE_MS = 2_500; // after a sleep the server has this long to show that the connection lives
const SLOWEST_LINK = 4 * 1024; // bytes a second that a large frame may take
const LONGEST_TIMER = 2 ** 31 - 1;

export class Liveness {
  readonly #do: Act;
  #probe: string | undefined;
  #large = 0;

  constructor(act: Act) {
    this.#do = act;
  }

  /** A connection begins to open; `isProbed`: one that was opening may be dead. */
  opening(isProbed = false): void {
    this.#watch(isProbed ? AWAKE_MS : OPEN_MS);
  }

  heard(frame: ServerFrame): void {
    this.#large = frame.type === "large" ? (1_000 * frame.bytes) / SLOWEST_LINK : 0;
  }

  /** Something came. */
  alive(heartbeat: number): void {
    this.#watch((this.#probe ? AWAKE_MS : 1.5 * heartbeat) + this.#large);
  }

  /** The request to ask for a sign of life with, unless one waits. Before the first event nothing needs an ack; this answer is
   *  short and cheap for the server. */
  ask(id: string): Request | undefined {
    this.#watch(AWAKE_MS + this.#large);
    if (this.#probe) return undefined;
    this.#probe = id;
    return { type: "history", id, before: 1, limit: 1 };
  }

  isSign(id: string): boolean {
    const isSign = id === this.#probe;
    if (isSign) this.#probe = undefined;
    return isSign;
  }

  over(): void {
    this.#probe = undefined;
    this.#large = 0;
    this.#do("wait", "silent");
  }

  #watch(ms: number): void {
    this.#do("wait", "silent", Math.min(ms, LONGEST_TIMER));
  }
}
