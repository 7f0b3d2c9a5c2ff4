// How far each event has come, as the wire tells it: on the server's disk (it sends nothing else), received here and acknowledged,
// seen and reported as displayed.

import { type Client, type GreenroomEvent, offsetsOf } from "greenroom";

export type Stage = "disk" | "received" | "seen";

interface Sent {
  readonly type: string;
  readonly offset?: number;
  readonly from?: number;
  readonly offsets?: readonly number[];
}

export class Delivery {
  #acked = 0;
  readonly #seen = new Set<number>();
  readonly #listeners = new Set<() => void>();
  #isDue = false;

  constructor(client: Client) {
    client.on("frame", ({ isSent, frame }) => this.#take(isSent, frame));
    client.on("reset", () => this.#forget());
  }

  /** What holds for every event that this one stands for. */
  stage(event: GreenroomEvent): Stage {
    if (offsetsOf(event).every((offset) => this.#seen.has(offset))) return "seen";
    return event.offset <= this.#acked ? "received" : "disk";
  }

  /** Call `changed` after changes, at most once a frame of the screen. Returns what ends it. */
  subscribe(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  #take(isSent: boolean, { type, offset = 0, from = 0, offsets = [] }: Sent): void {
    if (!isSent && type === "ready") this.#acked = Math.max(this.#acked, from); // what the server sends from
    else if (isSent && type === "ack") this.#acked = Math.max(this.#acked, offset);
    else if (isSent && type === "displayed") for (const each of offsets) this.#seen.add(each);
    else return;
    this.#tell();
  }

  #forget(): void {
    this.#acked = 0;
    this.#seen.clear();
    this.#tell();
  }

  #tell(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      for (const listener of [...this.#listeners]) listener();
    }, 50); // a hidden window has no frames of the screen
  }
}
