// The client's side of greenroom.v1, without I/O: inputs come in, and commands go out, both as data. It outlives sockets. What a
// page needs to be connected and to hear events is here; the rest of a client's duties (docs/protocol.md, "Client duties") are the
// upkeep's, upkeeping.ts, which is loaded after the first attempt to connect. `states.ts` is the table; the shell is `../shell.ts`.

import { Arrivals } from "./arrivals.js";
import { Attempts } from "./attempts.js";
import * as codes from "./codes.js";
import type { Act, Reason, Saved, Shell, TokenReason, Told } from "./commands.js";
import type { Env } from "./env.js";
import type { ClientFrame, Closing, Ready, Reply, Request, ServerFrame } from "./frames.js";
import type { FirstInputs, Hears, Input } from "./inputs.js";
import { endOf } from "./position.js";
import { refusal, Requests } from "./requests.js";
import { isPosition, isSay } from "./saved.js";
import { type Cause, type State, TRANSITIONS } from "./states.js";

const ACK_MS = 50, ACK_EVENTS = 32;
const OPEN_MS = 15_000; // the server's own deadlines for opening are 10 s each
const SLOWEST_LINK = 4 * 1024; // bytes a second that a large frame may take
const SHARE = 0.8; // of what the server takes: its clock and ours are not one, and the network bunches frames
const MOST_EARLY = 256; // inputs that wait for the upkeep

/** What the machine asks of its upkeep. */
export interface Duties {
  /** Acknowledge at once: the page may end. */
  readonly isHidden: boolean;
  readonly isOffline: boolean;
  /** The ms in which a probe must be answered, while one waits. */
  readonly patience: number | undefined;
  begin(ready: Ready): void;
  /** Whether a frame may go now. If not, the machine gets the input `pace` when one may. */
  hasRoom(ready: Ready): boolean;
  /** Whether this was the answer to a request of its own; it counts. */
  isOwn(reply: Reply): boolean;
  /** Have reports sent that wait for company. */
  report(): void;
  /** The next report to send. */
  next(): ClientFrame | undefined;
  over(): void;
}

export class Machine implements Hears<FirstInputs> {
  state: State = "closed";
  reason: Reason | null = null;
  ready: Ready | undefined;
  asks: Told["asks"] = [];
  /** How many frames the server takes at once, and how many of them may still go. The upkeep makes room again. */
  burst = 0;
  room = 0;
  phase: "idle" | "waiting" | "opening" | "open" | "refused" = "idle"; // of the connection
  readonly env: Env;
  readonly do: Act;
  readonly arrivals: Arrivals;
  readonly attempts: Attempts;
  readonly requests: Requests;

  #upkeep: Duties | undefined;
  #early: Input[] = [];
  #own: ClientFrame[] = []; // that wait to be sent: the last of each type
  #closing: Closing | undefined;
  #tokenReason: TokenReason = "connect";
  #largeMs = 0;

  /** `act` takes what is to be done. */
  constructor(env: Env, { position, unanswered }: Saved, act: Act) {
    [this.env, this.do] = [env, act];
    this.attempts = new Attempts(env);
    this.requests = new Requests(act);
    this.arrivals = new Arrivals(isPosition(position) ? position : undefined, act);
    for (const frame of Array.isArray(unanswered) ? unanswered : []) if (isSay(frame)) this.requests.add(frame);
    if (unanswered) act("save", "unanswered", this.requests.said); // without what was left out
  }

