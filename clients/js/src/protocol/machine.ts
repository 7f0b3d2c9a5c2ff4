// The client's side of greenroom.v1, without I/O: what came goes in, and commands come out. It keeps every duty of a client
// (docs/protocol.md, "Client duties") and outlives sockets. `states.ts` is its table; the shell is `client.ts`.

import * as codes from "./codes.js";
import type { Command, Reason, Saved, Timer, Told, TokenReason, Transport } from "./commands.js";
import type { GreenroomEvent } from "./events.js";
import { type ClientFrame, type Closing, type Failure, type Hello, type Ready, type Reply, type Request, type ServerFrame } from "./frames.js";
import { Pacer } from "./pacer.js";
import { advance, opened, type Position } from "./position.js";
import { Reports } from "./reports.js";
import { refusal, Requests } from "./requests.js";
import { type Cause, type State, TRANSITIONS } from "./states.js";

const ACK_MS = 50, ACK_EVENTS = 32;
const DISPLAYED_MS = 120;
const STABLE_MS = 5_000; // a connection that lived this long forgets earlier failures
const OPEN_MS = 15_000; // the server's own deadlines for opening are 10 s each
const AWAKE_MS = 2_500; // after a sleep the server has this long to show that the connection lives
const SLOWEST_LINK = 4 * 1024; // bytes a second that a large frame may take
const LONGEST_TIMER = 2 ** 31 - 1;
const BAD_TOKENS = 2; // in a row, before a refusal is final

export interface Env {
  /** Milliseconds on a clock that only goes forward. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  date(): number;
  /** From 0 to 1. */
  random(): number;
  id(): string;
}

export class Machine {
  state: State = "closed";
  reason: Reason | null = null;
  ready: Ready | undefined;
  position: Position | undefined;
  asks: readonly GreenroomEvent<"input_requested">[] = [];
  isHidden = false;

  readonly #env: Env;
  readonly #requests = new Requests();
  readonly #reports = new Reports();
  readonly #pacer = new Pacer();
  #out: Command[] = [];
  #queue: ClientFrame[] = [];
  #via: Transport = "websocket";
  #isOpen = false;
  #isOpening = false;
  #isWaiting = false;
  #isOffline = false;
  #attempts = 0; // since a connection was stable: for the back-off
  #failures = 0; // attempts in a row that opened nothing: for the choice of the transport
  #badTokens = 0;
  #renewals = 0;
  #closing: Closing | undefined;
  #probe: string | undefined;
  #large = 0;
  #unacked = 0;
  #acked = 0;
  #gapAt: number | undefined;

  constructor(env: Env, saved: Saved) {
    this.#env = env;
    this.position = isPosition(saved.position) ? saved.position : undefined;
    for (const frame of Array.isArray(saved.unanswered) ? saved.unanswered : [])
      if (isSay(frame)) this.#requests.add(frame, env.now());
  }

  /** What is to be done because of `input`. */
  after(input: (machine: this) => void): Command[] {
    input(this);
    const out = this.#out;
    this.#out = [];
    return out;
  }

  // ── what the program wants ──

  connect(): void {
    this.#attempts = this.#badTokens = this.#failures = 0;
    this.#move("connect");
    this.#open("connect");
  }

  close(reason: Reason | null = null): void {
    this.#flush();
    this.#drop();
    this.#wait("again");
    this.#move("ended", reason);
  }

  request(frame: Request): void {
    const failure = this.#requests.add(frame, this.#env.now());
    if (failure) return this.#refuse(frame, failure);
    if (frame.type === "say") this.#saveSaid();
    this.#dispatch();
  }

  displayed(offsets: Iterable<number>): void {
    this.#reports.displayed(offsets);
    this.#wait("displayed", DISPLAYED_MS);
  }

  confirm(frame: ClientFrame & { type: "confirm" }): void {
    this.#reports.confirm(frame);
    this.#sendReports();
  }

  typing(thread: string): void {
    if (this.ready) this.#send({ type: "typing", thread });
  }

