// The shell around the machine: it owns the socket, timers, the store and the program's listeners, and decides nothing.

import { type Clock, systemClock } from "./clock.js";
import { Emitter } from "./emitter.js";
import { endpoint } from "./endpoint.js";
import { GreenroomError } from "./errors.js";
import { type Link, type LinkInput, type LinkOptions, openSocket } from "./link.js";
import type { ConnectOptions } from "./options.js";
import { watchPage } from "./page_life.js";
import { BAD_TOKEN, POSITION_LOST, PROTOCOL_ERROR } from "./protocol/codes.js";
import type { Command, Saved, Shell, Timer, Told, TokenReason, Transport } from "./protocol/commands.js";
import type { GreenroomEvent, Kind } from "./protocol/events.js";
import { type ClientFrame, encode, type Failure, type Request, type ServerFrame, type Unnamed } from "./protocol/frames.js";
import { type Input, Machine } from "./protocol/machine.js";
import { refusal } from "./protocol/requests.js";
import { SessionLock } from "./session_lock.js";
import { Memory } from "./store.js";

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

export class ClientShell implements Shell {
  readonly machine: Machine;
  readonly emitter = new Emitter<Listenable>();
  readonly #options: ConnectOptions;
  readonly #url: URL;
  readonly #clock: Clock;
  readonly newId: () => string;
  readonly #memory: Memory;
  readonly #lock: SessionLock;
  readonly #timers = new Map<Timer, unknown>();
  readonly #waiting = new Map<string, Waiting>();
  #commands: Command[] = [];
  #isBusy = false;
  #link: Link | undefined;
  #attempt: object | undefined;
  #leavePage: (() => void) | undefined;

  constructor(options: ConnectOptions) {
    const { url, store, clock = systemClock, random = Math.random, newId = randomId, locks = globalThis.navigator?.locks } = options;
    this.#options = options;
    this.#url = endpoint(url);
    [this.#clock, this.newId] = [clock, newId];
    this.#memory = new Memory(store, `greenroom:${this.#url.href}:`);
    this.#lock = new SessionLock(locks);
    const { now, date } = clock;
    this.machine = new Machine({ now, date, random, id: newId }, { position: this.#memory.get("position"), unanswered: this.#memory.get("unanswered") });
  }

  connect(): void {
    this.#leavePage ??= watchPage((...input) => this.input(...input), () => this.#lock.release(), this.#clock);
    this.input("connect");
  }

  request<T>(request: Unnamed<Request>, id = this.newId()): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.has(id)) return reject(new GreenroomError(refusal(PROTOCOL_ERROR, `${id} still waits for its answer`)));
      this.#waiting.set(id, { resolve, reject });
      this.input("request", { ...request, id });
    });
  }

  /** Commands are carried out in the order in which they came, also those of listeners. */
  input(...input: Input): void {
    this.#commands.push(...this.machine.after(input));
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let command; (command = this.#commands.shift()); ) this.#perform(command);
    this.#isBusy = false;
  }

  #heard(...input: LinkInput): void {
    if (input[0] !== "received") return this.input(...input);
    const frame = parsed(input[1]);
    if (!frame) return this.input("lost", POSITION_LOST, "the server sent an unusable frame");
    this.emitter.emit("frame", { isSent: false, frame });
    this.input("received", frame);
  }

  #perform([name, ...what]: Command): void {
    (this[name] as (...what: unknown[]) => void)(...what);
  }

  // ── what the machine has it do ──

  async open(via: Transport, reason: TokenReason): Promise<void> {
    const attempt = (this.#attempt = {});
    const ifCurrent = (...input: LinkInput) => attempt === this.#attempt && this.#heard(...input);
    try {
      await this.#takeSession();
      const token = await this.#options.getToken({ reason });
      const open = await this.#opener(via);
      if (attempt !== this.#attempt) return;
      if (token === null) return this.#signedOut();
      const { hello } = this.machine.arrivals;
      this.#link = open({ url: this.#url, token, hello, on: ifCurrent });
    } catch (error) {
      if (attempt === this.#attempt) this.input("noToken", error instanceof Error ? error.message : String(error), reason);
    }
  }

  drop(): void {
    this.#attempt = undefined;
    this.#link?.close();
    this.#link = undefined;
  }

  send(frame: ClientFrame): void {
    this.#link?.send(encode(frame), frame.type);
    this.emitter.emit("frame", { isSent: true, frame });
  }

  wait(timer: Timer, ms?: number): void {
    this.#clock.clearTimeout(this.#timers.get(timer));
    if (ms !== undefined) this.#timers.set(timer, this.#clock.setTimeout(() => this.input(timer), ms));
  }

  save(name: keyof Saved, value: unknown): void {
    this.#memory.set(name, value);
  }

  async renew(connection: string): Promise<void> {
    try {
      const token = await this.#options.getToken({ reason: "refresh" });
      if (token === null) this.#signedOut();
      else this.input("renewed", connection, token);
    } catch {
      this.input("renewed", connection, undefined); // asked again; the live connection lives on
    }
  }

  settle(id: string, error: Failure | undefined, result?: object): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new GreenroomError(error));
    else waiting?.resolve(result as never);
  }

  tell(...[name, value]: Parameters<Shell["tell"]>): void {
    if (name === "state") this.#stateChanged(value.newState === "ready", value.newState === "closed");
    this.emitter.emit(name, value as never);
    if (name === "events") for (const event of value) this.emitter.emit(event.kind, event as never);
  }

  #signedOut(): void {
    this.input("close", { code: BAD_TOKEN, message: "the user is signed out", offline: false });
  }

  #stateChanged(isReady: boolean, isClosed: boolean): void {
    if (isReady) void this.#takeSession();
    if (!isClosed) return;
    this.#leavePage?.();
    this.#leavePage = undefined;
    this.#lock.release();
  }

  /** A duplicated tab has the session of the first one, which keeps it: this one begins another. */
  async #takeSession(): Promise<void> {
    const session = this.machine.arrivals.position?.session;
    if (session && !(await this.#lock.take(session))) this.input("forgetSession");
  }

  /** Where WebSockets do not pass, the other transport is loaded. */
  async #opener(via: Transport): Promise<(options: LinkOptions) => Link> {
    const { WebSocket: Socket = globalThis.WebSocket, fetch: fetcher = globalThis.fetch } = this.#options;
    if (via === "websocket" && Socket) return (options) => openSocket(Socket, options);
    const { openEventStream } = await import("./sse.js");
    return (options) => openEventStream(fetcher, options);
  }
}

function parsed(text: string): ServerFrame | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
