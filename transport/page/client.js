// greenroom.v1 for the browser: one class that keeps every duty of a client (docs/protocol.md).
// It knows no DOM beyond the page's visibility. It speaks by DOM events:
//   status  {state: "connecting" | "live" | "waiting" | "offline" | "closed", retryAt?, failures?, code?, reason?}
//   ready   the server's ready frame, with `resumed`, and `redraw`: what was drawn may no longer count
//   events  {events: [...]} in order, each once
//   reset   what was seen is void (a new journal or another user): redraw from history
//   erased  {thread}: it was erased for good, here or in another tab: forget what is shown of it
//   answered {id, thread, run} or {id, error}: the outcome of a say
//   refused {code, message}: an error frame that belongs to no request

import { bearer, encode, randomId } from "./frames.js";
import { Pacer } from "./pacer.js";
import { watchPage } from "./page_life.js";
import { backOff, LONGEST_TIMER, Renewal } from "./renewal.js";
import { Requests } from "./requests.js";
import { SessionLock } from "./session_lock.js";

const ACK_EVERY_MS = 50, ACK_EVERY_EVENTS = 32;
const DISPLAYED_EVERY_MS = 120, DISPLAYED_AT_MOST = 200;
const STABLE_AFTER_MS = 5_000; // a connection that lived this long forgets earlier failures
const OPEN_WITHIN_MS = 15_000; // the server's own two deadlines for opening are 10 s each
const AWAKE_WITHIN_MS = 2_500; // after a sleep the server has this long to show that the socket lives
const SLOWEST_LINK = 4 * 1024; // bytes a second that a large frame may take
const FRAME_TOO_BIG = 1009, BAD_DATA = 1007, PROTOCOL_ERROR = 4502;
const TOKEN_EXPIRING = 4104, BAD_TOKEN = 4500, SUPERSEDED = 4504, DISCONNECTED = 4509;

/** A conversation in the user's list. Times are ms since the Unix epoch; `title` is null where the first thing said was no text.
 *  @typedef {{thread: string, title: string | null, created: number, updated: number, runs: number,
 *             last: {kind: string, text?: string}, archived: boolean}} Thread */

export class Client extends EventTarget {
  #url; #tokens; #memory; #socket = null; #ready = null; #state = null;
  #attempts = 0; #staleTokens = 0; #closing = null; #retry = null; #watchdog = null; #stable = null; #opening = null;
  #renewal; #probe = null; #large = 0;
  #ackTimer = null; #unacked = 0; #acked = 0; #displayedTimer = null; #displayed = new Set();
  #gapAt = null; #requests; #pacer = new Pacer((frame) => this.#write(frame)); #session = new SessionLock();