  // ── the life of the page ──

  hidden(): void {
    this.isHidden = true;
    this.#flush();
  }

  /** The machine or the tab may have slept, or is on another network. */
  woke(isOnline = false): void {
    this.isHidden = false;
    if (isOnline) this.#isOffline = false;
    if (isOnline && !this.ready) this.#failures = 0;
    if (this.#isWaiting) this.#open("connect");
    else if (this.ready) this.#askForLife();
    else if (this.#isOpening) this.#watch(AWAKE_MS);
  }

  /** The browser may be wrong, above all about a server on this machine: that one answers. */
  offline(): void {
    this.#isOffline = true;
    this.#move("lost", this.#reason(codes.NO_CODE, "offline"));
    if (this.ready) this.#askForLife();
  }

  /** The browser keeps the page for later, without a connection. */
  suspend(): void {
    if (this.state === "closed") return;
    this.#flush();
    this.#drop();
    this.#isWaiting = true;
    this.#move("lost", this.#reason(codes.NO_CODE, "the page was left"));
  }

  // ── the connection ──

  /** Another tab speaks for this session: begin one of our own, at the same place. */
  forgetSession(): void {
    if (this.position) this.#place({ ...this.position, session: undefined });
  }

  get hello(): Hello {
    const { session, epoch, offset, event } = this.position ?? {};
    const features = ["position", "large", "asks", "threads"];
    return { type: "hello", session, epoch, offset, event, client: { name: "greenroom-js", version: "1" }, features };
  }

  opened(): void {
    this.#isOpen = true;
    this.#do({ do: "send", frame: this.hello });
  }

  /** No token could be had. */
  noToken(message: string, reason: TokenReason): void {
    this.#comeBack(codes.NO_CODE, `no token could be had: ${message}`, reason);
  }

  /** The connection ended, or must. */
  lost(code: number, reason: string, asked = this.#closing?.reconnect): void {
    if (this.#closing) [code, reason] = [this.#closing.code, this.#closing.reason];
    const wasReady = this.ready !== undefined;
    const wasOpen = this.#isOpen;
    const broke = this.#requests.broke(code, reason);
    for (const [id, failure] of broke) this.#settle(id, failure);
    this.#drop();
    if (!wasOpen) this.#failures += 1;
    if (!this.#mayComeBack(code, wasReady, broke.length > 0, asked)) return this.#move("ended", this.#reason(code, reason));
    // A browser hides a 401 behind 1006, so an upgrade that failed may mean a stale token.
    this.#comeBack(code, reason, !wasOpen || codes.wantsNewToken(code) ? "refused" : "connect", asked);
  }

  /** Anything came: the connection lives. */
  alive(): void {
    if (this.ready) this.#watch((this.#probe ? AWAKE_MS : 1.5 * this.ready.heartbeat) + this.#large);
  }

  received(frame: ServerFrame): void {
    this.#large = frame.type === "large" ? (1_000 * frame.bytes) / SLOWEST_LINK : 0;
    this.alive();
    switch (frame.type) {
      case "ready": return this.#becomeReady(frame);
      case "events": return this.#takeEvents(frame.epoch, frame.events);
      case "reply": return this.#takeReply(frame);
      case "ping": return this.#takePing(frame.offset);
      case "closing": this.#closing = frame; return;
      case "erased": this.#setAsks(this.asks.filter(({ thread }) => thread !== frame.thread)); return this.#tell("erased", frame);
      case "typing": return this.#tell("typing", frame);
      // Before `ready` only the hello can be refused, and the server waits for another one.
      case "error": return this.ready ? this.#tell("error", frame) : this.lost(frame.code, frame.message);
    }
  }

  /** A token to take the place of the one that expires; undefined if there is none yet. */
  renewed(connection: string, token: string | undefined): void {
    if (connection !== this.ready?.connection) return;
    if (token) this.request({ type: "refresh", id: this.#env.id(), token });
    else this.#renewLater();
  }

  timeout(timer: Timer): void {
    switch (timer) {
      case "retry": return this.#open(this.#retryReason);
      case "silence": return this.lost(codes.HEARTBEAT_MISSED, "the server fell silent");
      case "ack": return this.#ack();
      case "pace": return this.#pump();
      case "displayed": return this.#sendReports();
      case "stable": this.#attempts = 0; return;
      case "renew": if (this.ready) this.#do({ do: "renew", connection: this.ready.connection }); return;
      case "again": return this.#dispatch();
    }
  }

  // ── opening and coming back ──

  #retryReason: TokenReason = "connect";

  #open(reason: TokenReason): void {
    this.#drop();
    this.#isOpening = true;
    this.#via = this.#failures % 3 === 2 ? "sse" : "websocket";
    this.#watch(OPEN_MS);
    this.#do({ do: "open", via: this.#via, reason });
  }

  /** Whether to reconnect. What would be refused again is forgotten first. */
  #mayComeBack(code: number, wasReady: boolean, wasDropped: boolean, asked: Closing["reconnect"] | undefined): boolean {
    if (code === codes.DISCONNECTED) return Boolean(asked); // final, unless the service says when to come back
    if (code === codes.FRAME_TOO_BIG || code === codes.BAD_DATA) return wasDropped;
    if (code === codes.BAD_TOKEN) return this.#badTokens++ < BAD_TOKENS;
    if (code === codes.SUPERSEDED) this.forgetSession();
    const isHello = code === codes.PROTOCOL_ERROR && !wasReady && this.position !== undefined;
    if (isHello) this.#forget();
    return isHello || code === codes.SUPERSEDED || codes.isTemporary(code);
  }

  #comeBack(code: number, message: string, reason: TokenReason, asked: Closing["reconnect"] | undefined = null): void {
    const backOff = this.#backOff(this.#attempts);
    const wanted = asked ? asked.after_ms + this.#env.random() * asked.jitter_ms : 0;
    const ms = asked && !this.#attempts ? wanted : Math.max(wanted, backOff);
    this.#drop();
    this.#attempts += 1;
    this.#isWaiting = true;
    this.#retryReason = reason;
    this.#wait("retry", ms);
    this.#move("lost", { ...this.#reason(code, message), retryAt: this.#env.date() + ms });
  }

  #backOff(attempts: number): number {
    return this.#env.random() * Math.min(20_000, 500 * 2 ** attempts);
  }

  #drop(): void {
    for (const timer of ["retry", "silence", "ack", "pace", "stable", "renew"] as const) this.#wait(timer);
    this.ready = this.#closing = this.#probe = undefined;
    this.#isOpen = this.#isOpening = this.#isWaiting = false;
    this.#large = this.#renewals = 0;
    this.#reports.lost(this.#queue);
    this.#queue = [];
    for (const id of this.#requests.ids) if (this.#requests.isRefresh(id)) this.#requests.take(id);
    this.#requests.lost(this.#env.now());
    this.#do({ do: "drop" });
  }

  #becomeReady(ready: Ready): void {
    const { position, beyond, isOther } = opened(this.position, ready);
    const isOtherUser = isOther && this.position?.user !== ready.user;
    this.#isOpening = false;
    this.#isOpen = true;
    this.ready = ready;
    this.#badTokens = 0;
    this.#failures = this.#via === "sse" ? 2 : 0;
    this.alive();
    this.#wait("stable", STABLE_MS);
    this.#pacer.restart(this.#env.now(), ready.frames_per_second, ready.frames_burst);
    this.#place(position);
    this.#acked = position.offset;
    this.#unacked = 0;
    this.#plan(ready.expires);
    if (beyond !== undefined) this.#reset(beyond, isOther);
    if (isOtherUser) this.#disown();
    this.#setAsks(ready.asks ?? []);
    this.#move("ready");
    this.#requests.largest = ready.max_frame_bytes;
    for (const [id, failure] of this.#requests.tooBig()) this.#settle(id, failure);
    this.#dispatch();
    this.#sendReports();
  }

  #reset(beyond: number, isOther: boolean): void {
    this.#gapAt = undefined;
    this.#reports.forget(beyond);
    this.#tell("reset", { beyond, isOther });
  }

  /** The server refused our position: begin without one. */
  #forget(): void {
    this.#place(undefined);
    this.#reset(0, true);
  }

