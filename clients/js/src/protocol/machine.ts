// The client's side of greenroom.v1, without I/O: inputs come in, and commands go out, both as data. It keeps every duty of a
// client (docs/protocol.md, "Client duties") and outlives sockets. `states.ts` is its table; the shell is `shell.ts`.

import { Arrivals } from "./arrivals.js";
import { Attempts } from "./attempts.js";
import * as codes from "./codes.js";
import { isFinal, wantsNewToken } from "./coming_back.js";
import type { Act, Command, Reason, Saved, TokenReason } from "./commands.js";
import type { Env } from "./env.js";
import type { ClientFrame, Closing, Ready, Reply, Request, Say, ServerFrame } from "./frames.js";
import { Liveness } from "./liveness.js";
import { Outgoing } from "./outgoing.js";
import { Renewal } from "./renewal.js";
import { refusal, Requests } from "./requests.js";
import { isPosition, isSay } from "./saved.js";
import { type Cause, type State, TRANSITIONS } from "./states.js";

const ACK_MS = 50, ACK_EVENTS = 32;
const REPORT_MS = 120;
const STABLE_MS = 5_000; // a connection that lived this long forgets earlier failures

/** An input: the name of a method of the machine, and its arguments. */
export type Input = { [K in keyof Machine]: Machine[K] extends (...what: infer A) => void ? [K, ...A] : never }[Exclude<keyof Machine, "after">];

export class Machine {
  state: State = "closed";
  reason: Reason | null = null;
  ready: Ready | undefined;
  readonly arrivals: Arrivals;

  readonly #env: Env;
  readonly #attempts: Attempts;
  readonly #requests: Requests;
  readonly #outgoing: Outgoing;
  readonly #liveness: Liveness;
  readonly #renewal: Renewal;
  #commands: Command[] = [];
  #phase: "idle" | "waiting" | "opening" | "open" = "idle"; // of the connection
  #closing: Closing | undefined;
  #tokenReason: TokenReason = "connect";
  #isHidden = false;
  #isOffline = false;

  constructor(env: Env, { position, unanswered }: Saved) {
    const act: Act = (...command) => this.#do(...command);
    this.#env = env;
    this.#attempts = new Attempts(env);
    this.#requests = new Requests(env, act);
    this.#outgoing = new Outgoing(env, this.#requests, act);
    this.#liveness = new Liveness(act);
    this.#renewal = new Renewal(env, act);
    this.arrivals = new Arrivals(isPosition(position) ? position : undefined, act);
    for (const frame of Array.isArray(unanswered) ? unanswered : []) if (isSay(frame)) this.#requests.add(frame);
    if (Array.isArray(unanswered)) act("save", "unanswered", this.said); // without what was left out
  }

  /** What is to be done because of an input. */
  after([name, ...what]: Input): Command[] {
    (this[name] as (...what: unknown[]) => void)(...what);
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }

  // ── what the program wants ──

  connect(): void {
    this.#attempts.begin();
    this.#move("connect");
    this.#open("connect");
  }

  close(reason: Reason | null = null): void {
    this.report();
    this.#drop();
    this.#end(reason);
  }

