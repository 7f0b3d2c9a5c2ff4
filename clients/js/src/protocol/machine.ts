// The client's side of greenroom.v1, without I/O: what came goes in, and commands come out. It keeps every duty of a client
// (docs/protocol.md, "Client duties") and outlives sockets. `states.ts` is its table; the shell is `client.ts`.

import { Arrivals } from "./arrivals.js";
import * as codes from "./codes.js";
import { backOff, verdict } from "./coming_back.js";
import type { Command, Reason, Saved, Timer, Told, TokenReason, Transport } from "./commands.js";
import type { Env } from "./env.js";
import type { GreenroomEvent } from "./events.js";
import { type ClientFrame, type Closing, type Failure, type Ready, type Reply, type Request, type Say, type ServerFrame } from "./frames.js";
import { Liveness } from "./liveness.js";
import { Outgoing } from "./outgoing.js";
import { refusal, Requests } from "./requests.js";
import { isPosition, isSay } from "./saved.js";
import { type Cause, type State, TRANSITIONS } from "./states.js";
import { renewIn } from "./token_time.js";

const ACK_MS = 50, ACK_EVENTS = 32;
const DISPLAYED_MS = 120;
const STABLE_MS = 5_000; // a connection that lived this long forgets earlier failures

export class Machine {
  state: State = "closed";
  reason: Reason | null = null;
  ready: Ready | undefined;
  isHidden = false;

  readonly arrivals: Arrivals;
  readonly #env: Env;
  readonly #requests = new Requests();
  readonly #outgoing: Outgoing;
  readonly #liveness = new Liveness((command) => this.#do(command));
  #out: Command[] = [];
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

