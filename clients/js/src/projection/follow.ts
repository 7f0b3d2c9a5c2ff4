// A run and its sub-runs, for adapters: what is known of them, then what comes, in order and each once.

import type { Client } from "../client.js";
import { GreenroomError } from "../errors.js";
import { EventStream } from "../event_stream.js";
import { POSITION_LOST, PROTOCOL_ERROR } from "../protocol/codes.js";
import { type GreenroomEvent, offsetsOf } from "../protocol/events.js";
import { type EventLog, eventLog } from "../views/event_log.js";

/** `restart`: what came before no longer counts (the server's journal was restored); what counts follows from the beginning. */
export type Followed = GreenroomEvent | { readonly kind: "restart" };

/** From after the offset `after` to the end of the run, as many events as came at once. What is not known is fetched from the history. */
export async function followRun(client: Client, run: string, after = 0): Promise<AsyncIterableIterator<readonly Followed[]>> {
  await eventLog(client).run(run).load();
  return new EventStream<readonly Followed[]>((stream) => new Follower(client, run, stream, after).begin());
}

class Follower {
  readonly #client: Client;
  readonly #log: EventLog;
  readonly #run: string;
  readonly #runs: Set<string>; // the run and its sub-runs
  readonly #stream: EventStream<readonly Followed[]>;
  readonly #shown = new Map<number, number>(); // the length of the text that came with each offset
  readonly #after: number;

  constructor(client: Client, run: string, stream: EventStream<readonly Followed[]>, after: number) {
    [this.#client, this.#log, this.#run, this.#stream, this.#after] = [client, eventLog(client), run, stream, after];
    this.#runs = new Set([run]);
  }

  begin(): () => void {
    const ends = [
      this.#client.on("events", (events) => this.#take(events)),
      this.#client.on("reset", ({ beyond }) => this.#restart(beyond)),
      this.#client.on("erased", ({ thread }) => thread === this.#thread && this.#fail(PROTOCOL_ERROR, "the thread was erased")),
      this.#client.on("state", ({ newState }) => newState === "closed" && this.#closed()),
    ];
    this.#takeKnown();
    if (this.#client.state === "closed" && this.#client.reason) this.#closed();
    return () => ends.forEach((end) => end());
  }

  get #thread(): string | undefined {
    return this.#log.run(this.#run).state.thread;
  }

  #takeKnown(): void {
    const runs = this.#thread ? this.#log.thread(this.#thread).state.runs : [];
    this.#take(runs.flatMap(({ run }) => this.#log.events(run)).sort((a, b) => a.offset - b.offset));
  }

  #take(events: readonly GreenroomEvent[]): void {
    const ours = events.filter((event) => this.#isOurs(event));
    const fresh = ours.flatMap((event) => this.#fresh(event));
    if (fresh.length) this.#stream.push([fresh]);
    if (ours.some((event) => this.#isEnd(event))) this.#stream.end();
  }

  #isEnd({ run, kind }: GreenroomEvent): boolean {
    return run === this.#run && (kind === "agent_completed" || kind === "agent_failed");
  }

  #isOurs({ run, parent, kind, offset }: GreenroomEvent): boolean {
    if (parent && this.#runs.has(parent)) this.#runs.add(run);
    return this.#runs.has(run) && kind !== "superseded" && offset > this.#after;
  }

  /** Of an event that others merged into, what is new: those that were shown are the first of them. */
  #fresh(event: GreenroomEvent): readonly GreenroomEvent[] {
    if (this.#shown.has(event.offset)) return [];
    const length = offsetsOf(event).reduce((sum, offset) => sum + (this.#shown.get(offset) ?? 0), 0);
    this.#shown.set(event.offset, "text" in event.data ? event.data.text.length : 0);
    return [length ? withoutBeginning(event, length) : event];
  }

  #restart(beyond: number): void {
    if (![...this.#shown.keys()].some((offset) => offset > beyond)) return;
    if (!this.#log.events(this.#run).length) return this.#fail(POSITION_LOST, "the server's journal was restored, and the run is not in it");
    this.#shown.clear();
    this.#stream.push([[{ kind: "restart" }]]);
    this.#takeKnown();
  }

  #closed(): void {
    const reason = this.#client.reason;
    this.#fail(reason?.code ?? PROTOCOL_ERROR, reason?.message ?? "the client was closed");
  }

  #fail(code: number, message: string): void {
    this.#stream.end(new GreenroomError({ code, message, temporary: false }));
  }
}

function withoutBeginning(event: GreenroomEvent, length: number): GreenroomEvent {
  if (event.kind === "partial_result") return { ...event, data: { ...event.data, text: event.data.text.slice(length) } };
  if (event.kind === "agent_thinking") return { ...event, data: { ...event.data, text: event.data.text.slice(length) } };
  return event;
}
