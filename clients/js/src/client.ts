// The client: a shell around the machine that owns sockets, timers, the store and the program's listeners.

import { type Clock, systemClock } from "./clock.js";
import { Emitter, type Listener } from "./emitter.js";
import { endpoint } from "./endpoint.js";
import { GreenroomError } from "./errors.js";
import { EventStream } from "./event_stream.js";
import { type Link, type LinkOptions, openSocket } from "./link.js";
import { watchPage } from "./page_life.js";
import { BAD_TOKEN, POSITION_LOST, PROTOCOL_ERROR } from "./protocol/codes.js";
import type { Command, Reason, Timer, Told, TokenReason, Transport } from "./protocol/commands.js";
import { type GreenroomEvent, type JSON as Json, type Kind, offsetsOf } from "./protocol/events.js";
import type { ClientFrame, Request, ServerFrame } from "./protocol/frames.js";
import { Machine } from "./protocol/machine.js";
import { refusal } from "./protocol/requests.js";
import type { State } from "./protocol/states.js";
import { type Locks, SessionLock } from "./session_lock.js";
import { Memory, type Store } from "./store.js";

export interface TokenContext {
  readonly reason: TokenReason;
}

export interface ConnectOptions {
  /** Of the server, or of its `/live`: `wss://…`, `https://…`, in a browser also relative to the page. */
  url: string | URL;
  /** Asked before each connection, and in time before a token expires. If it fails it is asked again, with back-off, and a live
   *  connection lives on. `null`: the user is signed out, and the client closes. `""`: the page's cookies say who the user is. */
  getToken: (context: TokenContext) => Promise<string | null>;
  /** Where session, position and unanswered messages are kept over reloads: `sessionStorage` unless given; null for nowhere. */
  store?: Store | null;
  WebSocket?: typeof WebSocket;
  fetch?: typeof fetch;
  clock?: Clock;
  random?: () => number;
  newId?: () => string;
  locks?: Locks;
}

export interface Said {
  readonly run: string;
  readonly thread: string;
}

