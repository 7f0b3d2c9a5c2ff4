// Frames at a pace that the server accepts: a token bucket. Pure: whoever calls says how late it is, in ms.

const SHARE = 0.8; // of what the server takes: its clock and ours are not one, and the network bunches frames

export class Pacer {
  #perMs = 0;
  #burst = 0;
  #level = 0;
  #at = 0;

  /** A new connection has a new allowance. The defaults are the server's own, until it says. */
  restart(now: number, perSecond: number | undefined = 50, burst: number | undefined = 100): void {
    this.#perMs = (SHARE * perSecond) / 1_000;
    this.#level = this.#burst = Math.max(1, SHARE * burst);
    this.#at = now;
  }

  /** 0 if a frame may go now, which counts it; otherwise the ms to wait. */
  take(now: number): number {
    this.#level = Math.min(this.#burst, this.#level + this.#perMs * (now - this.#at));
    this.#at = now;
    if (this.#level < 1) return (1 - this.#level) / this.#perMs;
    this.#level -= 1;
    return 0;
  }
}