  /** tokens: async ({renew, ask}) => token or null, or "" where cookies say who the user is; without `ask` it must not trouble the user: the socket is still live.
   *  A function that throws is called again. memory: {get(name), set(name, value)}, kept across reloads. */
  constructor({ url, tokens, memory }) {
    super();
    [this.#url, this.#tokens, this.#memory] = [url, tokens, memory];
    this.#requests = new Requests({
      memory,
      send: (frame) => { if (this.#ready) this.#send(frame); },
      onSaid: (detail) => this.#tell("answered", detail),
    });
    this.#renewal = new Renewal({ tokens, refresh: (token) => this.#request({ type: "refresh", id: randomId(), token }) });
    watchPage({
      hidden: () => this.#flush(),
      woke: () => this.#wake(),
      offline: () => this.#wentOffline(),
      left: (how) => this.#leave(how),
      back: () => { if (this.#state !== "closed") this.#open({ renew: false }); },
    });
  }

  get live() { return this.#ready !== null; }
  get user() { return this.#ready?.user ?? this.#memory.get("user"); }
  get unanswered() { return this.#requests.unanswered; }

  connect({ fresh = false } = {}) {
    if (fresh) this.#forget();
    this.#attempts = this.#staleTokens = 0;
    this.#open({ renew: false });
  }

  /** Stay disconnected until `connect` is called. */
  stop(detail) {
    this.#drop();
    this.#status("closed", detail);
  }

  /** Speak; the answer comes as an "answered" event with this id. The frame is kept until it is answered, over reconnects and reloads:
   *  it starts one run. Raises RangeError when it is larger than the server is known to take. */
  say(body, thread) {
    const frame = { type: "say", id: randomId(), body, ...(thread ? { thread } : {}) };
    const tooLarge = this.#requests.tooLarge(frame);
    if (tooLarge) throw new RangeError(tooLarge);
    this.#requests.keep(frame);
    this.#request(frame).catch(() => {}); // reported by "answered"
    return frame.id;
  }

  cancel(run) { return this.#request({ type: "cancel", id: randomId(), run }); }
  answer(ask, value) { return this.#request({ type: "answer", id: randomId(), ask, value }); }
  history(query) { return this.#request({ type: "history", id: randomId(), ...query }); }

  /** The user's threads, the one used last first. `before`: the `updated` of the last one of the page before, or its id.
   *  @param {{limit: number, before?: string | number, archived?: boolean}} query `limit` is at most 100
   *  @returns {Promise<{threads: Thread[], more: boolean}>} */
  threads(query) { return this.#request({ type: "threads", id: randomId(), ...query }); }

  /** @param {string} thread @param {{title: string} | {archived: boolean}} change a title has 1 to 200 characters
   *  @returns {Promise<Thread>} */
  change(thread, change) { return this.#request({ type: "thread", id: randomId(), thread, ...change }); }

  /** Erase a thread for good; its live runs are stopped first.
   *  @param {string} thread @returns {Promise<{thread: string}>} */
  erase(thread) { return this.#request({ type: "erase", id: randomId(), thread }); }

  /** These events are visible to the user. */
  displayed(offsets) {
    for (const offset of offsets) this.#displayed.add(offset);
    this.#displayedTimer ??= setTimeout(() => this.#sendDisplayed(), DISPLAYED_EVERY_MS);
  }

  // ── the socket ──

  async #open({ renew }) {
    this.#drop();
    const attempt = (this.#opening = Symbol("attempt"));
    this.#status("connecting");
    let token;
    try {
      await this.#takeSession();
      token = await this.#tokens({ renew, ask: true });
    } catch (error) {
      if (attempt === this.#opening) this.#comeBack({ reason: `no token could be had: ${error.message}`, renew });
      return;
    }
    if (attempt !== this.#opening) return;
    if (token === null) return this.#status("closed", { code: BAD_TOKEN, reason: "no token" });
    const socket = new WebSocket(this.#url, ["greenroom.v1", ...(token ? [bearer(token)] : [])]);
    this.#socket = socket;
    const ifCurrent = (act) => (event) => this.#socket === socket && act(event);
    this.#watch(OPEN_WITHIN_MS);
    socket.onopen = ifCurrent(() => this.#send(this.#hello()));
    socket.onmessage = ifCurrent(({ data }) => this.#received(data));
    socket.onclose = ifCurrent(({ code, reason }) => this.#lost(code, reason));
  }

  /** A duplicated tab has the session of the first one, which keeps it: this one begins another. */
  async #takeSession() {
    const { session } = this.#memory.get("position") ?? {};
    if (session && !(await this.#session.take(session))) this.#forget();
  }

  #hello() {
    const { session, epoch, offset, event } = this.#memory.get("position") ?? {};
    const seen = offset == null ? {} : { offset, event };
    return { type: "hello", client: { name: "greenroom-page", version: "1" }, features: ["position", "large", "asks", "threads"],
             ...(session ? { session, epoch, ...seen } : {}) };
  }

  #lost(code, reason) {
    const closing = this.#closing, wasReady = this.#ready !== null;
    const opened = wasReady || closing !== null;
    code = closing?.code ?? code;
    reason = closing?.reason || reason;
    const dropped = this.#requests.failWhatBroke(code, reason);
    this.#drop();
    if (!this.#mayComeBack(code, { wasReady, dropped, asked: closing?.reconnect })) return this.#status("closed", { code, reason });
    // A browser hides a 401 behind 1006, so a handshake that failed may mean a stale token.
    const renew = !opened || code === TOKEN_EXPIRING || code === BAD_TOKEN || code === DISCONNECTED;
    this.#comeBack({ code, reason, renew, asked: closing?.reconnect });
  }

  /** Whether to reconnect without the user. What would be refused again is forgotten first. */
  #mayComeBack(code, { wasReady, dropped, asked }) {
    if (code === DISCONNECTED) return Boolean(asked); // final, unless the service says when to come back
    if (code === FRAME_TOO_BIG || code === BAD_DATA) return dropped;
    if (code === BAD_TOKEN) return this.#staleTokens++ < 2;
    const isHello = code === PROTOCOL_ERROR && !wasReady && Boolean(this.#memory.get("position")?.session);
    if (code === SUPERSEDED || isHello) this.#forget(); // the session, or the position in it, is no longer ours
    return code === SUPERSEDED || isHello || code < 4500 || code >= 5000;
  }

  #comeBack({ code, reason, renew, asked = null }) {
    const delay = asked ? asked.after_ms + Math.random() * asked.jitter_ms : backOff(this.#attempts);
    this.#attempts += 1;
    this.#retry = { renew, timer: setTimeout(() => this.#open({ renew }), delay) };
    this.#status("waiting", { retryAt: Date.now() + delay, failures: this.#attempts, code, reason });
  }

  #drop() {
    for (const timer of [this.#retry?.timer, this.#watchdog, this.#stable, this.#ackTimer]) clearTimeout(timer);
    this.#retry = this.#watchdog = this.#stable = this.#ackTimer = this.#ready = this.#closing = null;
    this.#opening = this.#probe = null;
    this.#renewal.stop();
    this.#large = 0;
    this.#pacer.restart();
    this.#requests.lost();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #send(frame) { this.#pacer.send(frame); }

  #write(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#requests.wrote(frame);
    this.#socket.send(encode(frame));
  }

  // ── is the socket alive? ──

  #leave({ isKept }) {
    this.#flush();
    this.#session.release();
    if (isKept && this.#state !== "closed") this.#drop();
  }

  /** After a sleep, or on another network, a socket may be dead and say nothing: ask for a sign of life. */
  #wake() {
    if (this.#retry) this.#open({ renew: this.#retry.renew });
    else if (this.#ready) this.#askForLife();
    else if (this.#socket) this.#watch(AWAKE_WITHIN_MS);
  }

  /** Before the first event nothing needs an ack; this answer is short and cheap for the server. */
  #askForLife() {
    if (!this.#probe) {
      this.#probe = randomId();
      this.#pacer.sendFirst({ type: "history", id: this.#probe, before: 1, limit: 1 });
    }
    this.#watchSilence();
  }

  /** The browser may be wrong, above all about a server on this machine: that one answers. */
  #wentOffline() {
    if (!this.#retry && !this.#socket) return;
    this.#status("offline");
    if (this.#ready) this.#askForLife();
  }

  #answeredProbe() {
    this.#probe = null;
    if (this.#state !== "live") this.#status("live");
    this.#watchSilence();
  }

  /** How long the server may be silent now; longer while a large frame is on its way. */
  #watchSilence() {
    this.#watch((this.#probe ? AWAKE_WITHIN_MS : 1.5 * this.#ready.heartbeat) + this.#large);
  }

  /** Silence this long is a dead socket: half-open TCP says nothing for many minutes. */
  #watch(ms) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lost(4101, "the server fell silent"), Math.min(ms, LONGEST_TIMER));
  }

  // ── what the server sends ──

  #received(text) {
    const frame = JSON.parse(text);
    this.#large = frame.type === "large" ? (1_000 * frame.bytes) / SLOWEST_LINK : 0;
    if (this.#ready) this.#watchSilence();
    switch (frame.type) {
      case "ready": return this.#becomeReady(frame);
      case "events": return this.#takeEvents(frame);
      case "reply": return frame.id === this.#probe ? this.#answeredProbe() : this.#requests.settle(frame);
      case "erased": return this.#tell("erased", frame);
      case "ping": return this.#takePing(frame);
      case "closing": this.#closing = frame; return;
      // Before `ready` only the hello can be refused, and the server waits for another one.
      case "error": return this.#ready ? this.#tell("refused", frame) : this.#lost(frame.code, frame.message);
    }
  }

  #becomeReady(frame) {
    this.#ready = frame;
    this.#staleTokens = 0;
    this.#watchSilence();
    this.#pacer.allow({ rate: frame.frames_per_second, burst: frame.frames_burst });
    this.#requests.largest = frame.max_frame_bytes;
    this.#stable = setTimeout(() => { this.#attempts = 0; }, STABLE_AFTER_MS);
    const before = this.#memory.get("position");
    const user = this.#memory.get("user");
    const isVoid = Boolean((before && before.epoch !== frame.epoch) || (user && user !== frame.user));
    const resumed = Boolean(before?.session === frame.session && frame.recovered && !isVoid);
    const redraw = Boolean(before?.session) && !resumed;
    if (redraw) this.#forgetBeyond(frame.from);
    this.#memory.set("position", { session: frame.session, epoch: frame.epoch, ...this.#place(frame, resumed && before) });
    this.#session.take(frame.session);
    this.#memory.set("user", frame.user);
    this.#acked = this.#memory.get("position").offset ?? 0;
    this.#renewal.plan(frame.expires);
    this.#status("live");
    if (user && user !== frame.user) this.#disown();
    if (isVoid) this.#tell("reset", { sameUser: !user || user === frame.user });
    const waiting = this.#requests.waiting; // what is asked because of "ready" goes by itself
    this.#tell("ready", { ...frame, resumed, redraw });
    for (const request of waiting) this.#requests.dispatch(request);
    if (this.#displayed.size) this.displayed([]);
  }

  /** What was received last: of a resume, what we had; else where the server begins. An event of the same offset may be
   *  another one after a backup was restored, so its id goes with it. */
  #place({ from = null, event }, before) {
    if (!before) return { offset: from, event };
    return { offset: before.offset ?? from, event: before.event ?? (before.offset === from ? event : undefined) };
  }

  #takeEvents({ epoch, events }) {
    const position = this.#memory.get("position");
    if (epoch !== position.epoch) return this.#lost(4106, "another journal answers");
    const fresh = [];
    for (const event of events) {
      const seen = position.offset;
      if (seen !== null && event.offset <= seen) continue;
      if (seen !== null && event.offset > seen + 1 && this.#gapAt !== seen) {
        this.#gapAt = seen; // the same gap again after a resume is the server's last word on it
        if (fresh.length) this.#hand(fresh, position);
        return this.#lost(4106, "an event was missing");
      }
      position.offset = Math.max(event.offset, event.data?.through ?? 0);
      position.event = position.offset === event.offset ? event.id : undefined;
      fresh.push(event);
    }
    if (fresh.length) this.#hand(fresh, position);
  }

  /** Frames keep their order: an event written before the ping that has not arrived is lost. */
  #takePing({ offset }) {
    const seen = this.#memory.get("position").offset;
    if (seen === null || !(offset > seen) || this.#gapAt === seen) return this.#send({ type: "pong" });
    this.#gapAt = seen;
    return this.#lost(4106, "an event did not arrive");
  }

  #hand(events, position) {
    this.#memory.set("position", position);
    this.#tell("events", { events });
    this.#unacked += events.length;
    if (this.#unacked >= ACK_EVERY_EVENTS || document.hidden) this.#ack();
    else this.#ackTimer ??= setTimeout(() => this.#ack(), ACK_EVERY_MS);
  }

  #ack() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    const offset = this.#memory.get("position")?.offset;
    if (this.#ready && offset > this.#acked) this.#send({ type: "ack", offset: (this.#acked = offset) });
    this.#unacked = 0;
  }

  #sendDisplayed() {
    clearTimeout(this.#displayedTimer);
    this.#displayedTimer = null;
    if (!this.#ready || !this.#displayed.size) return;
    this.#ack(); // received comes before displayed
    const atMost = Math.min(DISPLAYED_AT_MOST, Math.floor(this.#requests.largest / 20)); // 16 digits and a comma each
    const all = [...this.#displayed].sort((a, b) => a - b);
    for (let i = 0; i < all.length && this.#pacer.isIdle; i += atMost) {
      const offsets = all.slice(i, i + atMost);
      this.#send({ type: "displayed", offsets });
      for (const offset of offsets) this.#displayed.delete(offset);
    }
    if (this.#displayed.size) this.displayed([]); // the rest in a moment
  }

  #flush() {
    this.#ack();
    this.#sendDisplayed();
  }

  // ── requests ──

  #request(frame) {
    const answered = this.#requests.add(frame);
    if (this.#ready) this.#requests.dispatch(frame);
    return answered;
  }

  /** What one user left unsent must not be sent as another user. */
  #disown() {
    this.#requests.failAll({ code: 4503, message: "another user is signed in" });
    this.#displayed.clear();
  }

  /** Begin a new session next time. What is on screen is still of this journal. */
  #forget() {
    const { epoch } = this.#memory.get("position") ?? {};
    this.#memory.set("position", epoch ? { epoch } : null);
    this.#gapAt = null;
    this.#session.release();
  }

  #forgetBeyond(from) {
    for (const offset of this.#displayed) if (!(offset <= from)) this.#displayed.delete(offset);
    this.#gapAt = null;
  }

  #status(state, detail = {}) {
    if (!navigator.onLine && (state === "connecting" || state === "waiting")) state = "offline";
    this.#state = state;
    this.#tell("status", { state, ...detail });
  }
  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
