// The second half of the machine, loaded after the first attempt to connect: reports, the life of the page, the renewal of the token,
// and what to do where the server refuses something. docs/protocol.md, "Client duties".

import * as codes from "./codes.js";
import { type GreenroomEvent, type JSON, offsetsOf } from "./events.js";
import type { ClientFrame, Closing, Ready, Reply } from "./frames.js";
import type { Hears, UpkeepInputs } from "./inputs.js";
import type { Duties, Machine } from "./machine.js";
import { stillOpen } from "./open_asks.js";
import { Pacer } from "./pacer.js";
import { isFinal } from "./refusals.js";
import { Renewal } from "./renewal.js";
import { Reports } from "./reports.js";
import { broke, retry, untilNext } from "./second_tries.js";

const REPORT_MS = 120;
const AWAKE_MS = 2_500; // after a sleep the server has this long to show that the connection lives
const BAD_TOKENS = 2; // in a row, before a refusal is final

export class Upkeeping implements Duties, Hears<UpkeepInputs> {
  isHidden = false;
  isOffline = false;
  readonly #machine: Machine;
  readonly #reports = new Reports();
  readonly #renewal: Renewal;
  readonly #pacer: Pacer;
  #isReportDue = false;
  #begun: Ready | undefined;
  #probe: string | undefined;
  #badTokens = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#pacer = new Pacer(machine);
    this.#pacer.restart();
    this.#renewal = new Renewal(machine);
  }

  // ── what the program reports ──

  displayed(events: readonly GreenroomEvent[]): void {
    this.#reports.displayed(events.flatMap(offsetsOf));
    this.#machine.do("wait", "report", REPORT_MS);
  }

  confirm({ offset }: GreenroomEvent, verdict: JSON | undefined, note: string | undefined): void {
    this.#reports.confirm({ type: "confirm", offset, verdict, note });
    this.report();
  }

  /** What waited for the upkeep is over. */
  typing(thread: string): void {
    const { ready } = this.#machine;
    if (ready && ready === this.#begun) this.#machine.send({ type: "typing", thread });
  }

  /** Received comes before displayed; and what waited for the upkeep is read to its end before it is reported. */
  report(): void {
    if (!this.#begun || this.#begun !== this.#machine.ready) return;
    this.#isReportDue = true;
    this.#machine.ack();
    this.#machine.pace();
  }

  next(): ClientFrame | undefined {
    const report = this.#isReportDue ? this.#reports.next(this.#machine.ready?.max_frame_bytes) : undefined;
    this.#isReportDue = report !== undefined;
    return report;
  }

  forget(beyond: number): void {
    this.#reports.forget(beyond);
  }

  // ── the questions that wait for the user ──

  asked(event: GreenroomEvent): void {
    this.#machine.setAsks(stillOpen(this.#machine.asks, event));
  }

  erased(thread: string): void {
    const { asks } = this.#machine;
    const others = asks.filter((ask) => ask.thread !== thread);
    if (others.length < asks.length) this.#machine.setAsks(others);
  }

  // ── the life of the page ──

  hidden(): void {
    this.isHidden = true;
    this.report();
  }

  woke(isOnline = false): void {
    const machine = this.#machine;
    this.isHidden = false;
    if (isOnline) this.isOffline = false;
    if (isOnline && !machine.ready) machine.attempts.online();
    if (machine.phase === "waiting") machine.open("connect");
    else if (machine.ready) this.#askForLife();
    else if (machine.phase !== "idle") machine.watch(AWAKE_MS); // it may be dead already
  }

  /** The browser may be wrong, above all about a server on this machine: that one answers. */
  offline(): void {
    this.isOffline = true;
    this.#machine.move("lost", this.#machine.why(codes.NO_CODE, "offline"));
    if (this.#machine.ready) this.#askForLife();
  }

  suspend(): void {
    const machine = this.#machine;
    if (machine.state === "closed") return;
    this.report();
    machine.drop();
    machine.phase = "waiting";
    machine.move("lost", machine.why(codes.NO_CODE, "the page was left"));
  }

  // ── the connection ──

  begin(ready: Ready): void {
    this.#begun = ready;
    this.#badTokens = 0;
    this.#pacer.restart();
    this.#renewal.plan(ready.expires);
    this.report();
  }

  hasRoom(ready: Ready): boolean {
    const ms = this.#pacer.wait(ready);
    if (ms > 0) this.#machine.do("wait", "pace", ms);
    return ms <= 0;
  }

  over(): void {
    this.#probe = undefined;
  }

  get patience(): number | undefined {
    return this.#probe === undefined ? undefined : AWAKE_MS;
  }

  isOwn(reply: Reply): boolean {
    if (reply.id !== this.#probe) return this.#renewal.isOwn(reply);
    this.#probe = undefined;
    this.#machine.alive();
    this.#machine.move("alive");
    return true;
  }

  renew(): void {
    const { ready } = this.#machine;
    if (ready) this.#machine.do("renew", ready.connection);
  }

  /** Cookies ("") cannot be renewed on a connection: the server closes it in time, and the next one has newer ones. */
  renewed(connection: string, token: string | undefined): void {
    if (connection !== this.#machine.ready?.connection) return;
    if (token) this.#machine.send(this.#renewal.request(token));
    else if (token === undefined) this.#renewal.later();
  }

  // ── refusals ──

  denied(reply: Reply & { ok: false }): void {
    retry(this.#machine, reply);
    this.#machine.do("wait", "dispatch", untilNext(this.#machine));
  }

  dispatch(): void {
    this.#machine.pace();
    this.#machine.do("wait", "dispatch", untilNext(this.#machine));
  }

  refused(code: number, reason: string, asked: Closing["reconnect"] | undefined, wasHello: boolean): void {
    const machine = this.#machine;
    if (machine.phase !== "refused") return; // the program has gone on meanwhile
    const hasTries = this.#badTokens < BAD_TOKENS;
    if (code === codes.BAD_TOKEN) this.#badTokens += 1;
    const excuses = { wasAsked: !!asked, wasDropped: broke(machine, code, reason), wasHello, hasTries, isForgotten: true } as const;
    if (isFinal(code, excuses)) return this.#leave(code, reason);
    if (code === codes.SUPERSEDED) machine.forgetSession();
    if (code === codes.PROTOCOL_ERROR) this.#startOver();
    machine.comeBack(code, reason, code === codes.BAD_TOKEN || code === codes.DISCONNECTED ? "refused" : "connect", asked);
  }

  #leave(code: number, reason: string): void {
    this.#machine.drop();
    this.#machine.end(this.#machine.why(code, reason));
  }

  /** The server refused our position: begin without one. */
  #startOver(): void {
    this.#machine.arrivals.place(undefined);
    this.#machine.reset({ beyond: 0, isOther: true });
  }

  /** A short question, and cheap for the server: before the first event nothing needs an ack. */
  #askForLife(): void {
    this.#machine.watch(AWAKE_MS);
    if (this.#probe) return;
    this.#probe = this.#machine.env.id();
    this.#machine.send({ type: "history", id: this.#probe, before: 1, limit: 1 });
  }
}