  /** What one user left unsent must not be sent as another user. */
  #disown(): void {
    for (const id of this.#requests.ids) this.#settle(id, refusal(codes.IDENTITY_CHANGED, "another user is signed in"));
    this.#reports.forget(-1);
  }

  // ── events ──

  #takeEvents(epoch: string, events: readonly GreenroomEvent[]): void {
    const before = this.position;
    if (epoch !== before?.epoch) return this.lost(codes.POSITION_LOST, "another journal answers");
    const { fresh, isGap, position } = advance(before, events, this.#gapAt);
    if (fresh.length) this.#deliver(fresh, position);
    if (isGap) this.#leaveAt(position.offset, "an event was missing");
  }

  #deliver(fresh: readonly GreenroomEvent[], position: Position): void {
    this.#place(position);
    this.#tell("events", fresh);
    this.#noteAsks(fresh);
    this.#unacked += fresh.length;
    if (this.#unacked >= ACK_EVENTS || this.isHidden) this.#ack();
    else if (this.#unacked === fresh.length) this.#wait("ack", ACK_MS);
  }

  /** Frames keep their order: an event written before the ping that has not arrived is lost. */
  #takePing(written: number | undefined): void {
    const offset = this.position?.offset ?? 0;
    if (written !== undefined && written > offset && offset !== this.#gapAt) return this.#leaveAt(offset, "an event did not arrive");
    this.#send({ type: "pong" });
  }

  #leaveAt(offset: number, message: string): void {
    this.#gapAt = offset; // the same gap again after a resume is the server's last word on it
    this.lost(codes.POSITION_LOST, message);
  }

