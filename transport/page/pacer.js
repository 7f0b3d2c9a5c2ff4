// Frames at a pace that the server accepts: `burst` at once, then `rate` a second, in order. No DOM here.

const DEFAULT = { rate: 50, burst: 100 }; // frames; the server's own, until it says
const SHARE = 0.8; // of what it takes: its clock and ours are not one, and the network bunches frames

export class Pacer {
  #write; #rate; #burst; #level; #at; #queue = []; #timer = null;

  constructor(write) {
    this.#write = write;
    this.restart();
  }

  /** A new connection has a new allowance; what waits for the old one is forgotten. */
  restart() {
    clearTimeout(this.#timer);
    [this.#queue, this.#timer, this.#at] = [[], null, performance.now()];
    this.allow({});
    this.#level = this.#burst;
  }

  allow({ rate = DEFAULT.rate, burst = DEFAULT.burst }) {
    this.#rate = SHARE * rate;
    this.#burst = Math.max(1, Math.floor(SHARE * burst));
    this.#level = Math.min(this.#level, this.#burst);
  }

  /** Nothing waits for its turn. */
  get isIdle() { return this.#queue.length === 0; }

  send(frame) {
    // An ack covers those before it: while one waits, a second frame is not worth it.
    const waiting = frame.type === "ack" ? this.#queue.findIndex(({ type }) => type === "ack") : -1;
    if (waiting >= 0) this.#queue[waiting] = frame;
    else this.#queue.push(frame);
    this.#pump();
  }

  /** Send before everything that waits. */
  sendFirst(frame) {
    this.#queue.unshift(frame);
    this.#pump();
  }

  #pump() {
    const now = performance.now();
    this.#level = Math.min(this.#burst, this.#level + (this.#rate * (now - this.#at)) / 1_000);
    this.#at = now;
    for (; this.#queue.length && this.#level >= 1; this.#level -= 1) this.#write(this.#queue.shift());
    if (this.#queue.length) this.#timer ??= setTimeout(() => this.#again(), (1_000 * (1 - this.#level)) / this.#rate);
  }

  #again() {
    this.#timer = null;
    this.#pump();
  }
}
