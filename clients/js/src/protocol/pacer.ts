// Frames at a pace that the server accepts: a token bucket, whose level is the machine's `room`. Pure, as the machine is.

import type { Ready } from "./frames.js";
import type { Machine } from "./machine.js";

const SHARE = 0.8; // of what the server takes, as for the burst

export class Pacer {
  readonly #machine: Machine;
  #at = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** A new connection has all its room. */
  restart(): void {
    this.#at = this.#machine.env.now();
  }

  /** The ms until a frame may go: 0 or less if one may now. */
  wait(ready: Ready): number {
    const { env, room, burst } = this.#machine;
    const perMs = (SHARE * (ready.frames_per_second ?? 50)) / 1_000; // the server's own default
    const now = env.now();
    this.#machine.room = Math.min(burst, room + perMs * (now - this.#at));
    this.#at = now;
    return (1 - this.#machine.room) / perMs;
  }
}