/** What was said, as it waits for its answer. */
export interface Unanswered {
  readonly id: string;
  readonly body: Json;
  readonly thread?: string | undefined;
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

/** A frame as it goes over the wire (docs/protocol.md). One of type `refresh` has a token in it. */
export interface WireFrame {
  readonly isSent: boolean;
  readonly frame: { readonly type: string };
}

/** What `on` can listen to: what the client tells, each kind of event by its name, and for the curious each `frame`. */
export type Listenable = Told & { [K in Kind]: GreenroomEvent<K> } & { frame: WireFrame };

interface Waiting {
  resolve(result: never): void;
  reject(error: GreenroomError): void;
}

export class Client {
  /** Whose token it is, once the server has said so. */
  get user(): string | undefined { return this.#machine.arrivals.position?.user; }
  get state(): State { return this.#machine.state; }
  /** Why there is no connection; null while there is one. */
  get reason(): Reason | null { return this.#machine.reason; }
  /** The questions that wait for the user, in any thread. */
  get asks(): readonly GreenroomEvent<"input_requested">[] { return this.#machine.arrivals.asks; }

  /** What was said and not answered yet, also before a reload. */
  get unanswered(): readonly Unanswered[] { return this.#machine.said; }
  /** What the server does of what this client can use; none while there is no connection. */
  get features(): readonly string[] { return this.#machine.ready?.features ?? []; }

  readonly #options: ConnectOptions;
  readonly #url: URL;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #memory: Memory;
  readonly #lock: SessionLock;
  readonly #machine: Machine;
  readonly #emitter = new Emitter<Listenable>();
  readonly #timers = new Map<Timer, unknown>();
  readonly #waiting = new Map<string, Waiting>();
  #commands: Command[] = [];
  #isBusy = false;
  #link: Link | undefined;
  #attempt: object | undefined;
  #leavePage: (() => void) | undefined;

  /** Does nothing until `connect` is called. */
  constructor(options: ConnectOptions) {
    this.#options = options;
    this.#url = endpoint(options.url);
    this.#clock = options.clock ?? systemClock;
    this.#newId = options.newId ?? (() => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(""));
    this.#memory = new Memory(options.store, `greenroom:${this.#url.href}:`);
    this.#lock = new SessionLock(options.locks ?? globalThis.navigator?.locks);
    const env = { now: this.#clock.now, date: this.#clock.date, random: options.random ?? Math.random, id: this.#newId };
    this.#machine = new Machine(env, { position: this.#memory.get("position"), unanswered: this.#memory.get("unanswered") });
  }

  /** Connect, or connect again after the client was closed. */
  connect(): this {
    this.#leavePage ??= watchPage({
      hidden: () => this.#input((machine) => machine.hidden()),
      woke: (isOnline) => this.#input((machine) => machine.woke(isOnline)),
      offline: () => this.#input((machine) => machine.offline()),
      left: (isKept) => this.#left(isKept),
    }, this.#clock);
    this.#input((machine) => machine.connect());
    return this;
  }

  /** Stay disconnected until `connect` is called. Closing cancels no run. */
  close(): void {
    this.#input((machine) => machine.close());
  }

  /** Listen: `on("state", …)`, `on("events", …)`, `on("partial_result", …)`. Returns what ends it. */
  on<K extends keyof Listenable>(name: K, listener: Listener<Listenable[K]>): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Every event from now on: in order, each once. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GreenroomEvent> {
    return new EventStream<GreenroomEvent>((stream) => {
      const ends = [
        this.on("events", (events) => stream.push(events)),
        this.on("state", ({ newState }) => newState === "closed" && stream.end()),
      ];
      return () => ends.forEach((end) => end());
    });
  }

  /** Speak; starts a run. The message is kept until it is answered, over reconnects and reloads, and starts one run. */
  say(body: Json, { thread, id = this.#newId() }: { thread?: string | undefined; id?: string | undefined } = {}): Promise<Said> {
    const said = this.#request<Said>({ type: "say", id, body, thread });
    said.catch(() => {}); // `refused` tells it, too
    return said;
  }

  /** Stop a run; its end arrives as an event. */
  async cancel(run: string): Promise<void> {
    await this.#request({ type: "cancel", id: this.#newId(), run });
  }

  /** The last `limit` events (1 to 200) of a thread, or of all of them, before the offset `before`. */
  history({ thread, before, limit = 100 }: { thread?: string | undefined; before?: number | undefined; limit?: number } = {}): Promise<HistoryPage> {
    return this.#request({ type: "history", id: this.#newId(), thread, before, limit });
  }

  /** The user's threads, the one used last first. `before`: the last one of the page before, or its `updated`. */
  threads({ before, limit = 100, archived }: { before?: string | number; limit?: number; archived?: boolean } = {}): Promise<{
    readonly threads: readonly ThreadInfo[];
    readonly more: boolean;
  }> {
    return this.#request({ type: "threads", id: this.#newId(), before, limit, archived });
  }

  changeThread(thread: string, change: { title: string } | { archived: boolean }): Promise<ThreadInfo> {
    return this.#request({ type: "thread", id: this.#newId(), thread, ...change });
  }

  async erase(thread: string): Promise<void> {
    await this.#request({ type: "erase", id: this.#newId(), thread });
  }

  /** Answer a question. The first answer counts: the error 4508 says that there is another one. */
  answer(question: string | GreenroomEvent<"input_requested">, value: Json): Promise<{ readonly offset: number }> {
    const ask = typeof question === "string" ? question : question.data.ask;
    return this.#request({ type: "answer", id: this.#newId(), ask, value });
  }

  /** These events are before the user's eyes. */
  displayed(...events: GreenroomEvent[]): void {
    this.#input((machine) => machine.displayed(events.flatMap(offsetsOf)));
  }

  /** The user got value from an event, or says not. */
  confirm(event: GreenroomEvent, verdict?: Json, note?: string): void {
    this.#input((machine) => machine.confirm({ type: "confirm", offset: event.offset, verdict, note }));
  }

  typing(thread: string): void {
    this.#input((machine) => machine.typing(thread));
  }

  // ── the shell ──

  #request<T>(frame: Request): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.has(frame.id)) return reject(new GreenroomError(refusal(PROTOCOL_ERROR, `${frame.id} still waits for its answer`)));
      this.#waiting.set(frame.id, { resolve, reject });
      this.#input((machine) => machine.request(frame));
    });
  }

  /** Commands are carried out in the order in which they came, also those of listeners. */
  #input(input: (machine: Machine) => void): void {
    this.#commands.push(...this.#machine.after(input));
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let command; (command = this.#commands.shift()); ) this.#perform(command);
    this.#isBusy = false;
  }

  #perform(command: Command): void {
    switch (command.do) {
      case "open": return void this.#open(command.via, command.reason);
      case "drop": return this.#drop();
      case "send": return this.#send(command.frame);
      case "wait": return this.#wait(command.timer, command.ms);
      case "save": return this.#memory.set(command.name, command.value);
      case "renew": return void this.#renew(command.connection);
      case "settle": return this.#settle(command);
      case "tell": return this.#tell(command);
    }
  }

  async #open(via: Transport, reason: TokenReason): Promise<void> {
    const attempt = (this.#attempt = {});
    const isCurrent = () => attempt === this.#attempt;
    const ifCurrent = (input: (machine: Machine) => void) => void (isCurrent() && this.#input(input));
    try {
      await this.#takeSession();
      const token = await this.#options.getToken({ reason });
      const open = await this.#opener(via);
      if (!isCurrent()) return;
      if (token === null) return this.#input((machine) => machine.close({ code: BAD_TOKEN, message: "the user is signed out", offline: false }));
      this.#link = open({
        url: this.#url,
        token,
        hello: this.#machine.arrivals.hello,
        on: {
          open: () => ifCurrent((machine) => machine.opened()),
          alive: () => ifCurrent((machine) => machine.alive()),
          text: (text) => void (isCurrent() && this.#receive(text)),
          end: (code, why, reconnect) => ifCurrent((machine) => machine.lost(code, why, reconnect)),
        },
      });
    } catch (error) {
      ifCurrent((machine) => machine.noToken(error instanceof Error ? error.message : String(error), reason));
    }
  }

  /** A duplicated tab has the session of the first one, which keeps it: this one begins another. */
  async #takeSession(): Promise<void> {
    const session = this.#machine.arrivals.position?.session;
    if (session && !(await this.#lock.take(session))) this.#input((machine) => machine.forgetSession());
  }

  /** Where WebSockets do not pass, the other transport is loaded. */
  async #opener(via: Transport): Promise<(options: LinkOptions) => Link> {
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
    if (via === "websocket" && Socket) return (options) => openSocket(Socket, options);
    const { openEventStream } = await import("./sse.js");
    return (options) => openEventStream(this.#options.fetch ?? globalThis.fetch, options);
  }

  #send(frame: ClientFrame): void {
    this.#link?.send(frame);
    this.#emitter.emit("frame", { isSent: true, frame });
  }

  #receive(text: string): void {
    const frame = parsed(text);
    if (!frame) return this.#input((machine) => machine.lost(POSITION_LOST, "the server sent an unusable frame"));
    this.#emitter.emit("frame", { isSent: false, frame });
    this.#input((machine) => machine.received(frame));
  }

  #drop(): void {
    this.#attempt = undefined;
    this.#link?.close();
    this.#link = undefined;
  }

  #left(isKept: boolean): void {
    this.#input((machine) => (isKept ? machine.suspend() : machine.hidden()));
    this.#lock.release();
  }