  /** What is the upkeep's waits for it. A refusal always does: nothing goes on without it. */
  hear(...input: Input): void {
    const [name, ...what] = input;
    const part = name in this ? this : this.#upkeep;
    if (part) (part as unknown as Record<string, (...what: unknown[]) => void>)[name]?.(...what);
    else if (this.#early.length < MOST_EARLY || name === "refused") this.#early.push(input);
  }

  loaded(upkeep: Duties): void {
    this.#upkeep = upkeep;
    for (const input of this.#early.splice(0)) this.hear(...input);
    if (this.ready) upkeep.begin(this.ready);
  }

  load(): void {
    if (!this.#upkeep) this.do("load");
  }

  // ── what the program wants ──

  connect(): void {
    this.attempts.begin();
    this.move("connect");
    this.open("connect");
  }

  close(reason: Reason | null = null): void {
    this.ack();
    this.#upkeep?.report();
    this.drop();
    this.end(reason);
  }

  request(frame: Request): void {
    this.requests.add(frame);
    this.pace();
  }

  // ── timers ──

  retry(): void {
    this.open(this.#tokenReason);
  }

  silent(): void {
    this.lost(codes.HEARTBEAT_MISSED, "silence");
  }

  ack(): void {
    const ack = this.ready && this.arrivals.ack();
    if (ack) this.send(ack);
  }

  /** Send what is due, in its turn and at the server's pace. */
  pace(): void {
    while (this.ready && (this.#upkeep ? this.#upkeep.hasRoom(this.ready) : this.room >= 1)) {
      const frame = this.#own.shift() ?? this.requests.next(this.env.now()) ?? this.#upkeep?.next();
      if (!frame) return;
      if (frame.type !== "ack") this.room -= 1; // the server does not count those
      this.do("send", frame);
    }
  }

  // ── the connection ──

  opened(): void {
    this.phase = "open";
    this.do("send", this.arrivals.hello);
  }

  noToken(message: string, reason: TokenReason): void {
    this.comeBack(codes.NO_CODE, `no token: ${message}`, reason);
  }

  forgetSession(): void {
    const { position } = this.arrivals;
    if (position) this.arrivals.place({ ...position, session: undefined });
  }

  alive(): void {
    if (this.ready) this.watch(this.#upkeep?.patience ?? 1.5 * this.ready.heartbeat);
  }

  received(frame: ServerFrame): void {
    this.#largeMs = frame.type === "large" ? (1_000 * frame.bytes) / SLOWEST_LINK : 0;
    this.alive();
    switch (frame.type) {
      case "ready": return this.#becomeReady(frame);
      case "events": return this.#takeEvents(frame);
      case "reply": return this.#takeReply(frame);
      case "ping": return this.#takePing(frame.offset);
      case "closing": this.#closing = frame; return;
      case "erased": this.hear("erased", frame.thread); // falls through
      case "typing": return this.do("tell", ...([frame.type, frame] as Parameters<Shell["tell"]>));
      // Before `ready` only the hello can be refused, and the server waits for another one.
      case "error": return this.ready ? this.do("tell", "error", frame) : this.lost(frame.code, frame.message);
    }
  }

  lost(code: number, reason: string, asked = this.#closing?.reconnect): void {
    if (this.#closing) ({ code, reason } = this.#closing);
    const wasOpen = this.phase === "open";
    this.attempts.lost(wasOpen);
    if (codes.isRefusal(code)) return this.#refused(code, reason, asked);
    // A browser hides a 401 behind 1006, so an upgrade that failed may mean a stale token.
    this.comeBack(code, reason, wasOpen && code !== codes.TOKEN_EXPIRING ? "connect" : "refused", asked);
  }

  // ── what the upkeep has done, too ──

  open(reason: TokenReason): void {
    this.drop();
    this.requests.again();
    this.phase = "opening";
    this.watch(OPEN_MS);
    this.do("open", this.attempts.next(), reason);
  }

  comeBack(code: number, message: string, reason: TokenReason, asked?: Closing["reconnect"]): void {
    const ms = this.attempts.wait(asked);
    this.drop();
    this.phase = "waiting";
    this.#tokenReason = reason;
    this.do("wait", "retry", ms);
    this.move("lost", { ...this.why(code, message), retryAt: this.env.date() + ms });
  }

  /** This stops all timers, too. */
  drop(): void {
    this.ready = this.#closing = undefined;
    this.#largeMs = 0;
    this.phase = "idle";
    this.#own = [];
    this.#upkeep?.over();
    this.do("drop");
  }

  /** No answer comes any more. What was said is kept for the next connection. */
  end(reason: Reason | null): void {
    const { code, message } = reason ?? { code: codes.NO_CODE, message: "closed" };
    this.requests.giveUp(refusal(code, message, true), true);
    this.move("ended", reason);
  }

  setAsks(asks: Told["asks"]): void {
    if (asks.length || this.asks.length) this.do("tell", "asks", (this.asks = asks));
  }

  reset(reset: Told["reset"]): void {
    this.hear("forget", reset.beyond);
    this.do("tell", "reset", reset);
  }

  /** Before all that waits, but for frames of its kind: it takes their place. An ack covers those before it, and so does a pong. */
  send(frame: ClientFrame): void {
    this.#own = [...this.#own.filter(({ type }) => type !== frame.type), frame];
    this.pace();
  }

  /** The server may be silent for so long before its connection counts as dead: half-open TCP says nothing for many minutes. */
  watch(ms: number): void {
    this.do("wait", "silent", ms + this.#largeMs);
  }

  why(code: number, message: string): Reason {
    return { code, message, offline: !!this.#upkeep?.isOffline };
  }

  move(cause: Cause, reason: Reason | null = null): void {
    const oldState = this.state;
    const newState = TRANSITIONS[oldState][cause];
    if (!newState) return;
    [this.state, this.reason] = [newState, reason];
    this.do("tell", "state", { newState, oldState, reason });
    if (newState === "ready" || newState === "reconnecting") this.load();
  }

  #becomeReady(ready: Ready): void {
    const { position } = this.arrivals;
    this.phase = "open";
    this.ready = ready;
    this.attempts.ready();
    this.alive();
    this.room = this.burst = Math.max(1, SHARE * (ready.frames_burst ?? 100)); // the server's own default
    const reset = this.arrivals.ready(ready);
    if (reset) this.reset(reset);
    // What one user left unsent must not be sent as another user. `reset` has forgotten the reports.
    if (position && position.user !== ready.user) this.requests.giveUp(refusal(codes.IDENTITY_CHANGED, "another user"));
    this.#early = this.#early.filter(([name]) => name !== "asked"); // `asks` says what is open now, and to whom
    this.setAsks(ready.asks ?? []);
    this.move("ready");
    this.requests.limit(ready.max_frame_bytes);
    this.#upkeep?.begin(ready);
    this.pace();
  }

  #takeEvents({ epoch, events }: ServerFrame & { type: "events" }): void {
    const { unacked, position } = this.arrivals;
    if (epoch !== position?.epoch) return this.lost(codes.POSITION_LOST, "another journal");
    for (const event of this.arrivals.events(events)) if ("ask" in event.data) this.hear("asked", event);
    if (this.arrivals.unacked >= ACK_EVENTS || this.#upkeep?.isHidden) this.ack();
    else if (!unacked) this.do("wait", "ack", ACK_MS);
    if (this.arrivals.isGap(Math.max(0, ...events.map(endOf)))) this.#gap();
  }

  #takePing(written = 0): void {
    if (this.arrivals.isGap(written)) this.#gap();
    else this.send({ type: "pong" });
  }

  #gap(): void {
    this.lost(codes.POSITION_LOST, "a gap");
  }

  #takeReply(reply: Reply): void {
    if (this.#upkeep?.isOwn(reply)) return;
    const request = this.requests.pending.get(reply.id);
    if (!reply.ok) this.hear("denied", reply);
    else if (request) this.requests.conclude(request.frame, undefined, reply);
  }

  /** What would be refused again needs the upkeep's judgement. */
  #refused(code: number, reason: string, asked: Closing["reconnect"] | undefined): void {
    const wasHello = !this.ready && !!this.arrivals.position;
    this.drop();
    this.phase = "refused";
    if (!this.#upkeep) this.move("lost", this.why(code, reason));
    this.hear("refused", code, reason, asked, wasHello);
  }
}
