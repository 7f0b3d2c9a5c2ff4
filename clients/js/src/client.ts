// What a program says and hears. `shell.ts` carries it out.

import type { Listener } from "./emitter.js";
import { later, MOST_EARLY } from "./later.js";
import type { ConnectOptions } from "./options.js";
import type { Reason } from "./protocol/commands.js";
import { type GreenroomEvent, type JSON as Json, type Kind } from "./protocol/events.js";
import type { FilesTaken, SentFile } from "./protocol/frames.js";
import type { State } from "./protocol/states.js";
import { ClientShell, type Listenable } from "./shell.js";
import type { UploadOptions } from "./upload.js";

export interface Said {
  readonly run: string;
  readonly thread: string;
}

/** What was said, as it waits for its answer. */
export interface Unanswered {
  readonly id: string;
  readonly body: Json;
  readonly thread?: string | undefined;
  readonly files?: readonly SentFile[] | undefined;
}

/** Times are ms since the Unix epoch; `title` is null where the first thing said was no text. */
export interface ThreadInfo {
  readonly thread: string;
  readonly title: string | null;
  readonly created: number;
  readonly updated: number;
  readonly runs: number;
  readonly last: { readonly kind: Kind; readonly text?: string };
  readonly archived: boolean;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly events: readonly GreenroomEvent[];
  readonly more: boolean;
}

export interface SayOptions {
  readonly thread?: string | undefined;
  /** The same message again has the same. */
  readonly id?: string | undefined;
  /** What `upload` resolved to. */
  readonly files?: readonly SentFile[] | undefined;
}

export class Client {
  readonly #shell: ClientShell;

  /** Does nothing until `connect` is called. */
  constructor(options: ConnectOptions) {
    this.#shell = new ClientShell(options);
  }

  /** Whose token it is, once the server has said so. */
  get user(): string | undefined { return this.#shell.machine.arrivals.position?.user; }
  get state(): State { return this.#shell.machine.state; }
  /** Why there is no connection; null while there is one. */
  get reason(): Reason | null { return this.#shell.machine.reason; }
  /** The questions that wait for the user, in any thread. */
  get asks(): readonly GreenroomEvent<"input_requested">[] { return this.#shell.machine.asks; }

  /** What was said and not answered yet, also before a reload. */
  get unanswered(): readonly Unanswered[] { return this.#shell.machine.requests.said; }
  /** What the server does of what this client can use; none while there is no connection. */
  get features(): readonly string[] { return this.#shell.machine.ready?.features ?? []; }

  /** Connect, or connect again after the client was closed. */
  connect(): this {
    this.#shell.feed("connect");
    return this;
  }

  /** Stay disconnected until `connect` is called. Closing cancels no run. */
  close(): void {
    this.#shell.feed("close");
  }

  /** Listen: `on("state", …)`, `on("events", …)`, `on("partial_result", …)`. Returns what ends it. */
  on<K extends keyof Listenable>(name: K, listener: Listener<Listenable[K]>): () => void {
    return this.#shell.emitter.on(name, listener);
  }

  /** Every event from now on: in order, each once. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GreenroomEvent> {
    const early: (readonly GreenroomEvent[])[] = [];
    const end = this.on("events", (events) => early.length < MOST_EARLY && early.push(events));
    return later(import("./upkeep.js").then(({ allEvents }) => allEvents(this, early)).finally(end));
  }

  /** Speak; starts a run. The message is kept until it is answered, over reconnects and reloads, and starts one run. */
  say(body: Json, { id, ...more }: SayOptions = {}): Promise<Said> {
    const said = this.#shell.request<Said>({ ...more, type: "say", body }, id);
    said.catch(() => {}); // `refused` tells it, too
    return said;
  }

  /** The files that the agent takes; undefined if it takes none, or while there is no connection. */
  get files(): FilesTaken | undefined { return this.#shell.machine.ready?.files; }

  /** Send a file, for a `say` within the hour. It goes on where it stopped after a reconnect; after a reload with the same `file`. Aborted, it is discarded. */
  async upload(blob: Blob, options: UploadOptions = {}): Promise<SentFile> {
    return (await import("./upload.js")).upload(this.#shell, blob, options);
  }

  /** Have the server forget a file at once: its `file`. One that a message has stays. */
  async discard(file: string): Promise<void> {
    await this.#shell.request({ type: "discard", file });
  }

  /** Stop a run; its end arrives as an event. */
  async cancel(run: string): Promise<void> {
    await this.#shell.request({ type: "cancel", run });
  }

  /** The last `limit` events (1 to 200) of a thread, or of all of them, before the offset `before`. */
  history({ limit = 100, ...page }: { thread?: string | undefined; before?: number | undefined; limit?: number } = {}): Promise<HistoryPage> {
    return this.#shell.request({ ...page, type: "history", limit });
  }

  /** The user's threads, the one used last first. `before`: the last one of the page before, or its `updated`. */
  threads({ limit = 100, ...page }: { before?: string | number; limit?: number; archived?: boolean } = {}): Promise<{
    readonly threads: readonly ThreadInfo[];
    readonly more: boolean;
  }> {
    return this.#shell.request({ ...page, type: "threads", limit });
  }

  changeThread(thread: string, change: { title: string } | { archived: boolean }): Promise<ThreadInfo> {
    return this.#shell.request({ type: "thread", thread, ...change });
  }

  async erase(thread: string): Promise<void> {
    await this.#shell.request({ type: "erase", thread });
  }

  /** Answer a question. The first answer counts: the error 4508 says that there is another one. */
  answer(question: string | GreenroomEvent<"input_requested">, value: Json): Promise<{ readonly offset: number }> {
    return this.#shell.request({ type: "answer", ask: (question as GreenroomEvent<"input_requested">).data?.ask ?? question, value });
  }

  /** These events are before the user's eyes. */
  displayed(...events: GreenroomEvent[]): void {
    this.#shell.feed("displayed", events);
  }

  /** The user got value from an event, or says not. */
  confirm(event: GreenroomEvent, verdict?: Json, note?: string): void {
    this.#shell.feed("confirm", event, verdict, note);
  }

  /** The user types in a thread: the user's other tabs hear it. Not kept while there is no connection. */
  typing(thread: string): void {
    this.#shell.feed("typing", thread);
  }
}

/** A client of the server at `url`, which keeps one session over any number of connections. */
export const connect = (options: ConnectOptions): Client => new Client(options).connect();