  async #renew(connection: string): Promise<void> {
    const token = await this.#options.getToken({ reason: "refresh" }).catch(() => null);
    this.#input((machine) => machine.renewed(connection, token ?? undefined));
  }

  #wait(timer: Timer, ms: number | undefined): void {
    this.#clock.clearTimeout(this.#timers.get(timer));
    if (ms !== undefined) this.#timers.set(timer, this.#clock.setTimeout(() => this.#input((machine) => machine.timeout(timer)), ms));
  }

  #settle({ id, result, error }: Command & { do: "settle" }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new GreenroomError(error));
    else waiting?.resolve(result as never);
  }

  #tell({ name, value }: Command & { do: "tell" }): void {
    if (name === "state") this.#stateChanged(value.newState);
    this.#emitter.emit(name, value as never);
    if (name === "events") for (const event of value) this.#emitter.emit(event.kind, event as never);
  }

  #stateChanged(state: State): void {
    if (state === "ready") void this.#takeSession();
    if (state !== "closed") return;
    this.#leavePage?.();
    this.#leavePage = undefined;
    this.#lock.release();
  }
}

function parsed(text: string): ServerFrame | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A client of the server at `url`, which keeps one session over any number of connections. */
export const connect = (options: ConnectOptions): Client => new Client(options).connect();