  /** Every `say` without an answer. */
  get said(): readonly Say[] { return this.#requests.said; }

  request(frame: Request): void {
    this.#requests.add(frame);
    this.dispatch();
  }

  displayed(offsets: Iterable<number>): void {
    this.#outgoing.reports.displayed(offsets);
    this.#do("wait", "report", REPORT_MS);
  }

  confirm(frame: ClientFrame & { type: "confirm" }): void {
    this.#outgoing.reports.confirm(frame);
    this.report();
  }

  typing(thread: string): void {
    if (this.ready) this.#outgoing.send({ type: "typing", thread });
  }

  // ── the life of the page ──

  hidden(): void {
    this.#isHidden = true;
    this.report();
  }

  /** The machine or the tab may have slept, or is on another network. */
  woke(isOnline = false): void {
    this.#isHidden = false;
    if (isOnline) this.#isOffline = false;
    if (isOnline && !this.ready) this.#attempts.online();
    if (this.#phase === "waiting") this.#open("connect");
    else if (this.ready) this.#askForLife();
    else if (this.#phase !== "idle") this.#liveness.opening(true);
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
    this.report();
    this.#drop();
    this.#phase = "waiting";
    this.#move("lost", this.#reason(codes.NO_CODE, "the page was left"));
  }

  // ── timers ──

  retry(): void {
    this.#open(this.#tokenReason);
  }

  silent(): void {
    this.lost(codes.HEARTBEAT_MISSED, "the server fell silent");
  }

  ack(): void {
    this.#do("wait", "ack");
    const ack = this.ready && this.arrivals.ack();
    if (ack) this.#outgoing.send(ack);
  }

  pace(): void {
    this.#outgoing.pump();
  }

  /** Received comes before displayed. */
  report(): void {
    this.#do("wait", "report");
    if (!this.ready) return;
    this.ack();
    if (!this.#outgoing.sendReports(this.ready.max_frame_bytes)) this.#do("wait", "report", REPORT_MS); // the rest in a moment
  }

  stable(): void {
    this.#attempts.stable();
  }

  renew(): void {
    if (this.ready) this.#do("renew", this.ready.connection);
  }

  dispatch(): void {
    if (this.ready) this.#outgoing.sendRequests();
  }

  // ── the connection ──

  opened(): void {
    this.#phase = "open";
    this.#do("send", this.arrivals.hello);
  }

  /** No token could be had. */
  noToken(message: string, reason: TokenReason): void {
    this.#comeBack(codes.NO_CODE, `no token could be had: ${message}`, reason);
  }

  /** A token to take the place of the one that expires; undefined if there is none yet. Cookies ("") cannot be renewed on a
   *  connection: the server closes it in time, and the next one has newer ones. */
  renewed(connection: string, token: string | undefined): void {
    if (connection !== this.ready?.connection) return;
    if (token) this.#outgoing.send(this.#renewal.request(token));
    else if (token === undefined) this.#renewal.later();
  }

  /** Another tab speaks for this session: begin one of our own, at the same place. */
  forgetSession(): void {
    const { position } = this.arrivals;
    if (position) this.arrivals.place({ ...position, session: undefined });
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
      case "events": return this.#takeEvents(frame);
      case "reply": return this.#takeReply(frame);
      case "ping": return this.#takePing(frame.offset);
      case "closing": this.#closing = frame; return;
      case "erased": this.arrivals.setAsks(this.arrivals.asks.filter(({ thread }) => thread !== frame.thread)); return this.#do("tell", "erased", frame);
      case "typing": return this.#do("tell", "typing", frame);
      // Before `ready` only the hello can be refused, and the server waits for another one.
      case "error": return this.ready ? this.#do("tell", "error", frame) : this.lost(frame.code, frame.message);
    }
  }

  /** The connection ended, or must. */
  lost(code: number, reason: string, asked = this.#closing?.reconnect): void {
    if (this.#closing) ({ code, reason } = this.#closing);
    const wasOpen = this.#phase === "open";
    const wasHello = !this.ready && this.arrivals.position !== undefined;
    const { hasTries } = this.#attempts;
    const excuses = { wasAsked: !!asked, wasDropped: this.#requests.broke(code, reason), wasHello, hasTries, isForgotten: true } as const;
    this.#attempts.lost(code, wasOpen);
    this.#drop();
    if (isFinal(code, excuses)) return this.#end(this.#reason(code, reason));
    if (code === codes.SUPERSEDED) this.forgetSession();
    if (code === codes.PROTOCOL_ERROR) this.#forget();
    // A browser hides a 401 behind 1006, so an upgrade that failed may mean a stale token.
    this.#comeBack(code, reason, wasOpen && !wantsNewToken(code) ? "connect" : "refused", asked);
  }

  #open(reason: TokenReason): void {
    this.#drop();
    this.#phase = "opening";
    this.#liveness.opening();
    this.#do("open", this.#attempts.next(), reason);
  }

  #comeBack(code: number, message: string, reason: TokenReason, asked?: Closing["reconnect"]): void {
    const ms = this.#attempts.wait(asked);
    this.#drop();
    this.#phase = "waiting";
    this.#tokenReason = reason;
    this.#do("wait", "retry", ms);
    this.#move("lost", { ...this.#reason(code, message), retryAt: this.#env.date() + ms });
  }

  #drop(): void {
    for (const timer of ["retry", "ack", "stable", "renew"] as const) this.#do("wait", timer);
    this.ready = this.#closing = undefined;
    this.#phase = "idle";
    this.#liveness.over();
    this.#outgoing.lost();
    this.#do("drop");
  }

  #becomeReady(ready: Ready): void {
    const { position } = this.arrivals;
    this.#phase = "open";
    this.ready = ready;
    this.#attempts.ready();
    this.alive();
    this.#do("wait", "stable", STABLE_MS);
    this.#outgoing.begin(ready);
    this.#renewal.plan(ready.expires);
    const { beyond, isOther } = this.arrivals.ready(ready);
    if (beyond !== undefined) this.#reset(beyond, isOther);
    if (position && position.user !== ready.user) this.#disown();
    this.arrivals.setAsks(ready.asks ?? []);
    this.#move("ready");
    this.#requests.limit(ready.max_frame_bytes ?? Infinity);
    this.dispatch();
    this.report();
  }

  #takeEvents({ epoch, events }: ServerFrame & { type: "events" }): void {
    const { unacked } = this.arrivals;
    const why = this.arrivals.events(epoch, events);
    if (this.arrivals.unacked >= ACK_EVENTS || this.#isHidden) this.ack();
    else if (!unacked && this.arrivals.unacked) this.#do("wait", "ack", ACK_MS);
    if (why) this.lost(codes.POSITION_LOST, why);
  }

  #takePing(written: number | undefined): void {
    const why = this.arrivals.ping(written);
    if (why) this.lost(codes.POSITION_LOST, why);
    else this.#outgoing.send({ type: "pong" });
  }

