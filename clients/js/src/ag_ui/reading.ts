// One subscription to a run: what is known of it as a snapshot of the messages, then its events, until it ends or asks.

import { type AGUIEvent, EventType, type RunAgentInput, type RunFinishedOutcome } from "@ag-ui/client";
import type { Client } from "../client.js";
import { followRun, type Followed } from "../projection/follow.js";
import type { GreenroomEvent } from "../protocol/events.js";
import { eventLog } from "../views/event_log.js";
import { AgUiEvents } from "./events.js";
import { threadMessages } from "./messages.js";

export interface Subject {
  readonly run: string;
  /** Whether the page has read of it before, so that its messages may be there. */
  readonly isKnown: boolean;
  /** Questions that were answered just now. */
  readonly answered?: readonly string[];
}

export class Reading {
  readonly #client: Client;
  readonly #input: RunAgentInput;
  readonly #emit: (events: readonly AGUIEvent[]) => void;
  readonly #end: () => void;
  #followed: AsyncIterableIterator<readonly Followed[]> | undefined;
  #face: AgUiEvents | undefined;
  #isOver = false;

  constructor(client: Client, input: RunAgentInput, emit: (events: readonly AGUIEvent[]) => void, end: () => void) {
    [this.#client, this.#input, this.#emit, this.#end] = [client, input, emit, end];
  }

  async read({ run, isKnown, answered = [] }: Subject): Promise<void> {
    const followed = (this.#followed = await followRun(this.#client, run));
    if (this.#isOver) return void followed.return?.();
    this.#face = this.#begin(run);
    let replays = isKnown;
    for await (const batch of followed) {
      const events = batch.flatMap((event) => (event.kind === "restart" ? [] : [event]));
      if (events.length < batch.length) this.#face = this.#restart(run);
      else if (!this.#isOver) this.#take(run, events, replays, answered);
      replays = events.length < batch.length;
    }
  }

  /** A thread in which nothing goes on. */
  show(thread: string): void {
    const messages = threadMessages(eventLog(this.#client), thread, this.#input.messages);
    const [started, finished] = this.#nothing({ type: "success" });
    if (!this.#isOver) this.#emit([started, { type: EventType.MESSAGES_SNAPSHOT, messages }, finished]);
  }

  #nothing(outcome: RunFinishedOutcome): [AGUIEvent, AGUIEvent] {
    const { threadId, runId } = this.#input;
    return [{ type: EventType.RUN_STARTED, threadId, runId, protocolVersion: "1.0" }, { type: EventType.RUN_FINISHED, threadId, runId, outcome }];
  }

  /** End it here; the run goes on. */
  leave(outcome?: "interrupt" | "cancelled"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (outcome) this.#emit(this.#face ? this.#face.left(outcome) : this.#nothing({ type: "cancelled" }));
    void this.#followed?.return?.();
    this.#end();
  }

  #begin(run: string): AgUiEvents {
    const face = new AgUiEvents(run, { threadId: this.#input.threadId, runId: this.#input.runId });
    this.#emit(face.begin());
    return face;
  }

  #restart(run: string): AgUiEvents {
    this.#emit(this.#face?.left("cancelled") ?? []);
    return this.#begin(run);
  }

  #take(run: string, events: readonly GreenroomEvent[], replays: boolean, answered: readonly string[]): void {
    const face = this.#face as AgUiEvents;
    const shown = events.flatMap((event) => face.of(event));
    this.#emit(replays ? [...this.#snapshot(run, events), ...face.reopened(), ...shown.filter(isNoMessage)] : shown);
    for (const ask of answered) face.asks.delete(ask);
    if (shown.some(isEnd)) this.#isOver = true;
    else if (face.asks.size) this.leave("interrupt");
  }

  #snapshot(run: string, events: readonly GreenroomEvent[]): AGUIEvent[] {
    const thread = this.#face?.thread;
    if (thread === undefined) return [];
    return [{ type: EventType.MESSAGES_SNAPSHOT, messages: threadMessages(eventLog(this.#client), thread, this.#input.messages, { run, events }) }];
  }
}

const isEnd = ({ type }: AGUIEvent): boolean => type === EventType.RUN_FINISHED || type === EventType.RUN_ERROR;

/** What a snapshot of the messages does not say. */
const isNoMessage = (event: AGUIEvent): boolean => event.type === EventType.CUSTOM || isEnd(event);
