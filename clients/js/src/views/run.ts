// One run: what is known of it, and what the user can do about it.

import type { GreenroomEvent } from "../protocol/events.js";
import { later } from "../later.js";
import type { EventLog } from "./event_log.js";
import { type RunState, emptyRun } from "./run_state.js";

export class Run {
  readonly id: string;
  readonly #log: EventLog;
  readonly #empty: RunState;

  constructor(log: EventLog, id: string) {
    [this.#log, this.id, this.#empty] = [log, id, emptyRun(id)];
  }

  /** The same object until something changes. */
  get state(): RunState {
    return this.#log.runState(this.id) ?? this.#empty;
  }

  /** Call `changed` whenever `state` is another. Returns what ends it. */
  subscribe(changed: () => void): () => void {
    return this.#log.subscribe(() => this.state, changed);
  }

  /** Fetch what is missing of it from the history, back to its beginning. */
  async load(): Promise<void> {
    const isWhole = () => this.#log.events(this.id).some(isFirst);
    for (let more = true, before: number | undefined; more && !isWhole(); ) {
      const page = await this.#log.client.history({ thread: this.state.thread, before, limit: 200 });
      this.#log.add(page.events);
      [more, before] = [page.more, page.events[0]?.offset];
    }
  }

  /** Stop it; its end arrives as an event. */
  cancel(): Promise<void> {
    return this.#log.client.cancel(this.id);
  }

  /** The same. */
  stop(): Promise<void> {
    return this.cancel();
  }

  /** Its events, those that are known first, to its end or the client's. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GreenroomEvent> {
    return later(import("../upkeep.js").then(({ runEvents }) => runEvents(this.#log, this)));
  }
}

/** What the user said comes first, or where nobody said anything the start of the first attempt. */
const isFirst = ({ kind, data }: GreenroomEvent): boolean => kind === "user_said" || (kind === "agent_started" && !data.attempt);