  #noteAsks(events: readonly GreenroomEvent[]): void {
    let asks = this.asks;
    for (const event of events) {
      if (!event.kind.startsWith("input_") || !("ask" in event.data)) continue;
      const { ask } = event.data;
      asks = asks.filter(({ data }) => data.ask !== ask);
      if (event.kind === "input_requested") asks = [...asks, event];
    }
    this.#setAsks(asks);
  }

  #setAsks(asks: readonly GreenroomEvent<"input_requested">[]): void {
    if (asks === this.asks || (!asks.length && !this.asks.length)) return;
    this.asks = asks;
    this.#tell("asks", asks);
  }

  #ack(): void {
    this.#wait("ack");
    this.#unacked = 0;
    const offset = this.position?.offset ?? 0;
    if (this.ready && offset > this.#acked) this.#send({ type: "ack", offset: (this.#acked = offset) });
  }

  /** Received comes before displayed. */
  #sendReports(): void {
    this.#wait("displayed");
    if (!this.ready) return;
    this.#ack();
    while (!this.#queue.length) {
      const frame = this.#reports.next(this.ready.max_frame_bytes);
      if (!frame) return;
      this.#send(frame);
    }
    this.#wait("displayed", DISPLAYED_MS); // the rest in a moment
  }

  #flush(): void {
    this.#ack();
    this.#sendReports();
  }

  // ── is the connection alive? ──

  /** Before the first event nothing needs an ack; this answer is short and cheap for the server. */
  #askForLife(): void {
    if (!this.#probe) {
      this.#probe = this.#env.id();
      this.#queue.unshift({ type: "history", id: this.#probe, before: 1, limit: 1 });
      this.#pump();
    }
    this.#watch(AWAKE_MS + this.#large);
  }

  /** Silence this long is a dead connection: half-open TCP says nothing for many minutes. */
  #watch(ms: number): void {
    this.#wait("silence", Math.min(ms, LONGEST_TIMER));
  }

  // ── requests ──

  #takeReply(reply: Reply): void {
    const { id } = reply;
    if (id === this.#probe) {
      this.#probe = undefined;
      this.alive();
      return this.#move("alive");
    }
    if (!reply.ok && this.#requests.retries(id, reply.error, this.#env.now())) return this.#dispatch();
    if (reply.ok) this.#settle(id, undefined, reply);
    else this.#settle(id, reply.error);
  }

  #settle(id: string, error: Failure | undefined, result?: Reply & { ok: true }): void {
    const frame = this.#requests.take(id);
    if (!frame) return;
    if (frame.type === "refresh") return error ? this.#renewLater() : this.#plan(result?.["expires"] as number | undefined);
    if (frame.type === "say") this.#saveSaid();
    if (error) return this.#refuse(frame, error);
    if (frame.type === "say") this.#tell("said", { id, run: String(result?.["run"]), thread: String(result?.["thread"]) });
    this.#do({ do: "settle", id, result, error });
  }

  #refuse(frame: Request, error: Failure): void {
    if (frame.type === "say") this.#tell("refused", { id: frame.id, body: frame.body, error });
    this.#do({ do: "settle", id: frame.id, result: undefined, error });
  }

  #saveSaid(): void {
    this.#do({ do: "save", name: "unanswered", value: this.#requests.said });
  }

  #dispatch(): void {
    if (!this.ready) return;
    for (const frame of this.#requests.due(this.#env.now())) this.#send(frame);
    this.#wait("again", this.#requests.wait(this.#env.now()));
  }

  // ── the token ──

  /** expires: when the server closes this connection unless its token is refreshed. */
  #plan(expires: number | null | undefined): void {
    this.#renewals = 0;
    const left = (expires ?? 0) - this.#env.date();
    if (left > 0) this.#wait("renew", Math.min(Math.max(left - 60_000, left / 2, 1_000), LONGEST_TIMER));
  }

  #renewLater(): void {
    this.#wait("renew", 1_000 + this.#backOff(this.#renewals++));
  }

  // ── what leaves ──

  /** Send in its turn. An ack covers those before it: one that waits is replaced. */
  #send(frame: ClientFrame): void {
    if (frame.type === "ack") this.#queue = this.#queue.filter(({ type }) => type !== "ack");
    this.#queue.push(frame);
    this.#pump();
  }

  #pump(): void {
    let ms = 0;
    while (this.#queue.length && !(ms = this.#pacer.take(this.#env.now()))) {
      const frame = this.#queue.shift() as ClientFrame;
      if ("id" in frame) this.#requests.wrote(frame.id);
      this.#do({ do: "send", frame });
    }
    if (this.#queue.length) this.#wait("pace", ms);
  }

  #reason(code: number, message: string): Reason {
    return { code, message, offline: this.#isOffline };
  }

  #move(cause: Cause, reason: Reason | null = null): void {
    const oldState = this.state;
    const newState = TRANSITIONS[oldState][cause];
    if (!newState) return;
    [this.state, this.reason] = [newState, reason];
    this.#tell("state", { newState, oldState, reason });
  }

  #place(position: Position | undefined): void {
    this.position = position;
    this.#do({ do: "save", name: "position", value: position });
  }

  #wait(timer: Timer, ms?: number): void {
    this.#do({ do: "wait", timer, ms });
  }

  #tell<K extends keyof Told>(name: K, value: Told[K]): void {
    this.#do({ do: "tell", name, value } as Command);
  }

  #do(command: Command): void {
    this.#out.push(command);
  }
}

/** A store may hold what an older page, or somebody else, left in it. */
const isPosition = (saved: unknown): saved is Position =>
  typeof saved === "object" && saved !== null && "epoch" in saved && "offset" in saved && Number.isSafeInteger(saved.offset);

const isSay = (saved: unknown): saved is Request =>
  typeof saved === "object" && saved !== null && "type" in saved && saved.type === "say" && "id" in saved && typeof saved.id === "string";
