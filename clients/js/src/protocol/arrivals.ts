// What arrives: where the session stands, what is open, and what is to be acknowledged. Pure, as the machine is that it belongs to.

import type { Act } from "./commands.js";
import type { GreenroomEvent } from "./events.js";
import type { ClientFrame, Hello, Ready } from "./frames.js";
import { type Asks, stillOpen } from "./open_asks.js";
import { advance, opened, type Opened, type Position } from "./position.js";

export class Arrivals {
  position: Position | undefined;
  asks: Asks = [];
  /** Events since the last ack. */
  unacked = 0;
  readonly #do: Act;
  #acked = 0;
  #gapAt: number | undefined;

  constructor(position: Position | undefined, act: Act) {
    [this.position, this.#do] = [position, act];
  }

  place(position: Position | undefined): void {
    this.position = position;
    this.#do("save", "position", position);
  }

  get hello(): Hello {
    const { session, epoch, offset, event } = this.position ?? {};
    const features = ["position", "large", "asks", "threads"];
    return { type: "hello", session, epoch, offset, event, client: { name: "greenroom-js", version: "1" }, features };
  }

  ready(ready: Ready): Opened {
    const result = opened(this.position, ready);
    this.place(result.position);
    this.#acked = result.position.offset;
    this.unacked = 0;
    if (result.beyond !== undefined) this.#gapAt = undefined;
    return result;
  }

  /** Hand over what is new. Returns why to leave, if that is so. */
  events(epoch: string, events: readonly GreenroomEvent[]): string | undefined {
    if (epoch !== this.position?.epoch) return "another journal answers";
    const { fresh, isGap, position } = advance(this.position, events, this.#gapAt);
    if (fresh.length) this.#deliver(fresh, position);
    return isGap ? this.#gap(position.offset) : undefined;
  }

  /** Frames keep their order: an event written before the ping that has not arrived is lost. Returns why to leave, if that is so. */
  ping(written: number | undefined): string | undefined {
    const offset = this.position?.offset ?? 0;
    return written !== undefined && written > offset && offset !== this.#gapAt ? this.#gap(offset) : undefined;
  }

  /** The ack that is due; asking for it counts as sending it. */
  ack(): ClientFrame | undefined {
    this.unacked = 0;
    const offset = this.position?.offset ?? 0;
    return offset > this.#acked ? { type: "ack", offset: (this.#acked = offset) } : undefined;
  }

  setAsks(asks: Asks): void {
    if (asks === this.asks || (!asks.length && !this.asks.length)) return;
    this.asks = asks;
    this.#do("tell", "asks", asks);
  }

  #deliver(fresh: readonly GreenroomEvent[], position: Position): void {
    this.place(position);
    this.#do("tell", "events", fresh);
    this.setAsks(stillOpen(this.asks, fresh));
    this.unacked += fresh.length;
  }

  /** The same gap again after a resume is the server's last word on it. */
  #gap(offset: number): string {
    this.#gapAt = offset;
    return "an event did not arrive";
  }
}
