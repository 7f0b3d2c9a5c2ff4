// A run and its sub-runs, for adapters: what is known of them, then what comes, in order and each once.

import type { Client } from "../client.js";
import { GreenroomError } from "../errors.js";
import { EventStream } from "../event_stream.js";
import { POSITION_LOST, PROTOCOL_ERROR } from "../protocol/codes.js";
import { type GreenroomEvent, offsetsOf } from "../protocol/events.js";
import { familyEvents } from "./family.js";
import { type EventLog, eventLog } from "../views/event_log.js";

/** `restart`: what came before no longer counts (the server's journal was restored); what counts follows from the beginning. */
export type Followed = GreenroomEvent | { readonly kind: "restart" };

const NEWEST = 20; // events, where a run that has only just begun is found

/** To the end of the run, as many events at a time as came at once: first those that are known. What is not known is fetched from the history. */
export async function followRun(client: Client, run: string): Promise<AsyncIterableIterator<readonly Followed[]>> {
  const log = eventLog(client);
  if (!log.events(run).length) log.add((await client.history({ limit: NEWEST })).events);
  await log.run(run).load();
  return new EventStream<readonly Followed[]>((stream) => new Follower(client, run, stream).begin());
}

class Follower {
  readonly #client: Client;
  readonly #log: EventLog;
  readonly #run: string;
  readonly #runs: Set<string>; // the run and its sub-runs
  readonly #stream: EventStream<readonly Followed[]>;
  readonly #shown = new Map<number, number>(); // the length of the text that came with each offset

  constructor(client: Client, run: string, stream: EventStream<readonly Followed[]>) {
    [this.#client, this.#log, this.#run, this.#stream] = [client, eventLog(client), run, stream];
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
    this.#take(familyEvents(this.#log, this.#run));
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

  #isOurs({ run, parent, kind }: GreenroomEvent): boolean {
    if (parent && this.#runs.has(parent)) this.#runs.add(run);
    return this.#runs.has(run) && kind !== "superseded";
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
