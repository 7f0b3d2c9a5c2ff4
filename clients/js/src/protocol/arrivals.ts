// What arrives: where the session stands, what is open, and what is to be acknowledged. Pure, as the machine is that it belongs to.

import type { Act, Told } from "./commands.js";
import type { GreenroomEvent } from "./events.js";
import type { ClientFrame, Hello, Ready } from "./frames.js";
import { endOf, following, type Position } from "./position.js";

export class Arrivals {
  position: Position | undefined;
  readonly #do: Act;
  #acked = 0;
  #gapAt: number | undefined;

  constructor(position: Position | undefined, act: Act) {
    [this.position, this.#do] = [position, act];
  }

  place(position: Position | undefined): void {
    this.#do("save", "position", (this.position = position));
  }

  get hello(): Hello {
    const { user, ...place } = this.position ?? {};
    return { type: "hello", ...place, client: { name: "greenroom-js", version: "1" }, features: ["position", "large", "asks", "threads"] };
  }

  get offset(): number {
    return this.position?.offset ?? 0;
  }

  /** How far what arrived is ahead of what was acknowledged. */
  get unacked(): number {
    return this.offset - this.#acked;
  }

  /** Stay where we are if the server knows the place, otherwise begin where it sends from. Returns what no longer counts, if it does. */
  ready({ session, epoch, user, from, event, recovered }: Ready): Told["reset"] | undefined {
    const before = this.position;
    const isSame = before?.epoch === epoch && before.user === user;
    const ours = isSame && recovered ? before : undefined;
    const offset = (this.#acked = ours?.offset ?? from);
    this.place({ session, epoch, user, offset, event: ours?.event ?? (offset === from && event ? event : undefined) });
    if (!before || ours) return undefined;
    this.#gapAt = undefined;
    return { beyond: isSame ? from : 0, isOther: !isSame };
  }

  /** Hand over what is new, and return it. */
  events(events: readonly GreenroomEvent[]): readonly GreenroomEvent[] {
    const fresh = following(this.offset, events, this.#gapAt);
    const last = fresh.at(-1);
    if (!last) return fresh;
    this.place({ ...(this.position as Position), offset: endOf(last), event: last.offset === endOf(last) ? last.id : undefined });
    this.#do("tell", "events", fresh);
    return fresh;
  }

  /** Frames keep their order: whether what was written before is lost, as it has not arrived. The same gap again after a resume is
   *  the server's last word on it. */
  isGap(written: number): boolean {
    if (written <= this.offset || this.#gapAt === this.offset) return false;
    this.#gapAt = this.offset;
    return true;
  }

  /** The ack that is due; asking for it counts as sending it. */
  ack(): ClientFrame | undefined {
    return this.unacked > 0 ? { type: "ack", offset: (this.#acked = this.offset) } : undefined;
  }
}
