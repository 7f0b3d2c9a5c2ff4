// A server in the test that answers requests, and whose runs say what the test has them say.

import { connect, type Client } from "../src/index.js";
import type { EventData, GreenroomEvent, Kind } from "../src/protocol/events.js";
import { FakeServer, FakeStore, type Frame, FakeSocket } from "./fake_server.js";
import { eventsFrame, READY, RUN, THREAD } from "./frames.js";

export const SUB_RUN = "run_01kbx3m9sebmv8t2v9w0c4d5e7";

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

export class FakeRuns {
  readonly server = new FakeServer();
  readonly store = new FakeStore();
  readonly journal: GreenroomEvent[] = [];
  /** The requests that came, of all connections. */
  readonly requests: Frame[] = [];
  /** Requests of these types get no reply. */
  readonly unanswered = new Set<string>();
  client: Client = this.page();

  /** A page that is loaded, or loaded again; the one before is gone. */
  page(): Client {
    this.client?.close();
    return (this.client = connect({ url: "ws://greenroom.test", getToken: async () => "token", WebSocket: this.server.WebSocket, store: this.store, random: () => 0 }));
  }

  async open(ready: Partial<typeof READY> = {}): Promise<void> {
    await turn();
    const socket = this.server.last;
    socket.accept();
    const hello = socket.take("hello");
    const from = (hello?.offset as number | undefined) ?? this.journal.length;
    const asks = this.journal.filter((event) => event.kind === "input_requested") as GreenroomEvent<"input_requested">[];
    socket.send = (text) => this.#answer(socket, JSON.parse(text) as Frame);
    socket.say({ ...READY, recovered: hello?.offset !== undefined, offset: this.journal.length, from, asks, ...ready });
    const missed = this.journal.filter(({ offset }) => offset > from);
    if (missed.length) socket.say(eventsFrame(...missed));
    await turn();
  }

  /** The next event of the run, or of another one; it is sent at once. */
  async emit<K extends Kind>(kind: K, data: EventData[K], of: Partial<GreenroomEvent> = {}): Promise<GreenroomEvent> {
    const event = this.keep(kind, data, of);
    this.server.last.say(eventsFrame(event));
    await turn();
    return event;
  }

  /** An event that no connection carries for now. */
  keep<K extends Kind>(kind: K, data: EventData[K], of: Partial<GreenroomEvent> = {}): GreenroomEvent {
    const offset = this.journal.length + 1;
    const event = { offset, kind, data, id: `evt_${offset}`, class: "critical", thread: THREAD, run: RUN, request: "req_1", at: 0, ...of } as unknown as GreenroomEvent;
    this.journal.push(event);
    return event;
  }

  async begin(said: string = "How much?"): Promise<void> {
    await this.emit("user_said", { body: said, say: "say-1" });
    await this.emit("agent_started", { agent: "analyst" });
  }

  sent(type: string): Frame[] {
    return this.requests.filter((frame) => frame.type === type);
  }

  #answer(socket: FakeSocket, frame: Frame): void {
    if (frame.id === undefined) return;
    this.requests.push(frame);
    if (!this.unanswered.has(frame.type)) queueMicrotask(() => socket.say({ type: "reply", id: frame.id, ok: true, ...this.#result(frame) }));
  }

  #result({ type, before, limit }: Frame): object {
    if (type === "say") return { run: RUN, thread: THREAD };
    if (type !== "history") return { offset: 0 };
    const earlier = this.journal.filter(({ offset }) => offset < ((before as number | undefined) ?? Infinity));
    return { events: earlier.slice(-(limit as number)), more: earlier.length > (limit as number) };
  }
}
