// The shell around the machine: it owns the socket, timers, the store and the program's listeners, and decides nothing.

import { type Clock, systemClock } from "./clock.js";
import { Emitter } from "./emitter.js";
import { endpoint } from "./endpoint.js";
import { GreenroomError } from "./errors.js";
import { type Link, type LinkInput, openSocket } from "./link.js";
import type { ConnectOptions } from "./options.js";
import { BAD_TOKEN, POSITION_LOST, PROTOCOL_ERROR } from "./protocol/codes.js";
import type { Command, Saved, Shell, Timer, Told, TokenReason, Transport } from "./protocol/commands.js";
import type { GreenroomEvent, Kind } from "./protocol/events.js";
import { type ClientFrame, encode, type Failure, type Request, type ServerFrame, type Unnamed } from "./protocol/frames.js";
import type { Input } from "./protocol/inputs.js";
import { Machine } from "./protocol/machine.js";
import { refusal } from "./protocol/requests.js";
import { Memory } from "./store.js";
import type { Upkeep } from "./upkeep.js";

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

const LONGEST_TIMER = 2 ** 31 - 1;

export class ClientShell implements Shell {
  readonly machine: Machine;
  readonly emitter = new Emitter<Listenable>();
  readonly options: ConnectOptions;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly #url: URL;
  readonly #memory: Memory;
  readonly #timers = new Map<Timer, unknown>();
  readonly #waiting = new Map<string, Waiting>();
  #commands: Command[] = [];
  #isBusy = false;
  #failures = 0; // to load the upkeep
  #upkeep: Upkeep | undefined;
  #link: Link | undefined;
  #attempt: object | undefined;

  constructor(options: ConnectOptions) {
    const { url, store, clock = systemClock, random = Math.random, newId = randomId } = options;
    [this.options, this.clock, this.newId] = [options, clock, newId];
    this.#url = endpoint(url);
    this.#memory = new Memory(store, `greenroom:${this.#url.href}:`);
    const { now, date } = clock;
    const saved = { position: this.#memory.get("position"), unanswered: this.#memory.get("unanswered") };
    this.machine = new Machine({ now, date, random, id: newId }, saved, (...command) => void this.#commands.push(command));
  }

  request<T>(request: Unnamed<Request>, id = this.newId()): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.has(id)) return reject(new GreenroomError(refusal(PROTOCOL_ERROR, "waits already")));
      this.#waiting.set(id, { resolve, reject });
      this.feed("request", { ...request, id });
    });
  }

  /** Commands are carried out in the order in which they came, also those of listeners. */
  feed(...input: Input): void {
    this.machine.hear(...input);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let command; (command = this.#commands.shift()); ) this.#perform(command);
    this.#isBusy = false;
  }

  #heard(...input: LinkInput): void {
    if (input[0] !== "received") return this.feed(...input);
    let frame: ServerFrame;
    try {
      frame = JSON.parse(input[1]);
    } catch {
      return this.feed("lost", POSITION_LOST, "no JSON");
    }
    this.emitter.emit("frame", { isSent: false, frame });
    this.feed("received", frame);
  }

  #perform([name, ...what]: Command): void {
    ((name in this ? this : this.#upkeep) as unknown as Record<string, (...what: unknown[]) => void>)[name]?.(...what);
  }

  // ── what the machine has it do ──

  async open(via: Transport, reason: TokenReason): Promise<void> {
    const attempt = (this.#attempt = {});
    const { WebSocket: Socket = globalThis.WebSocket, fetch: fetcher = globalThis.fetch } = this.options;
    try {
      // The server tells tabs apart, too; and the upkeep may never come: an attempt after one that failed does not wait for it.
      if (reason === "connect" && this.machine.arrivals.position?.session) await this.#loaded().then((upkeep) => upkeep.takeSession(), () => {});
      const token = await this.options.getToken({ reason });
      const sse = via === "sse" || !Socket ? await import("./sse.js") : undefined; // where WebSockets do not pass
      if (attempt !== this.#attempt) return;
      if (token === null) return this.signedOut();
      const on = (...input: LinkInput) => attempt === this.#attempt && this.#heard(...input);
      const link = { url: this.#url, token, hello: this.machine.arrivals.hello, on };
      this.#link = sse ? sse.openEventStream(fetcher, link) : openSocket(Socket, link);
    } catch (error) {
      if (attempt === this.#attempt) this.feed("noToken", String((error as Error | undefined)?.message ?? error), reason);
    }
  }

  drop(): void {
    this.#attempt = undefined;
    this.#link?.close();
    this.#link = undefined;
    for (const timer of this.#timers.values()) this.clock.clearTimeout(timer);
  }

  async load(): Promise<void> {
    try {
      await this.#loaded();
    } catch {
      if (this.machine.state !== "closed") this.wait("load", this.machine.attempts.backOff(this.#failures++));
    }
  }

  send(frame: ClientFrame): void {
    this.#link?.send(encode(frame), frame.type);
    this.emitter.emit("frame", { isSent: true, frame });
  }

  wait(timer: Timer, ms?: number): void {
    this.clock.clearTimeout(this.#timers.get(timer));
    if (ms !== undefined) this.#timers.set(timer, this.clock.setTimeout(() => this.feed(timer), Math.min(ms, LONGEST_TIMER)));
  }

  save(name: keyof Saved, value: unknown): void {
    this.#memory.set(name, value);
  }

  settle(id: string, error: Failure | undefined, result?: object): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new GreenroomError(error));
    else waiting?.resolve(result as never);
  }

  tell(...[name, value]: Parameters<Shell["tell"]>): void {
    this.emitter.emit(name, value as never);
    if (name === "events") for (const event of value) this.emitter.emit(event.kind, event as never);
  }

  signedOut(): void {
    this.feed("close", { code: BAD_TOKEN, message: "signed out", offline: false });
  }

  async #loaded(): Promise<Upkeep> {
    const { Upkeep } = await import("./upkeep.js");
    return (this.#upkeep ??= new Upkeep(this));
  }
}

const randomId = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-");