  #takeReply(reply: Reply): void {
    if (this.#liveness.isSign(reply.id)) {
      this.alive();
      return this.#move("alive");
    }
    if (this.#renewal.answered(reply)) return;
    this.#requests.answered(reply);
    this.dispatch();
  }

  #askForLife(): void {
    const probe = this.#liveness.ask(this.#env.id());
    if (probe) this.#outgoing.sendFirst(probe);
  }

  #reset(beyond: number, isOther: boolean): void {
    this.#outgoing.reports.forget(beyond);
    this.#do("tell", "reset", { beyond, isOther });
  }

  /** The server refused our position: begin without one. */
  #forget(): void {
    this.arrivals.place(undefined);
    this.#reset(0, true);
  }

  /** What one user left unsent must not be sent as another user. */
  #disown(): void {
    this.#requests.giveUp(refusal(codes.IDENTITY_CHANGED, "another user is signed in"), false);
    this.#outgoing.reports.forget(-1);
  }

  /** No answer comes any more. What was said is kept for the next connection. */
  #end(reason: Reason | null): void {
    this.#do("wait", "dispatch");
    const { code, message } = reason ?? { code: codes.NO_CODE, message: "the client was closed" };
    this.#requests.giveUp({ code, message, temporary: true }, true);
    this.#move("ended", reason);
  }

  #reason(code: number, message: string): Reason {
    return { code, message, offline: this.#isOffline };
  }

  #move(cause: Cause, reason: Reason | null = null): void {
    const oldState = this.state;
    const newState = TRANSITIONS[oldState][cause];
    if (!newState) return;
    [this.state, this.reason] = [newState, reason];
    this.#do("tell", "state", { newState, oldState, reason });
  }

  #do(...command: Command): void {
    this.#commands.push(command);
  }
}
