// greenroom.v1 for the browser: one class that keeps every duty of a client (docs/protocol.md).
// It knows no DOM beyond the page's visibility. It speaks by DOM events:
//   status  {state: "connecting" | "live" | "waiting" | "closed", retryAt?, code?, reason?}
//   ready   the server's ready frame        events  {events: [...]} in order, each once
//   reset   what was seen is void (a new journal or another user): draw anew from history
//   answered {id, thread, run} or {id, error}: what became of a say
//   refused {code, message}: an error frame that belongs to no request

const FIRST_DELAY = 500, LONGEST_DELAY = 20_000; // ms, before full jitter
const ACK_EVERY_MS = 50, ACK_EVERY_EVENTS = 32;
const DISPLAYED_EVERY_MS = 120, DISPLAYED_AT_MOST = 200;
const STABLE_AFTER_MS = 5_000; // a connection that lived this long forgets earlier failures
const OPEN_WITHIN_MS = 15_000; // the server's own two deadlines for opening are 10 s each
const LONGEST_TIMER = 2 ** 31 - 1;
export const LARGEST_FRAME = 64 * 1024;

export const randomId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

export const byteLength = (text) => new TextEncoder().encode(text).length;

const bearer = (token) =>
  "greenroom.bearer." +
  btoa(String.fromCharCode(...new TextEncoder().encode(token)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export class RequestFailed extends Error {
  constructor({ code, message, temporary }) {
    super(message);
    Object.assign(this, { code, temporary });
  }
}

export class Client extends EventTarget {
  #url; #tokens; #memory; #socket = null; #ready = null;
  #attempts = 0; #closing = null; #retry = null; #watchdog = null; #stable = null; #opening = null;
  #refresh = null;
  #ackTimer = null; #unacked = 0; #acked = 0; #displayedTimer = null; #displayed = new Set();
  #pending = new Map(); #gapAt = null; #wanted = false;

  /** tokens: async ({renew}) => token or null; memory: {get(name), set(name, value)}, kept across reloads. */
  constructor({ url, tokens, memory }) {
    super();
    [this.#url, this.#tokens, this.#memory] = [url, tokens, memory];
    for (const frame of this.unanswered) this.#expect(frame).catch(() => {}); // told by "answered"
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#flush();
      else this.#hurry();
    });
    addEventListener("pagehide", () => this.#flush());
    addEventListener("online", () => this.#hurry());
  }

  get live() { return this.#ready !== null; }
  get user() { return this.#ready?.user ?? this.#memory.get("user"); }
  get unanswered() { return this.#memory.get("unanswered") ?? []; }

  connect({ fresh = false } = {}) {
    if (fresh) this.#forget();
    this.#wanted = true;
    this.#attempts = 0;
    this.#open({ renew: false });
  }

  /** Speak; the answer comes as an "answered" event with this id. The frame is kept until it is answered, over reconnects and reloads: 
   *  it starts one run. Raises RangeError when it is larger than a frame may be. */
  say(body, thread) {
    const frame = { type: "say", id: randomId(), body, ...(thread ? { thread } : {}) };
    if (byteLength(JSON.stringify(frame)) > LARGEST_FRAME) throw new RangeError("frame too big");
    this.#memory.set("unanswered", [...this.unanswered, frame]);
    this.#request(frame).catch(() => {}); // told by "answered"
    return frame.id;
  }

  cancel(run) { return this.#request({ type: "cancel", id: randomId(), run }); }
  history(query) { return this.#request({ type: "history", id: randomId(), ...query }); }

  /** These events are before the user's eyes. */
  displayed(offsets) {
    for (const offset of offsets) this.#displayed.add(offset);
    this.#displayedTimer ??= setTimeout(() => this.#sendDisplayed(), DISPLAYED_EVERY_MS);
  }

  // ── the socket ──

  async #open({ renew }) {
    this.#drop();
    const attempt = (this.#opening = Symbol("attempt"));
    this.#status("connecting");
    const token = await this.#tokens({ renew });
    if (attempt !== this.#opening) return;
    if (!token) return this.#status("closed", { code: 4500, reason: "no token" });
    const socket = new WebSocket(this.#url, ["greenroom.v1", bearer(token)]);
    this.#socket = socket;
    const ifCurrent = (act) => (event) => this.#socket === socket && act(event);
    this.#watch(OPEN_WITHIN_MS);
    socket.onopen = ifCurrent(() => this.#send(this.#hello()));
    socket.onmessage = ifCurrent(({ data }) => this.#received(data));
    socket.onclose = ifCurrent(({ code, reason }) => this.#lost(code, reason));
  }

  #hello() {
    const { session, epoch, offset } = this.#memory.get("position") ?? {};
    return { type: "hello", client: { name: "greenroom-page", version: "1" }, features: ["position"],
             ...(session ? { session, epoch, ...(offset == null ? {} : { offset }) } : {}) };
  }

  #lost(code, reason) {
    const closing = this.#closing;
    const opened = this.#ready !== null || closing !== null;
    this.#drop();
    code = closing?.code ?? code;
    reason = closing?.reason || reason;
    if (code === 4500 && this.#attempts++ < 2) return this.#open({ renew: true });
    if ((code >= 4500 && code < 5000) || !this.#wanted) return this.#status("closed", { code, reason });
    const told = closing?.reconnect;
    const delay = told
      ? told.after_ms + Math.random() * told.jitter_ms
      : Math.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#status("waiting", { retryAt: Date.now() + delay, code, reason });
    // A browser hides a 401 behind 1006, so a handshake that failed may mean a stale token.
    this.#retry = setTimeout(() => this.#open({ renew: !opened }), delay);
  }

  #hurry() { if (this.#retry !== null) this.#open({ renew: false }); }

  #drop() {
    for (const timer of [this.#retry, this.#watchdog, this.#stable, this.#ackTimer, this.#refresh]) clearTimeout(timer);
    this.#retry = this.#watchdog = this.#stable = this.#ackTimer = this.#ready = this.#closing = null;
    this.#opening = this.#refresh = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** Silence this long is a dead socket: half-open TCP says nothing for many minutes. */
  #watch(ms) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lost(4101, "the server fell silent"), Math.min(ms, LONGEST_TIMER));
  }

  // ── what the server sends ──

  #received(text) {
    const frame = JSON.parse(text);
    if (this.#ready) this.#watch(1.5 * this.#ready.heartbeat);
    switch (frame.type) {
      case "ready": return this.#becomeReady(frame);
      case "events": return this.#takeEvents(frame);
      case "reply": return this.#settle(frame);
      case "ping": return this.#takePing(frame);
      case "closing": this.#closing = frame; return;
      case "error": return this.#tell("refused", frame);
    }
  }

  #becomeReady(frame) {
    this.#ready = frame;
    this.#watch(1.5 * frame.heartbeat);
    this.#stable = setTimeout(() => { this.#attempts = 0; }, STABLE_AFTER_MS);
    const before = this.#memory.get("position");
    const user = this.#memory.get("user");
    const isVoid = (before && before.epoch !== frame.epoch) || (user && user !== frame.user);
    const resumed = before?.session === frame.session && frame.recovered && !isVoid;
    // Not recovered, but asked to be: what comes first is where the journal still begins.
    const offset = resumed ? before.offset : before?.session && !isVoid ? null : frame.offset;
    this.#memory.set("position", { session: frame.session, epoch: frame.epoch, offset });
    this.#memory.set("user", frame.user);
    this.#acked = offset ?? 0;
    this.#planRefresh(frame.expires);
    this.#status("live");
    if (user && user !== frame.user) this.#disown();
    if (isVoid) this.#tell("reset", { sameUser: !user || user === frame.user });
    this.#tell("ready", { ...frame, resumed });
    for (const { frame: request } of this.#pending.values()) this.#send(request);
    if (this.#displayed.size) this.displayed([]);
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
      fresh.push(event);
    }
    if (fresh.length) this.#hand(fresh, position);
  }

  /** Frames keep their order: an event that was written before the ping and is not here is lost. */
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
    const all = [...this.#displayed].sort((a, b) => a - b);
    this.#displayed.clear();
    this.#ack(); // received comes before displayed
    for (let i = 0; i < all.length; i += DISPLAYED_AT_MOST)
      this.#send({ type: "displayed", offsets: all.slice(i, i + DISPLAYED_AT_MOST) });
  }

  #flush() {
    this.#ack();
    this.#sendDisplayed();
  }

  // ── requests: each is answered once, and sent again after a reconnect until it is ──

  #request(frame) {
    const answered = this.#expect(frame);
    if (this.#ready) this.#send(frame);
    return answered;
  }

  #expect(frame) {
    return new Promise((resolve, reject) => this.#pending.set(frame.id, { frame, resolve, reject, tries: 0 }));
  }

  #settle({ id, ok, error, ...result }) {
    const request = this.#pending.get(id);
    if (!request) return;
    if (!ok && error.temporary && request.tries++ < 3)
      return setTimeout(() => this.#ready && this.#send(request.frame), 1_000 * 2 ** request.tries);
    this.#pending.delete(id);
    const rest = this.unanswered.filter((frame) => frame.id !== id);
    if (request.frame.type === "say") {
      this.#memory.set("unanswered", rest);
      this.#tell("answered", { id, error, ...result });
    }
    if (ok) request.resolve(result);
    else request.reject(new RequestFailed(error));
  }

  #planRefresh(expires) {
    if (!expires) return;
    const left = expires - Date.now();
    if (left <= 0) return; // just accepted, so our clock is wrong: the server closes 4104 in time
    this.#refresh = setTimeout(async () => {
      const token = await this.#tokens({ renew: true });
      if (!token || !this.#ready) return;
      this.#request({ type: "refresh", id: randomId(), token })
        .then((reply) => this.#planRefresh(reply.expires))
        .catch((error) => this.#tell("refused", error));
    }, Math.min(Math.max(left - 60_000, left / 2, 1_000), LONGEST_TIMER));
  }

  /** Nothing that one user left unsent may go out in another's name. */
  #disown() {
    for (const { reject } of this.#pending.values()) reject(new RequestFailed({ code: 4503, message: "another user is signed in" }));
    this.#pending.clear();
    this.#displayed.clear();
    this.#memory.set("unanswered", []);
  }

  #forget() {
    this.#memory.set("position", null);
    this.#gapAt = null;
  }

  #status(state, detail = {}) { this.#tell("status", { state, ...detail }); }
  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
