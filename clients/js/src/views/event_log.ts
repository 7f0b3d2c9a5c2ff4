// The events that this client received or fetched, by run: each once, in order, bounded. What is shown is drawn from it.

import type { Client } from "../client.js";
import { type GreenroomEvent, offsetsOf } from "../protocol/events.js";
import { Run } from "./run.js";
import { emptyRun, fold, type RunState } from "./run_state.js";
import { Thread } from "./thread.js";

const MOST_BYTES = 8 * 1024 * 1024; // past that the runs that came first are given up; history has them

export interface ThreadState {
  readonly thread: string;
  /** In the order of their beginning; those of sub-agents have a `parent`. */
  readonly runs: readonly RunState[];
  /** Whether there may be earlier events: `load` fetches them. */
  readonly more: boolean;
}

class RunLog {
  readonly #run: string;
  readonly #known = new Set<number>(); // offsets, also of what was merged
  events: GreenroomEvent[] = [];
  weight = 0; // in characters of JSON
  state: RunState;

  constructor(run: string) {
    this.#run = run;
    this.state = emptyRun(run);
  }

  /** Returns whether it was new. A merged event takes the place of those that it is made of; later they are not new. */
  add(event: GreenroomEvent): boolean {
    if (this.#known.has(event.offset)) return false;
    const offsets = offsetsOf(event);
    const isNext = event.offset > (this.events.at(-1)?.offset ?? 0) && !offsets.some((offset) => this.#known.has(offset));
    this.events.push(event);
    this.weight += JSON.stringify(event).length;
    if (isNext) this.state = fold(this.state, event);
    else this.keep(({ offset }) => offset === event.offset || !offsets.includes(offset));
    for (const offset of offsets) this.#known.add(offset);
    return true;
  }

  keep(isKept: (event: GreenroomEvent) => boolean): void {
    this.events = this.events.filter(isKept).sort((a, b) => a.offset - b.offset);
    this.state = this.events.reduce(fold, emptyRun(this.#run));
  }

  forget(beyond: number): void {
    this.keep(({ offset }) => offset <= beyond);
    for (const offset of this.#known) if (offset > beyond) this.#known.delete(offset);
  }
}

const logs = new WeakMap<Client, EventLog>();

/** The log of a client, with its events from the first call on. */
export function eventLog(client: Client): EventLog {
  const log = logs.get(client) ?? new EventLog(client);
  logs.set(client, log);
  return log;
}

export class EventLog {
  readonly client: Client;
  readonly #runs = new Map<string, RunLog>();
  readonly #threads = new Map<string, ThreadState>();
  readonly #whole = new Set<string>(); // threads without earlier events
  readonly #listeners = new Set<() => void>();
  #bytes = 0;

  constructor(client: Client) {
    this.client = client;
    client.on("events", (events) => this.add(events));
    client.on("reset", ({ beyond }) => this.#forget(beyond));
    client.on("erased", ({ thread }) => this.#erase(thread));
  }

  run(id: string): Run {
    return new Run(this, id);
  }

  thread(id: string): Thread {
    return new Thread(this, id);
  }

  /** Call `changed` whenever `look()` gives another value. Returns what ends it. */
  subscribe(look: () => unknown, changed: () => void): () => void {
    let last = look();
    const listener = () => {
      if (last !== (last = look())) changed();
    };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  runState(id: string): RunState | undefined {
    return this.#runs.get(id)?.state;
  }

  events(run: string): readonly GreenroomEvent[] {
    return this.#runs.get(run)?.events ?? [];
  }

  /** The same object until something in it changes. */
  threadState(id: string): ThreadState {
    const known = this.#threads.get(id);
    if (known) return known;
    const thread = { thread: id, runs: this.#logsOf(id).map(({ state }) => state), more: !this.#whole.has(id) };
    this.#threads.set(id, thread);
    return thread;
  }

  /** The first offset that is known of a thread. */
  earliest(thread: string): number | undefined {
    return this.#logsOf(thread)[0]?.events[0]?.offset;
  }

  add(events: readonly GreenroomEvent[]): void {
    for (const event of events) {
      if (event.kind === "superseded") continue;
      const log = this.#runs.get(event.run) ?? new RunLog(event.run);
      this.#runs.set(event.run, log);
      this.#bytes -= log.weight;
      if (log.add(event)) this.#threads.delete(event.thread);
      this.#bytes += log.weight;
    }
    this.#evict();
    this.#changed();
  }

  /** A page of history had all that there is before it. */
  isWhole(thread: string): void {
    this.#whole.add(thread);
    this.#threads.delete(thread);
    this.#changed();
  }

  /** Events beyond this offset no longer count. */
  #forget(beyond: number): void {
    for (const [run, log] of this.#runs) {
      log.forget(beyond);
      if (!log.events.length) this.#delete(run, log);
    }
    this.#threads.clear();
    this.#whole.clear();
    this.#changed();
  }

  #erase(thread: string): void {
    for (const [run, log] of this.#runs) if (log.state.thread === thread) this.#delete(run, log);
    this.isWhole(thread);
  }

  /** In the order of their beginning. */
  #logsOf(thread: string): RunLog[] {
    return [...this.#runs.values()].filter(({ state }) => state.thread === thread).sort((a, b) => first(a) - first(b));
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #evict(): void {
    for (const [run, log] of this.#runs) {
      if (this.#bytes <= MOST_BYTES || this.#runs.size === 1) return;
      this.#delete(run, log);
      this.#whole.delete(log.state.thread ?? "");
    }
  }

  #delete(run: string, log: RunLog): void {
    this.#bytes -= log.weight;
    this.#runs.delete(run);
    this.#threads.delete(log.state.thread ?? "");
  }
}

const first = ({ events }: RunLog): number => events[0]?.offset ?? 0; // a log has events