  constructor(env: Env, saved: Saved) {
    this.#env = env;
    this.#outgoing = new Outgoing(env, this.#requests, (command) => this.#do(command));
    this.arrivals = new Arrivals(isPosition(saved.position) ? saved.position : undefined, (command) => this.#do(command));
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
    this.#end(reason);
  }

  /** Every `say` without an answer. */
  get said(): readonly Say[] { return this.#requests.said; }

  request(frame: Request): void {
    if (this.#requests.has(frame.id)) return; // kept from before a reload
    const failure = this.#requests.add(frame, this.#env.now());
    if (failure) return this.#refuse(frame, failure);
    if (frame.type === "say") this.#saveSaid();
    this.#dispatch();
  }

  displayed(offsets: Iterable<number>): void {
    this.#outgoing.reports.displayed(offsets);
    this.#wait("displayed", DISPLAYED_MS);
  }

  confirm(frame: ClientFrame & { type: "confirm" }): void {
    this.#outgoing.reports.confirm(frame);
    this.#sendReports();
  }

  typing(thread: string): void {
    if (this.ready) this.#outgoing.send({ type: "typing", thread });
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
    else if (this.#isOpening) this.#liveness.opening(true);
  }

  /** The browser may be wrong, above all about a server on this machine: that one answers. */
  offline(): void {
    this.#isOffline = true;
    this.#move("lost", this.#reason(codes.NO_CODE, "offline"));
    if (this.ready) this.#askForLife();
  }

  #askForLife(): void {
    const probe = this.#liveness.ask(this.#env.id());
    if (probe) this.#outgoing.sendFirst(probe);
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
    const { position } = this.arrivals;
    if (position) this.arrivals.place({ ...position, session: undefined });
  }

  opened(): void {
    this.#isOpen = true;
    this.#do({ do: "send", frame: this.arrivals.hello });
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
    const ending = { code, asked, wasDropped: broke.length > 0, wasHello: !wasReady && this.arrivals.position !== undefined, badTokens: this.#badTokens };
    switch (verdict(ending)) {
      case "final": return this.#end(this.#reason(code, reason));
      case "without its session": this.forgetSession(); break;
      case "without a position": this.#forget(); break;
    }
    if (code === codes.BAD_TOKEN) this.#badTokens += 1;
    // A browser hides a 401 behind 1006, so an upgrade that failed may mean a stale token.
    this.#comeBack(code, reason, !wasOpen || codes.wantsNewToken(code) ? "refused" : "connect", asked);
  }

  /** Anything came: the connection lives. */
  alive(): void {
    if (this.ready) this.#liveness.alive(this.ready.heartbeat);
  }

  received(frame: ServerFrame): void {
    this.#liveness.heard(frame);
    this.alive();
    switch (frame.type) {
      case "ready": return this.#becomeReady(frame);
      case "events": return this.#takeEvents(frame.epoch, frame.events);
      case "reply": return this.#takeReply(frame);
      case "ping": return this.#takePing(frame.offset);
      case "closing": this.#closing = frame; return;
      case "erased": this.arrivals.setAsks(this.arrivals.asks.filter(({ thread }) => thread !== frame.thread)); return this.#tell("erased", frame);
      case "typing": return this.#tell("typing", frame);
      // Before `ready` only the hello can be refused, and the server waits for another one.
      case "error": return this.ready ? this.#tell("error", frame) : this.lost(frame.code, frame.message);
    }
  }

  /** A token to take the place of the one that expires; undefined if there is none yet. Cookies ("") cannot be renewed on a
   *  connection: the server closes it in time, and the next one has newer ones. */
  renewed(connection: string, token: string | undefined): void {
    if (connection !== this.ready?.connection) return;
    if (token) this.request({ type: "refresh", id: this.#env.id(), token });
    else if (token === undefined) this.#renewLater();
  }

  timeout(timer: Timer): void {
    switch (timer) {
      case "retry": return this.#open(this.#retryReason);
      case "silence": return this.lost(codes.HEARTBEAT_MISSED, "the server fell silent");
      case "ack": return this.#ack();
      case "pace": return this.#outgoing.pump();
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
    this.#liveness.opening();
    this.#do({ do: "open", via: this.#via, reason });
  }

  #comeBack(code: number, message: string, reason: TokenReason, asked: Closing["reconnect"] | undefined = null): void {
    const wait = backOff(this.#env.random(), this.#attempts);
    const wanted = asked ? asked.after_ms + this.#env.random() * asked.jitter_ms : 0;
    const ms = asked && !this.#attempts ? wanted : Math.max(wanted, wait);
    this.#drop();
    this.#attempts += 1;
    this.#isWaiting = true;
    this.#retryReason = reason;
    this.#wait("retry", ms);
    this.#move("lost", { ...this.#reason(code, message), retryAt: this.#env.date() + ms });
  }

  #drop(): void {
    for (const timer of ["retry", "ack", "stable", "renew"] as const) this.#wait(timer);
    this.ready = this.#closing = undefined;
    this.#isOpen = this.#isOpening = this.#isWaiting = false;
    this.#renewals = 0;
    this.#liveness.over();
    this.#outgoing.lost();
    this.#do({ do: "drop" });
  }

  #becomeReady(ready: Ready): void {
    const isOtherUser = this.arrivals.position !== undefined && this.arrivals.position.user !== ready.user;
    this.#isOpening = false;
    this.#isOpen = true;
    this.ready = ready;
    this.#badTokens = 0;
    this.#failures = this.#via === "sse" ? 2 : 0;
    this.alive();
    this.#wait("stable", STABLE_MS);
    this.#outgoing.begin(ready);
    const { beyond, isOther } = this.arrivals.ready(ready);
    this.#plan(ready.expires);
    if (beyond !== undefined) this.#reset(beyond, isOther);
    if (isOtherUser) this.#disown();
    this.arrivals.setAsks(ready.asks ?? []);
    this.#move("ready");
    this.#requests.largest = ready.max_frame_bytes;
    for (const [id, failure] of this.#requests.tooBig()) this.#settle(id, failure);
    this.#dispatch();
    this.#sendReports();
  }

  #reset(beyond: number, isOther: boolean): void {
    this.#outgoing.reports.forget(beyond);
    this.#tell("reset", { beyond, isOther });
  }

  /** The server refused our position: begin without one. */
  #forget(): void {
    this.arrivals.place(undefined);
    this.#reset(0, true);
  }

  /** What one user left unsent must not be sent as another user. */
  #disown(): void {
    for (const id of this.#requests.ids) this.#settle(id, refusal(codes.IDENTITY_CHANGED, "another user is signed in"));
    this.#outgoing.reports.forget(-1);
  }

  // ── events ──

  #takeEvents(epoch: string, events: readonly GreenroomEvent[]): void {
    const { unacked } = this.arrivals;
    const why = this.arrivals.events(epoch, events);
    if (this.arrivals.unacked >= ACK_EVENTS || this.isHidden) this.#ack();
    else if (!unacked && this.arrivals.unacked) this.#wait("ack", ACK_MS);
    if (why) this.lost(codes.POSITION_LOST, why);
  }

  #takePing(written: number | undefined): void {
    const why = this.arrivals.ping(written);
    if (why) this.lost(codes.POSITION_LOST, why);
    else this.#outgoing.send({ type: "pong" });
  }

  #ack(): void {
    this.#wait("ack");
    const ack = this.ready && this.arrivals.ack();
    if (ack) this.#outgoing.send(ack);
  }

  /** Received comes before displayed. */
  #sendReports(): void {
    this.#wait("displayed");
    if (!this.ready) return;
    this.#ack();
    if (!this.#outgoing.sendReports(this.ready.max_frame_bytes)) this.#wait("displayed", DISPLAYED_MS); // the rest in a moment
  }

  #flush(): void {
    this.#ack();
    this.#sendReports();
  }

  // ── requests ──

  #takeReply(reply: Reply): void {
    const { id } = reply;
    if (this.#liveness.isSign(id)) {
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
    for (const frame of this.#requests.due(this.#env.now())) this.#outgoing.send(frame);
    this.#wait("again", this.#requests.wait(this.#env.now()));
  }

  /** No answer comes any more. What was said is kept for the next connection. */
  #end(reason: Reason | null): void {
    this.#wait("again");
    const { code, message } = reason ?? { code: codes.NO_CODE, message: "the client was closed" };
    for (const id of this.#requests.unsaid) this.#settle(id, { code, message, temporary: true });
    this.#move("ended", reason);
  }

  // ── the token ──

  #plan(expires: number | null | undefined): void {
    this.#renewals = 0;
    this.#wait("renew", renewIn(expires, this.#env.date()));
  }

  #renewLater(): void {
    this.#wait("renew", 1_000 + backOff(this.#env.random(), this.#renewals++));
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
