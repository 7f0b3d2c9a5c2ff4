// Reports on events, which have no answer: what was displayed, and what the user thinks of it. Pure.

import type { ClientFrame } from "./frames.js";

const MOST_DISPLAYED = 10_000, MOST_CONFIRMED = 256; // past that the oldest are given up
const AT_ONCE = 200;
const OFFSET_BYTES = 20; // 16 digits and a comma, with room to spare

type Confirm = ClientFrame & { type: "confirm" };

export class Reports {
  #displayed = new Set<number>();
  #confirmed: Confirm[] = [];

  displayed(offsets: Iterable<number>): void {
    for (const offset of offsets) this.#displayed.add(offset);
    for (const offset of this.#displayed) if (this.#displayed.size > MOST_DISPLAYED) this.#displayed.delete(offset);
  }

  confirm(frame: Confirm): void {
    this.#confirmed = [...this.#confirmed, frame].slice(-MOST_CONFIRMED);
  }

  /** The next report to send, if there is one. */
  next(maxFrameBytes = 16 * 1024): ClientFrame | undefined {
    const offsets = [...this.#displayed].sort((a, b) => a - b).slice(0, Math.min(AT_ONCE, Math.floor(maxFrameBytes / OFFSET_BYTES)));
    for (const offset of offsets) this.#displayed.delete(offset);
    return offsets.length ? { type: "displayed", offsets } : this.#confirmed.shift();
  }

  /** Events beyond this offset no longer count, and neither do reports on them. */
  forget(beyond: number): void {
    this.#displayed = new Set([...this.#displayed].filter((offset) => offset <= beyond));
    this.#confirmed = this.#confirmed.filter(({ offset }) => offset <= beyond);
  }
}
