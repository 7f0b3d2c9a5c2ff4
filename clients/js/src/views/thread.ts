// One thread: its runs in order, and what the user can do with it.

import type { Said, SayOptions, ThreadInfo } from "../client.js";
import type { JSON } from "../protocol/events.js";
import type { EventLog, ThreadState } from "./event_log.js";

export class Thread {
  readonly id: string;
  readonly #log: EventLog;

  constructor(log: EventLog, id: string) {
    [this.#log, this.id] = [log, id];
  }

  /** The same object until something changes. */
  get state(): ThreadState {
    return this.#log.threadState(this.id);
  }

  /** Call `changed` whenever `state` is another. Returns what ends it. */
  subscribe(changed: () => void): () => void {
    return this.#log.subscribe(() => this.state, changed);
  }

  /** Fetch the newest `limit` events before those that are known. */
  async load(limit = 100): Promise<void> {
    const page = await this.#log.client.history({ thread: this.id, before: this.#log.earliest(this.id), limit });
    this.#log.add(page.events);
    if (!page.more) this.#log.isWhole(this.id);
  }

  say(body: JSON, options: Omit<SayOptions, "thread"> = {}): Promise<Said> {
    return this.#log.client.say(body, { ...options, thread: this.id });
  }

  /** 1 to 200 characters. */
  rename(title: string): Promise<ThreadInfo> {
    return this.#log.client.changeThread(this.id, { title });
  }

  archive(archived = true): Promise<ThreadInfo> {
    return this.#log.client.changeThread(this.id, { archived });
  }

  /** Erase it for good; its live runs are stopped first. */
  erase(): Promise<void> {
    return this.#log.client.erase(this.id);
  }
}
