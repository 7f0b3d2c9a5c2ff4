// Events for `for await`.

import { GreenroomError } from "./errors.js";

const MOST = 4_096; // events that wait for a slow reader before more of them come
const TOO_SLOW = 4103;

export const tooSlow = (): GreenroomError =>
  new GreenroomError({ code: TOO_SLOW, message: `more than ${MOST} events waited to be read`, temporary: true });

/** What a source pushes is read in order, from now on. A reader that is too slow gets an error in place of what it missed. */
export class EventStream<T> implements AsyncIterableIterator<T> {
  #items: T[] = [];
  #isOver = false;
  #error: GreenroomError | undefined;
  #wake: (() => void) | undefined;
  readonly #leave: () => void;

  /** `follow` is called with this stream, and returns what ends it. */
  constructor(follow: (stream: EventStream<T>) => () => void) {
    this.#leave = follow(this);
  }

  push(items: readonly T[]): void {
    if (this.#isOver) return;
    if (this.#items.length > MOST) return this.end(tooSlow());
    for (const item of items) this.#items.push(item);
    this.#wake?.();
  }

  /** Nothing follows what was pushed. */
  end(error?: GreenroomError): void {
    this.#isOver = true;
    this.#error = error;
    if (error) this.#items = [];
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<T>> {
    while (!this.#items.length && !this.#isOver) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#items.length) return { done: false, value: this.#items.shift() as T };
    this.#leave();
    if (this.#error) throw this.#error;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<T>> {
    this.#items = [];
    this.end();
    return this.next();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
