//#region \0rolldown/runtime.js
var __defProp = Object.defineProperty;
var __esmMin = (fn, res) => () => (fn && (res = fn(fn = 0)), res);
var __exportAll = (all, no_symbols) => {
	let target = {};
	for (var name in all) {
		__defProp(target, name, {
			get: all[name],
			enumerable: true
		});
	}
	if (!no_symbols) {
		__defProp(target, Symbol.toStringTag, { value: "Module" });
	}
	return target;
};

//#endregion
//#region ../js/src/errors.ts
/** What a client's methods fail with. `code` is a close code (docs/protocol.md, "Close codes"); `temporary` says whether the same
*  call may succeed later. */
var GreenroomError = class extends Error {
	code;
	temporary;
	constructor({ code, message, temporary }) {
		super(message);
		this.name = "GreenroomError";
		this.code = code;
		this.temporary = temporary;
	}
};

//#endregion
//#region ../js/src/event_stream.ts
const MOST$1 = 4096;
const TOO_SLOW = 4103;
/** What a source pushes is read in order, from now on. A reader that is too slow gets an error in place of what it missed. */
var EventStream = class {
	#items = [];
	#isOver = false;
	#error;
	#wake;
	#leave;
	/** `follow` is called with this stream, and returns what ends it. */
	constructor(follow) {
		this.#leave = follow(this);
	}
	push(items) {
		if (this.#isOver) return;
		if (this.#items.length > MOST$1) return this.end(new GreenroomError({
			code: TOO_SLOW,
			message: `more than ${MOST$1} events waited to be read`,
			temporary: true
		}));
		for (const item of items) this.#items.push(item);
		this.#wake?.();
	}
	/** Nothing follows what was pushed. */
	end(error) {
		this.#isOver = true;
		this.#error = error;
		if (error) this.#items = [];
		this.#wake?.();
	}
	async next() {
		while (!this.#items.length && !this.#isOver) await new Promise((resolve) => this.#wake = resolve);
		if (this.#items.length) return {
			done: false,
			value: this.#items.shift()
		};
		this.#leave();
		if (this.#error) throw this.#error;
		return {
			done: true,
			value: void 0
		};
	}
	async return() {
		this.#items = [];
		this.end();
		return this.next();
	}
	[Symbol.asyncIterator]() {
		return this;
	}
};

//#endregion
//#region ../js/src/protocol/events.ts
/** The offsets of the events that one event stands for, its own the last. */
function offsetsOf({ offset, data }) {
	return "merges" in data && data.merges ? [...data.merges, offset] : [offset];
}

//#endregion
//#region ../js/src/clock.ts
const systemClock = {
	now: () => performance.now(),
	date: () => Date.now(),
	setTimeout: (act, ms) => setTimeout(act, ms),
	clearTimeout: (timer) => clearTimeout(timer)
};

//#endregion
//#region ../js/src/emitter.ts
var Emitter = class {
	#listeners = /* @__PURE__ */ new Map();
	/** Returns what ends it. */
	on(name, listener) {
		const listeners = this.#listeners.get(name) ?? /* @__PURE__ */ new Set();
		this.#listeners.set(name, listeners.add(listener));
		return () => void listeners.delete(listener);
	}
	emit(name, value) {
		for (const listener of [...this.#listeners.get(name) ?? []]) guard(() => listener(value));
	}
};
function guard(act) {
	try {
		act();
	} catch (error) {
		console.error("a listener failed:", error);
	}
}

//#endregion
//#region ../js/src/endpoint.ts
/** The URL of `/live`: of `ws(s)://` or `http(s)://`, in a browser also relative to the page. The path is `/live` if it has none. */
function endpoint(url) {
	const live = new URL(String(url).replace(/^ws/i, "http"), globalThis.location?.href);
	if (live.pathname === "/") live.pathname = "/live";
	return live;
}
/** A token as a subprotocol: a browser sends no header of ours with an upgrade, and a URL would be logged. */
const bearer = (token) => "greenroom.bearer." + btoa(String.fromCharCode(...new TextEncoder().encode(token))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

//#endregion
//#region ../js/src/protocol/codes.ts
var NO_CODE, BAD_DATA, FRAME_TOO_BIG, HEARTBEAT_MISSED, TOKEN_EXPIRING, POSITION_LOST, BAD_TOKEN, PROTOCOL_ERROR, IDENTITY_CHANGED, SUPERSEDED, RATE_LIMIT, DISCONNECTED;
var init_codes = __esmMin((() => {
	NO_CODE = 1006;
	BAD_DATA = 1007;
	FRAME_TOO_BIG = 1009;
	HEARTBEAT_MISSED = 4101;
	TOKEN_EXPIRING = 4104;
	POSITION_LOST = 4106;
	BAD_TOKEN = 4500;
	PROTOCOL_ERROR = 4502;
	IDENTITY_CHANGED = 4503;
	SUPERSEDED = 4504;
	RATE_LIMIT = 4507;
	DISCONNECTED = 4509;
}));

//#endregion
//#region ../js/src/link.ts
init_codes();
function openSocket(Socket, { url, token, on }) {
	const socket = new Socket(url.href.replace(/^http/, "ws"), ["greenroom.v1", ...token ? [bearer(token)] : []]);
	socket.onopen = () => on("opened");
	socket.onmessage = ({ data }) => on("received", String(data));
	socket.onerror = () => {};
	socket.onclose = ({ code, reason }) => on("lost", code || 1006, reason);
	return {
		send: (text) => socket.readyState === 1 && socket.send(text),
		close: () => socket.close()
	};
}

//#endregion
//#region ../js/src/page_life.ts
const LOOK_MS = 1e3, SLEPT_MS = 5e3;
/** Watch the page, if there is one; `leave` is called when it is left. Returns what ends it. */
function watchPage(on, leave, clock) {
	const end = new AbortController();
	const { signal } = end;
	const page = globalThis.document;
	const look = () => page.hidden ? on("hidden") : on("woke");
	const listeners = {
		online: () => on("woke", true),
		offline: () => on("offline"),
		visibilitychange: look,
		freeze: () => on("hidden"),
		resume: () => on("woke"),
		pagehide: ({ persisted }) => {
			on(persisted ? "suspend" : "hidden");
			leave();
		},
		pageshow: ({ persisted }) => persisted && on("woke")
	};
	for (const [name, listener] of Object.entries(listeners)) globalThis.addEventListener?.(name, listener, {
		signal,
		capture: true
	});
	if (page) watchClock(clock, signal, () => page.hidden || on("woke"));
	return () => end.abort();
}
/** While a machine sleeps timers stand still and the clock goes on; no event says so. */
function watchClock(clock, signal, woke) {
	const before = clock.date();
	clock.setTimeout(() => {
		if (signal.aborted) return;
		if (clock.date() - before > SLEPT_MS) woke();
		watchClock(clock, signal, woke);
	}, LOOK_MS);
}

//#endregion
//#region ../js/src/protocol/frames.ts
/** A frame as text. The server refuses half a surrogate pair, which is no text (RFC 8259 §8.2): U+FFFD takes its place.
*  JSON.stringify writes such a half as an escape of its own, and nothing else as \ud8.. to \udf... */
const encode = (frame) => globalThis.JSON.stringify(frame).replace(/\\(?:u(d[89a-f][0-9a-f]{2})|.)/g, (escape, half) => half ? "�" : escape);
const byteLength = (text) => new TextEncoder().encode(text).length;

//#endregion
//#region ../js/src/protocol/open_asks.ts
/** Those that are open after these events; the same list if nothing changed. */
function stillOpen(asks, events) {
	for (const event of events) {
		if (!event.kind.startsWith("input_") || !("ask" in event.data)) continue;
		const { ask } = event.data;
		asks = asks.filter(({ data }) => data.ask !== ask);
		if (event.kind === "input_requested") asks = [...asks, event];
	}
	return asks;
}

//#endregion
//#region ../js/src/protocol/position.ts
/** The position after a `ready`: ours if the server knows it, otherwise the place that it sends from. */
function opened(before, ready) {
	const { session, epoch, user, from } = ready;
	const isOther = before !== void 0 && (before.epoch !== epoch || before.user !== user);
	if (before && ready.recovered && !isOther) return {
		position: {
			...before,
			session,
			event: before.event ?? eventAt(before.offset, ready)
		},
		beyond: void 0,
		isOther
	};
	const beyond = isOther ? 0 : before && from;
	return {
		position: {
			session,
			epoch,
			user,
			offset: from,
			event: eventAt(from, ready)
		},
		beyond,
		isOther
	};
}
const eventAt = (offset, ready) => offset === ready.from ? ready.event ?? void 0 : void 0;
/** The events of a frame that are new, up to the first gap, and the position after them. A gap at `allowed` is none: the
*  server left it after a resume, too, and that is its last word on it. */
function advance(position, events, allowed) {
	const fresh = [];
	let { offset, event: known } = position;
	let isGap = false;
	for (const event of events) {
		const end = event.kind === "superseded" ? Math.max(event.offset, event.data.through) : event.offset;
		if (end <= offset) continue;
		isGap = event.offset > offset + 1 && offset !== allowed;
		if (isGap) break;
		known = end === event.offset ? event.id : void 0;
		offset = end;
		fresh.push(event);
	}
	return {
		fresh,
		isGap,
		position: {
			...position,
			offset,
			event: known
		}
	};
}

//#endregion
//#region ../js/src/protocol/arrivals.ts
var Arrivals = class {
	position;
	asks = [];
	/** Events since the last ack. */
	unacked = 0;
	#do;
	#acked = 0;
	#gapAt;
	constructor(position, act) {
		[this.position, this.#do] = [position, act];
	}
	place(position) {
		this.position = position;
		this.#do("save", "position", position);
	}
	get hello() {
		const { session, epoch, offset, event } = this.position ?? {};
		return {
			type: "hello",
			session,
			epoch,
			offset,
			event,
			client: {
				name: "greenroom-js",
				version: "1"
			},
			features: [
				"position",
				"large",
				"asks",
				"threads"
			]
		};
	}
	ready(ready) {
		const result = opened(this.position, ready);
		this.place(result.position);
		this.#acked = result.position.offset;
		this.unacked = 0;
		if (result.beyond !== void 0) this.#gapAt = void 0;
		return result;
	}
	/** Hand over what is new. Returns why to leave, if that is so. */
	events(epoch, events) {
		if (epoch !== this.position?.epoch) return "another journal answers";
		const { fresh, isGap, position } = advance(this.position, events, this.#gapAt);
		if (fresh.length) this.#deliver(fresh, position);
		return isGap ? this.#gap(position.offset) : void 0;
	}
	/** Frames keep their order: an event written before the ping that has not arrived is lost. Returns why to leave, if that is so. */
	ping(written) {
		const offset = this.position?.offset ?? 0;
		return written !== void 0 && written > offset && offset !== this.#gapAt ? this.#gap(offset) : void 0;
	}
	/** The ack that is due; asking for it counts as sending it. */
	ack() {
		this.unacked = 0;
		const offset = this.position?.offset ?? 0;
		return offset > this.#acked ? {
			type: "ack",
			offset: this.#acked = offset
		} : void 0;
	}
	setAsks(asks) {
		if (asks === this.asks || !asks.length && !this.asks.length) return;
		this.asks = asks;
		this.#do("tell", "asks", asks);
	}
	#deliver(fresh, position) {
		this.place(position);
		this.#do("tell", "events", fresh);
		this.setAsks(stillOpen(this.asks, fresh));
		this.unacked += fresh.length;
	}
	/** The same gap again after a resume is the server's last word on it. */
	#gap(offset) {
		this.#gapAt = offset;
		return "an event did not arrive";
	}
};

//#endregion
//#region ../js/src/protocol/coming_back.ts
init_codes();
const FIRST_MS = 500, LONGEST_MS = 2e4;
/** Codes that are final, or not, without regard to `isTemporary`: final unless this excuse holds. */
const FINAL_UNLESS = {
	[BAD_DATA]: "wasDropped",
	[FRAME_TOO_BIG]: "wasDropped",
	[BAD_TOKEN]: "hasTries",
	[PROTOCOL_ERROR]: "wasHello",
	[SUPERSEDED]: "isForgotten",
	[DISCONNECTED]: "wasAsked"
};
/** What would be refused again is left out. */
function isFinal(code, excuses) {
	const excuse = FINAL_UNLESS[code];
	return excuse ? !excuses[excuse] : !isTemporary(code);
}
/** Exponential with full jitter: `random` is from 0 to 1, `attempts` from 0. */
const backOff = (random, attempts) => random * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempts);
/** Whether the same client may come back as it is. */
const isTemporary = (code) => code < 4500 || code > 4999;
/** Codes after which the next token must be a new one. */
const wantsNewToken = (code) => code === 4104 || code === 4500 || code === 4509;

//#endregion
//#region ../js/src/protocol/attempts.ts
init_codes();
const BAD_TOKENS = 2;
var Attempts = class {
	#env;
	#via = "websocket";
	#count = 0;
	#unopened = 0;
	#badTokens = 0;
	constructor(env) {
		this.#env = env;
	}
	/** Whether another token may be accepted. */
	get hasTries() {
		return this.#badTokens < BAD_TOKENS;
	}
	begin() {
		this.#count = this.#unopened = this.#badTokens = 0;
	}
	/** Server-sent events take each third turn, after two of WebSocket; what worked is kept to. */
	next() {
		return this.#via = this.#unopened % 3 === 2 ? "sse" : "websocket";
	}
	ready() {
		this.#badTokens = 0;
		this.#unopened = this.#via === "sse" ? 2 : 0;
	}
	/** The connection has lived long enough to forget earlier failures. */
	stable() {
		this.#count = 0;
	}
	/** Another network may let WebSockets pass. */
	online() {
		this.#unopened = 0;
	}
	lost(code, wasOpen) {
		if (!wasOpen) this.#unopened += 1;
		if (code === 4500) this.#badTokens += 1;
	}
	/** The ms to wait before the next attempt, at least as long as the server asked for. */
	wait(asked) {
		const { random } = this.#env;
		const wanted = asked ? asked.after_ms + random() * asked.jitter_ms : 0;
		return this.#count++ || !asked ? Math.max(wanted, backOff(random(), this.#count - 1)) : wanted;
	}
};

//#endregion
//#region ../js/src/protocol/liveness.ts
const OPEN_MS = 15e3;
const AWAKE_MS = 2500;
const SLOWEST_LINK = 4 * 1024;
const LONGEST_TIMER$1 = 2 ** 31 - 1;
var Liveness = class {
	#do;
	#probe;
	#large = 0;
	constructor(act) {
		this.#do = act;
	}
	/** A connection begins to open; `isProbed`: one that was opening may be dead. */
	opening(isProbed = false) {
		this.#watch(isProbed ? AWAKE_MS : OPEN_MS);
	}
	heard(frame) {
		this.#large = frame.type === "large" ? 1e3 * frame.bytes / SLOWEST_LINK : 0;
	}
	/** Something came. */
	alive(heartbeat) {
		this.#watch((this.#probe ? AWAKE_MS : 1.5 * heartbeat) + this.#large);
	}
	/** The request to ask for a sign of life with, unless one waits. Before the first event nothing needs an ack; this answer is
	*  short and cheap for the server. */
	ask(id) {
		this.#watch(AWAKE_MS + this.#large);
		if (this.#probe) return void 0;
		this.#probe = id;
		return {
			type: "history",
			id,
			before: 1,
			limit: 1
		};
	}
	isSign(id) {
		const isSign = id === this.#probe;
		if (isSign) this.#probe = void 0;
		return isSign;
	}
	over() {
		this.#probe = void 0;
		this.#large = 0;
		this.#do("wait", "silent");
	}
	#watch(ms) {
		this.#do("wait", "silent", Math.min(ms, LONGEST_TIMER$1));
	}
};

//#endregion
//#region ../js/src/protocol/pacer.ts
const SHARE = .8;
var Pacer = class {
	#perMs = 0;
	#burst = 0;
	#level = 0;
	#at = 0;
	/** A new connection has a new allowance. The defaults are the server's own, until it says. */
	restart(now, perSecond = 50, burst = 100) {
		this.#perMs = SHARE * perSecond / 1e3;
		this.#level = this.#burst = Math.max(1, SHARE * burst);
		this.#at = now;
	}
	/** 0 if a frame may go now, which counts it; otherwise the ms to wait. */
	take(now) {
		this.#level = Math.min(this.#burst, this.#level + this.#perMs * (now - this.#at));
		this.#at = now;
		if (this.#level < 1) return (1 - this.#level) / this.#perMs;
		this.#level -= 1;
		return 0;
	}
};

//#endregion
//#region ../js/src/protocol/reports.ts
const MOST_DISPLAYED = 1e4, MOST_CONFIRMED = 256;
const AT_ONCE$1 = 200;
const OFFSET_BYTES = 20;
var Reports = class {
	#displayed = /* @__PURE__ */ new Set();
	#confirmed = [];
	displayed(offsets) {
		for (const offset of offsets) this.#displayed.add(offset);
		for (const offset of this.#displayed) if (this.#displayed.size > MOST_DISPLAYED) this.#displayed.delete(offset);
	}
	confirm(frame) {
		this.#confirmed = [...this.#confirmed, frame].slice(-MOST_CONFIRMED);
	}
	/** The next report to send, if there is one. */
	next(maxFrameBytes = 16 * 1024) {
		const offsets = [...this.#displayed].sort((a, b) => a - b).slice(0, Math.min(AT_ONCE$1, Math.floor(maxFrameBytes / OFFSET_BYTES)));
		for (const offset of offsets) this.#displayed.delete(offset);
		return offsets.length ? {
			type: "displayed",
			offsets
		} : this.#confirmed.shift();
	}
	/** The connection is gone with these frames in its queue: their reports are to be made again. */
	lost(frames) {
		for (const frame of frames) {
			if (frame.type === "displayed") this.displayed(frame.offsets);
			if (frame.type === "confirm") this.confirm(frame);
		}
	}
	/** Events beyond this offset no longer count, and neither do reports on them. */
	forget(beyond) {
		this.#displayed = new Set([...this.#displayed].filter((offset) => offset <= beyond));
		this.#confirmed = this.#confirmed.filter(({ offset }) => offset <= beyond);
	}
};

//#endregion
//#region ../js/src/protocol/outgoing.ts
var Outgoing = class {
	reports = new Reports();
	#env;
	#requests;
	#do;
	#pacer = new Pacer();
	#queue = [];
	constructor(env, requests, act) {
		[this.#env, this.#requests, this.#do] = [
			env,
			requests,
			act
		];
	}
	/** A new connection has a new allowance. */
	begin({ frames_per_second, frames_burst }) {
		this.#pacer.restart(this.#env.now(), frames_per_second, frames_burst);
	}
	/** Send in its turn. An ack covers those before it: one that waits is replaced. */
	send(frame) {
		if (frame.type === "ack") this.#queue = this.#queue.filter(({ type }) => type !== "ack");
		this.#queue.push(frame);
		this.pump();
	}
	/** Send before everything that waits. */
	sendFirst(frame) {
		this.#queue.unshift(frame);
		this.pump();
	}
	/** What is due. */
	sendRequests() {
		for (const frame of this.#requests.due()) this.send(frame);
		this.#do("wait", "dispatch", this.#requests.wait);
	}
	/** Returns whether all reports are on their way. */
	sendReports(maxFrameBytes) {
		while (!this.#queue.length) {
			const frame = this.reports.next(maxFrameBytes);
			if (!frame) return true;
			this.send(frame);
		}
		return false;
	}
	pump() {
		let ms;
		while (this.#queue.length && !(ms = this.#pacer.take(this.#env.now()))) {
			const frame = this.#queue.shift();
			if ("id" in frame) this.#requests.wrote(frame.id);
			this.#do("send", frame);
		}
		if (this.#queue.length) this.#do("wait", "pace", ms);
	}
	/** The connection is gone: what had no answer is sent again on the next one. */
	lost() {
		this.reports.lost(this.#queue);
		this.#requests.lost();
		this.#queue = [];
		this.#do("wait", "pace");
	}
};

//#endregion
//#region ../js/src/protocol/renewal.ts
const LONGEST_TIMER = 2 ** 31 - 1;
var Renewal = class {
	#env;
	#do;
	#failures = 0;
	#id;
	constructor(env, act) {
		[this.#env, this.#do] = [env, act];
	}
	/** A token was accepted that expires at `expires`: ask for another a minute before, half-way through a shorter one. Not at all
	*  where it does not expire, or seems to have: the server has just accepted it, so our clock is wrong, and 4104 comes in time. */
	plan(expires) {
		const left = (expires ?? 0) - this.#env.date();
		this.#failures = 0;
		this.#do("wait", "renew", left > 0 ? Math.min(Math.max(left - 6e4, left / 2, 1e3), LONGEST_TIMER) : void 0);
	}
	/** There is none yet, or it was refused; the connection lives on. */
	later() {
		this.#do("wait", "renew", 1e3 + backOff(this.#env.random(), this.#failures++));
	}
	request(token) {
		return {
			type: "refresh",
			id: this.#id = this.#env.id(),
			token
		};
	}
	/** Returns whether this was the answer to our request. */
	answered(reply) {
		if (reply.id !== this.#id) return false;
		if (reply.ok) this.plan(reply["expires"]);
		else this.later();
		return true;
	}
};

//#endregion
//#region ../js/src/protocol/requests.ts
init_codes();
const MOST = 256;
const TRIES = 3;
var Requests = class {
	#env;
	#do;
	#pending = /* @__PURE__ */ new Map();
	#largest = 1024 * 1024;
	constructor(env, act) {
		[this.#env, this.#do] = [env, act];
	}
	/** Every `say` without an answer. */
	get said() {
		return this.#all.map(({ frame }) => frame).filter((frame) => frame.type === "say");
	}
	/** Keep it until it is answered, unless it can never be sent. */
	add(frame) {
		if (this.#pending.has(frame.id)) return;
		const bytes = byteLength(encode(frame));
		if (bytes > this.#largest) return this.#tell(frame, tooBig(bytes, this.#largest));
		if (this.#pending.size >= MOST) return this.#tell(frame, {
			...refusal(RATE_LIMIT, `${MOST} requests wait already`),
			temporary: true
		});
		this.#pending.set(frame.id, {
			frame,
			bytes,
			tries: 0,
			due: this.#env.now(),
			wasSent: false
		});
		this.#save(frame);
	}
	/** Requests to send now. They count as handed over. */
	due() {
		const due = this.#all.filter((request) => request.due <= this.#env.now());
		for (const request of due) request.due = Infinity;
		return due.map(({ frame }) => frame);
	}
	/** The ms until the next request is due, if one is. */
	get wait() {
		const next = Math.min(...this.#all.map(({ due }) => due));
		return next < Infinity ? next - this.#env.now() : void 0;
	}
	wrote(id) {
		const request = this.#pending.get(id);
		if (request) request.wasSent = true;
	}
	/** A temporary refusal is tried again later, a few times. */
	answered(reply) {
		const request = this.#pending.get(reply.id);
		if (!request) return;
		if (reply.ok) this.#settle(request, void 0, reply);
		else if (reply.error.temporary && request.tries < TRIES) request.due = this.#env.now() + 1e3 * 2 ** ++request.tries;
		else this.#settle(request, reply.error);
	}
	/** The connection is gone: everything is due again. */
	lost() {
		for (const request of this.#all) [request.due, request.wasSent] = [this.#env.now(), false];
	}
	/** The server closed the connection with `code`: give up the requests that made it do so, the largest of those in the air, or
	*  all of them where the code does not tell which. Returns whether there was one. */
	broke(code, reason) {
		const sent = this.#all.filter(({ wasSent }) => wasSent).sort((a, b) => b.bytes - a.bytes);
		if (code === 1009) sent.length &&= 1;
		else if (code !== 1007 && code !== 4502) return false;
		for (const request of sent) this.#settle(request, code === 1009 ? tooBig(request.bytes) : refusal(code, `the server could not read it: ${reason}`));
		return sent.length > 0;
	}
	/** The server takes frames of this many bytes. */
	limit(largest) {
		this.#largest = largest;
		for (const request of this.#all) if (request.bytes > largest) this.#settle(request, tooBig(request.bytes, largest));
	}
	/** No answer is waited for any more; `isSaidKept`: except to what was said. */
	giveUp(failure, isSaidKept) {
		for (const request of this.#all) if (!isSaidKept || request.frame.type !== "say") this.#settle(request, failure);
	}
	get #all() {
		return [...this.#pending.values()];
	}
	#settle({ frame }, error, result) {
		this.#pending.delete(frame.id);
		this.#save(frame);
		this.#tell(frame, error, result);
	}
	#tell(frame, error, result) {
		const { id } = frame;
		if (frame.type === "say" && error) this.#do("tell", "refused", {
			id,
			body: frame.body,
			error
		});
		else if (frame.type === "say") this.#do("tell", "said", {
			id,
			run: String(result?.["run"]),
			thread: String(result?.["thread"])
		});
		this.#do("settle", id, error, result);
	}
	/** What was said outlives the page. */
	#save({ type }) {
		if (type === "say") this.#do("save", "unanswered", this.said);
	}
};
const refusal = (code, message) => ({
	code,
	message,
	temporary: false
});
/** 16.4 kB */
const kilobytes = (bytes) => `${Math.round(bytes / 100) / 10} kB`;
const tooBig = (bytes, most) => refusal(FRAME_TOO_BIG, `it takes ${kilobytes(bytes)}, and the server takes ${most === void 0 ? "less" : `${kilobytes(most)} at most`}`);

//#endregion
//#region ../js/src/protocol/saved.ts
const isPosition = (saved) => typeof saved === "object" && saved !== null && "epoch" in saved && "offset" in saved && Number.isSafeInteger(saved.offset);
const LONGEST_ID = 128;
const isSay = (saved) => typeof saved === "object" && saved !== null && "type" in saved && saved.type === "say" && "id" in saved && typeof saved.id === "string" && saved.id !== "" && saved.id.length <= LONGEST_ID;

//#endregion
//#region ../js/src/protocol/states.ts
const TRANSITIONS = {
	connecting: {
		ready: "ready",
		lost: "reconnecting",
		ended: "closed"
	},
	ready: {
		lost: "reconnecting",
		ended: "closed",
		connect: "connecting"
	},
	reconnecting: {
		ready: "ready",
		alive: "ready",
		lost: "reconnecting",
		ended: "closed",
		connect: "connecting"
	},
	closed: { connect: "connecting" }
};

//#endregion
//#region ../js/src/protocol/machine.ts
init_codes();
const ACK_MS = 50, ACK_EVENTS = 32;
const REPORT_MS = 120;
const STABLE_MS = 5e3;
var Machine = class {
	state = "closed";
	reason = null;
	ready;
	arrivals;
	#env;
	#attempts;
	#requests;
	#outgoing;
	#liveness;
	#renewal;
	#commands = [];
	#phase = "idle";
	#closing;
	#tokenReason = "connect";
	#isHidden = false;
	#isOffline = false;
	constructor(env, { position, unanswered }) {
		const act = (...command) => this.#do(...command);
		this.#env = env;
		this.#attempts = new Attempts(env);
		this.#requests = new Requests(env, act);
		this.#outgoing = new Outgoing(env, this.#requests, act);
		this.#liveness = new Liveness(act);
		this.#renewal = new Renewal(env, act);
		this.arrivals = new Arrivals(isPosition(position) ? position : void 0, act);
		for (const frame of Array.isArray(unanswered) ? unanswered : []) if (isSay(frame)) this.#requests.add(frame);
		if (Array.isArray(unanswered)) act("save", "unanswered", this.said);
	}
	/** What is to be done because of an input. */
	after([name, ...what]) {
		this[name](...what);
		const commands = this.#commands;
		this.#commands = [];
		return commands;
	}
	connect() {
		this.#attempts.begin();
		this.#move("connect");
		this.#open("connect");
	}
	close(reason = null) {
		this.report();
		this.#drop();
		this.#end(reason);
	}
	/** Every `say` without an answer. */
	get said() {
		return this.#requests.said;
	}
	request(frame) {
		this.#requests.add(frame);
		this.dispatch();
	}
	displayed(offsets) {
		this.#outgoing.reports.displayed(offsets);
		this.#do("wait", "report", REPORT_MS);
	}
	confirm(frame) {
		this.#outgoing.reports.confirm(frame);
		this.report();
	}
	typing(thread) {
		if (this.ready) this.#outgoing.send({
			type: "typing",
			thread
		});
	}
	hidden() {
		this.#isHidden = true;
		this.report();
	}
	/** The machine or the tab may have slept, or is on another network. */
	woke(isOnline = false) {
		this.#isHidden = false;
		if (isOnline) this.#isOffline = false;
		if (isOnline && !this.ready) this.#attempts.online();
		if (this.#phase === "waiting") this.#open("connect");
		else if (this.ready) this.#askForLife();
		else if (this.#phase !== "idle") this.#liveness.opening(true);
	}
	/** The browser may be wrong, above all about a server on this machine: that one answers. */
	offline() {
		this.#isOffline = true;
		this.#move("lost", this.#reason(NO_CODE, "offline"));
		if (this.ready) this.#askForLife();
	}
	/** The browser keeps the page for later, without a connection. */
	suspend() {
		if (this.state === "closed") return;
		this.report();
		this.#drop();
		this.#phase = "waiting";
		this.#move("lost", this.#reason(NO_CODE, "the page was left"));
	}
	retry() {
		this.#open(this.#tokenReason);
	}
	silent() {
		this.lost(HEARTBEAT_MISSED, "the server fell silent");
	}
	ack() {
		this.#do("wait", "ack");
		const ack = this.ready && this.arrivals.ack();
		if (ack) this.#outgoing.send(ack);
	}
	pace() {
		this.#outgoing.pump();
	}
	/** Received comes before displayed. */
	report() {
		this.#do("wait", "report");
		if (!this.ready) return;
		this.ack();
		if (!this.#outgoing.sendReports(this.ready.max_frame_bytes)) this.#do("wait", "report", REPORT_MS);
	}
	stable() {
		this.#attempts.stable();
	}
	renew() {
		if (this.ready) this.#do("renew", this.ready.connection);
	}
	dispatch() {
		if (this.ready) this.#outgoing.sendRequests();
	}
	opened() {
		this.#phase = "open";
		this.#do("send", this.arrivals.hello);
	}
	/** No token could be had. */
	noToken(message, reason) {
		this.#comeBack(NO_CODE, `no token could be had: ${message}`, reason);
	}
	/** A token to take the place of the one that expires; undefined if there is none yet. Cookies ("") cannot be renewed on a
	*  connection: the server closes it in time, and the next one has newer ones. */
	renewed(connection, token) {
		if (connection !== this.ready?.connection) return;
		if (token) this.#outgoing.send(this.#renewal.request(token));
		else if (token === void 0) this.#renewal.later();
	}
	/** Another tab speaks for this session: begin one of our own, at the same place. */
	forgetSession() {
		const { position } = this.arrivals;
		if (position) this.arrivals.place({
			...position,
			session: void 0
		});
	}
	/** Anything came: the connection lives. */
	alive() {
		if (this.ready) this.#liveness.alive(this.ready.heartbeat);
	}
	received(frame) {
		this.#liveness.heard(frame);
		this.alive();
		switch (frame.type) {
			case "ready": return this.#becomeReady(frame);
			case "events": return this.#takeEvents(frame);
			case "reply": return this.#takeReply(frame);
			case "ping": return this.#takePing(frame.offset);
			case "closing":
				this.#closing = frame;
				return;
			case "erased":
				this.arrivals.setAsks(this.arrivals.asks.filter(({ thread }) => thread !== frame.thread));
				return this.#do("tell", "erased", frame);
			case "typing": return this.#do("tell", "typing", frame);
			case "error": return this.ready ? this.#do("tell", "error", frame) : this.lost(frame.code, frame.message);
		}
	}
	/** The connection ended, or must. */
	lost(code, reason, asked = this.#closing?.reconnect) {
		if (this.#closing) ({code, reason} = this.#closing);
		const wasOpen = this.#phase === "open";
		const wasHello = !this.ready && this.arrivals.position !== void 0;
		const { hasTries } = this.#attempts;
		const excuses = {
			wasAsked: !!asked,
			wasDropped: this.#requests.broke(code, reason),
			wasHello,
			hasTries,
			isForgotten: true
		};
		this.#attempts.lost(code, wasOpen);
		this.#drop();
		if (isFinal(code, excuses)) return this.#end(this.#reason(code, reason));
		if (code === 4504) this.forgetSession();
		if (code === 4502) this.#forget();
		this.#comeBack(code, reason, wasOpen && !wantsNewToken(code) ? "connect" : "refused", asked);
	}
	#open(reason) {
		this.#drop();
		this.#phase = "opening";
		this.#liveness.opening();
		this.#do("open", this.#attempts.next(), reason);
	}
	#comeBack(code, message, reason, asked) {
		const ms = this.#attempts.wait(asked);
		this.#drop();
		this.#phase = "waiting";
		this.#tokenReason = reason;
		this.#do("wait", "retry", ms);
		this.#move("lost", {
			...this.#reason(code, message),
			retryAt: this.#env.date() + ms
		});
	}
	#drop() {
		for (const timer of [
			"retry",
			"ack",
			"stable",
			"renew"
		]) this.#do("wait", timer);
		this.ready = this.#closing = void 0;
		this.#phase = "idle";
		this.#liveness.over();
		this.#outgoing.lost();
		this.#do("drop");
	}
	#becomeReady(ready) {
		const { position } = this.arrivals;
		this.#phase = "open";
		this.ready = ready;
		this.#attempts.ready();
		this.alive();
		this.#do("wait", "stable", STABLE_MS);
		this.#outgoing.begin(ready);
		this.#renewal.plan(ready.expires);
		const { beyond, isOther } = this.arrivals.ready(ready);
		if (beyond !== void 0) this.#reset(beyond, isOther);
		if (position && position.user !== ready.user) this.#disown();
		this.arrivals.setAsks(ready.asks ?? []);
		this.#move("ready");
		this.#requests.limit(ready.max_frame_bytes ?? Infinity);
		this.dispatch();
		this.report();
	}
	#takeEvents({ epoch, events }) {
		const { unacked } = this.arrivals;
		const why = this.arrivals.events(epoch, events);
		if (this.arrivals.unacked >= ACK_EVENTS || this.#isHidden) this.ack();
		else if (!unacked && this.arrivals.unacked) this.#do("wait", "ack", ACK_MS);
		if (why) this.lost(POSITION_LOST, why);
	}
	#takePing(written) {
		const why = this.arrivals.ping(written);
		if (why) this.lost(POSITION_LOST, why);
		else this.#outgoing.send({ type: "pong" });
	}
	#takeReply(reply) {
		if (this.#liveness.isSign(reply.id)) {
			this.alive();
			return this.#move("alive");
		}
		if (this.#renewal.answered(reply)) return;
		this.#requests.answered(reply);
		this.dispatch();
	}
	#askForLife() {
		const probe = this.#liveness.ask(this.#env.id());
		if (probe) this.#outgoing.sendFirst(probe);
	}
	#reset(beyond, isOther) {
		this.#outgoing.reports.forget(beyond);
		this.#do("tell", "reset", {
			beyond,
			isOther
		});
	}
	/** The server refused our position: begin without one. */
	#forget() {
		this.arrivals.place(void 0);
		this.#reset(0, true);
	}
	/** What one user left unsent must not be sent as another user. */
	#disown() {
		this.#requests.giveUp(refusal(IDENTITY_CHANGED, "another user is signed in"), false);
		this.#outgoing.reports.forget(-1);
	}
	/** No answer comes any more. What was said is kept for the next connection. */
	#end(reason) {
		this.#do("wait", "dispatch");
		const { code, message } = reason ?? {
			code: 1006,
			message: "the client was closed"
		};
		this.#requests.giveUp({
			code,
			message,
			temporary: true
		}, true);
		this.#move("ended", reason);
	}
	#reason(code, message) {
		return {
			code,
			message,
			offline: this.#isOffline
		};
	}
	#move(cause, reason = null) {
		const oldState = this.state;
		const newState = TRANSITIONS[oldState][cause];
		if (!newState) return;
		[this.state, this.reason] = [newState, reason];
		this.#do("tell", "state", {
			newState,
			oldState,
			reason
		});
	}
	#do(...command) {
		this.#commands.push(command);
	}
};

//#endregion
//#region ../js/src/session_lock.ts
const RELOAD_MS = 1e3;
var SessionLock = class {
	#locks;
	#session;
	#release = Promise.resolve(null);
	constructor(locks) {
		this.#locks = locks;
	}
	/** Hold this session and no other. Resolves to false when another live tab holds it. */
	async take(session) {
		if (!this.#locks) return true;
		if (session !== this.#session) {
			this.release();
			this.#session = session;
			this.#release = hold(this.#locks, `greenroom.session.${session}`);
		}
		const isTaken = await this.#release !== null;
		if (!isTaken && session === this.#session) this.#session = void 0;
		return isTaken;
	}
	release() {
		this.#release.then((release) => release?.());
		this.#session = void 0;
	}
};
/** A function that releases the lock, or null when another tab holds it. */
function hold(locks, name) {
	return new Promise((resolve) => {
		locks.request(name, { signal: AbortSignal.timeout(RELOAD_MS) }, () => new Promise((release) => resolve(release))).catch((error) => resolve(error.name === "TimeoutError" || error.name === "AbortError" ? null : () => {}));
	});
}

//#endregion
//#region ../js/src/store.ts
var Memory = class {
	#store;
	#prefix;
	constructor(store, prefix) {
		this.#prefix = prefix;
		this.#store = store === void 0 ? sessionStore() : store;
	}
	get(name) {
		try {
			return JSON.parse(this.#store?.getItem(this.#prefix + name) ?? "null");
		} catch {
			return null;
		}
	}
	set(name, value) {
		try {
			this.#store?.removeItem(this.#prefix + name);
			if (value !== void 0) this.#store?.setItem(this.#prefix + name, JSON.stringify(value));
		} catch {}
	}
};
/** A browser may throw at the very name. */
function sessionStore() {
	try {
		return globalThis.sessionStorage ?? null;
	} catch {
		return null;
	}
}

//#endregion
//#region ../js/src/sse.ts
var sse_exports = /* @__PURE__ */ __exportAll({ openEventStream: () => openEventStream });
/** `GET /live/events`, and `POST /live/frames` beside it. */
function openEventStream(fetcher, options) {
	return new EventStreamLink(fetcher, options);
}
function query({ session, epoch, offset, event, features }) {
	const given = Object.entries({
		session,
		epoch,
		offset,
		event,
		features: features.join()
	});
	return new URLSearchParams(given.flatMap(([name, value]) => value === void 0 ? [] : [[name, String(value)]]));
}
/** An HTTP answer in the words of close codes. A 404 says that the stream of a post is over. */
function ending({ status, headers }, text) {
	if (status === 401) return [BAD_TOKEN, text];
	const seconds = Number(headers.get("Retry-After"));
	return [
		NO_CODE,
		`${status}: ${text.slice(0, 200)}`,
		seconds > 0 ? {
			after_ms: 1e3 * seconds,
			jitter_ms: 1e3
		} : null
	];
}
var MOST_FRAMES, MOST_CHARACTERS, EventStreamLink, Messages, path;
var init_sse = __esmMin((() => {
	init_codes();
	MOST_FRAMES = 100, MOST_CHARACTERS = 64 * 1024;
	EventStreamLink = class {
		#fetch;
		#options;
		#abort = new AbortController();
		#messages = new Messages();
		#connection;
		#queue = [];
		#isPosting = false;
		constructor(fetcher, options) {
			[this.#fetch, this.#options] = [fetcher, options];
			this.#read();
		}
		/** No pong is needed, and the request was the hello. */
		send(text, type) {
			if (type === "hello" || type === "pong") return;
			this.#queue.push(text);
			this.#post();
		}
		close() {
			this.#abort.abort();
		}
		get #headers() {
			const { token } = this.#options;
			return token ? { Authorization: `Bearer ${token}` } : {};
		}
		async #read() {
			const { url, hello, on } = this.#options;
			try {
				const response = await this.#fetch.call(globalThis, `${path(url, "events")}?${query(hello)}`, {
					headers: this.#headers,
					signal: this.#abort.signal
				});
				if (!response.ok || !response.body) return on("lost", ...ending(response, await response.text()));
				const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
				for (let chunk; !(chunk = await reader.read()).done;) this.#take(chunk.value);
				on("lost", NO_CODE, "the stream ended");
			} catch (error) {
				on("lost", NO_CODE, String(error));
			}
		}
		#take(chunk) {
			this.#options.on("alive");
			for (const frame of this.#messages.take(chunk)) this.#frame(frame);
		}
		#frame(text) {
			if (this.#connection === void 0) this.#connection = JSON.parse(text).connection;
			this.#options.on("received", text);
		}
		/** One post at a time keeps the frames in order; what waits meanwhile goes with the next one. */
		async #post() {
			if (this.#isPosting || !this.#queue.length) return;
			this.#isPosting = true;
			try {
				await this.#postOnce(this.#batch());
			} catch (error) {
				this.#options.on("lost", NO_CODE, String(error));
			}
			this.#isPosting = false;
			this.#post();
		}
		async #postOnce(frames) {
			const { url, on } = this.#options;
			const response = await this.#fetch.call(globalThis, `${path(url, "frames")}?connection=${this.#connection}`, {
				method: "POST",
				headers: {
					...this.#headers,
					"Content-Type": "application/json"
				},
				body: `[${frames.join()}]`,
				signal: this.#abort.signal
			});
			if (!response.ok) return on("lost", ...ending(response, await response.text()));
			for (const reply of await response.json()) on("received", JSON.stringify(reply));
		}
		#batch() {
			let characters = 0;
			const fits = (text) => (characters += text.length) <= MOST_CHARACTERS;
			const end = this.#queue.findIndex((text, index) => index === MOST_FRAMES || !fits(text) && index > 0);
			return this.#queue.splice(0, end < 0 ? this.#queue.length : end);
		}
	};
	Messages = class {
		#rest = "";
		#held = [];
		take(chunk) {
			const blocks = (this.#rest + chunk).replaceAll("\r\n", "\n").split("\n\n");
			this.#rest = blocks.pop() ?? "";
			return blocks.flatMap((block) => this.#frame(block));
		}
		#frame(block) {
			const fields = new Map(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
			const data = fields.get("data");
			if (data === void 0) return [];
			if (fields.has("event")) return [data];
			this.#held.push(data);
			const id = fields.get("id");
			if (id === void 0) return [];
			const events = this.#held.join();
			this.#held = [];
			return [`{"type":"events","epoch":${JSON.stringify(id.slice(0, id.lastIndexOf(":")))},"events":[${events}]}`];
		}
	};
	path = (url, name) => `${url.origin}${url.pathname}/${name}`;
}));

//#endregion
//#region ../js/src/shell.ts
init_codes();
var ClientShell = class {
	machine;
	emitter = new Emitter();
	#options;
	#url;
	#clock;
	newId;
	#memory;
	#lock;
	#timers = /* @__PURE__ */ new Map();
	#waiting = /* @__PURE__ */ new Map();
	#commands = [];
	#isBusy = false;
	#link;
	#attempt;
	#leavePage;
	constructor(options) {
		const { url, store, clock = systemClock, random = Math.random, newId = randomId, locks = globalThis.navigator?.locks } = options;
		this.#options = options;
		this.#url = endpoint(url);
		[this.#clock, this.newId] = [clock, newId];
		this.#memory = new Memory(store, `greenroom:${this.#url.href}:`);
		this.#lock = new SessionLock(locks);
		const { now, date } = clock;
		this.machine = new Machine({
			now,
			date,
			random,
			id: newId
		}, {
			position: this.#memory.get("position"),
			unanswered: this.#memory.get("unanswered")
		});
	}
	connect() {
		this.#leavePage ??= watchPage((...input) => this.input(...input), () => this.#lock.release(), this.#clock);
		this.input("connect");
	}
	request(request, id = this.newId()) {
		return new Promise((resolve, reject) => {
			if (this.#waiting.has(id)) return reject(new GreenroomError(refusal(PROTOCOL_ERROR, `${id} still waits for its answer`)));
			this.#waiting.set(id, {
				resolve,
				reject
			});
			this.input("request", {
				...request,
				id
			});
		});
	}
	/** Commands are carried out in the order in which they came, also those of listeners. */
	input(...input) {
		this.#commands.push(...this.machine.after(input));
		if (this.#isBusy) return;
		this.#isBusy = true;
		for (let command; command = this.#commands.shift();) this.#perform(command);
		this.#isBusy = false;
	}
	#heard(...input) {
		if (input[0] !== "received") return this.input(...input);
		const frame = parsed(input[1]);
		if (!frame) return this.input("lost", POSITION_LOST, "the server sent an unusable frame");
		this.emitter.emit("frame", {
			isSent: false,
			frame
		});
		this.input("received", frame);
	}
	#perform([name, ...what]) {
		this[name](...what);
	}
	async open(via, reason) {
		const attempt = this.#attempt = {};
		const ifCurrent = (...input) => attempt === this.#attempt && this.#heard(...input);
		try {
			await this.#takeSession();
			const token = await this.#options.getToken({ reason });
			const open = await this.#opener(via);
			if (attempt !== this.#attempt) return;
			if (token === null) return this.#signedOut();
			const { hello } = this.machine.arrivals;
			this.#link = open({
				url: this.#url,
				token,
				hello,
				on: ifCurrent
			});
		} catch (error) {
			if (attempt === this.#attempt) this.input("noToken", error instanceof Error ? error.message : String(error), reason);
		}
	}
	drop() {
		this.#attempt = void 0;
		this.#link?.close();
		this.#link = void 0;
	}
	send(frame) {
		this.#link?.send(encode(frame), frame.type);
		this.emitter.emit("frame", {
			isSent: true,
			frame
		});
	}
	wait(timer, ms) {
		this.#clock.clearTimeout(this.#timers.get(timer));
		if (ms !== void 0) this.#timers.set(timer, this.#clock.setTimeout(() => this.input(timer), ms));
	}
	save(name, value) {
		this.#memory.set(name, value);
	}
	async renew(connection) {
		try {
			const token = await this.#options.getToken({ reason: "refresh" });
			if (token === null) this.#signedOut();
			else this.input("renewed", connection, token);
		} catch {
			this.input("renewed", connection, void 0);
		}
	}
	settle(id, error, result) {
		const waiting = this.#waiting.get(id);
		this.#waiting.delete(id);
		if (error) waiting?.reject(new GreenroomError(error));
		else waiting?.resolve(result);
	}
	tell(...[name, value]) {
		if (name === "state") this.#stateChanged(value.newState === "ready", value.newState === "closed");
		this.emitter.emit(name, value);
		if (name === "events") for (const event of value) this.emitter.emit(event.kind, event);
	}
	#signedOut() {
		this.input("close", {
			code: BAD_TOKEN,
			message: "the user is signed out",
			offline: false
		});
	}
	#stateChanged(isReady, isClosed) {
		if (isReady) this.#takeSession();
		if (!isClosed) return;
		this.#leavePage?.();
		this.#leavePage = void 0;
		this.#lock.release();
	}
	/** A duplicated tab has the session of the first one, which keeps it: this one begins another. */
	async #takeSession() {
		const session = this.machine.arrivals.position?.session;
		if (session && !await this.#lock.take(session)) this.input("forgetSession");
	}
	/** Where WebSockets do not pass, the other transport is loaded. */
	async #opener(via) {
		const { WebSocket: Socket = globalThis.WebSocket, fetch: fetcher = globalThis.fetch } = this.#options;
		if (via === "websocket" && Socket) return (options) => openSocket(Socket, options);
		const { openEventStream } = await Promise.resolve().then(() => (init_sse(), sse_exports));
		return (options) => openEventStream(fetcher, options);
	}
};
function parsed(text) {
	try {
		return JSON.parse(text);
	} catch {
		return;
	}
}
function randomId() {
	return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

//#endregion
//#region ../js/src/upload.ts
var upload_exports = /* @__PURE__ */ __exportAll({
	discard: () => discard,
	upload: () => upload
});
/** Part after part; a part without an answer is sent again after a reconnect, and the next one begins where the server says. */
async function upload(shell, blob, { file = shell.newId(), name, media, onProgress, signal }) {
	const { size } = blob;
	signal?.throwIfAborted();
	for (let start = 0, isKept = false; !isKept; isKept = start >= size) {
		const room = Math.floor(((shell.machine.ready?.max_frame_bytes ?? LEAST) - AROUND) / 4) * 3;
		const data = base64(new Uint8Array(await blob.slice(start, start + room).arrayBuffer()));
		start = (await shell.request({
			type: "file",
			file,
			start,
			size,
			data
		})).received;
		if (signal?.aborted) discard(shell, file).catch(() => {});
		signal?.throwIfAborted();
		onProgress?.(Math.min(start, size));
	}
	return {
		file,
		name: name ?? ("name" in blob ? String(blob.name) : "file"),
		media: media ?? (blob.type || "application/octet-stream"),
		size
	};
}
/** Have the server forget an upload at once. One that a message has stays. */
async function discard(shell, file) {
	await shell.request({
		type: "discard",
		file
	});
}
function base64(bytes) {
	let text = "";
	for (let at = 0; at < bytes.length; at += AT_ONCE) text += btoa(String.fromCharCode(...bytes.subarray(at, at + AT_ONCE)));
	return text;
}
var AROUND, LEAST, AT_ONCE;
var init_upload = __esmMin((() => {
	AROUND = 512;
	LEAST = 65536;
	AT_ONCE = 8190;
}));

//#endregion
//#region ../js/src/client.ts
var Client = class {
	#shell;
	/** Does nothing until `connect` is called. */
	constructor(options) {
		this.#shell = new ClientShell(options);
	}
	/** Whose token it is, once the server has said so. */
	get user() {
		return this.#shell.machine.arrivals.position?.user;
	}
	get state() {
		return this.#shell.machine.state;
	}
	/** Why there is no connection; null while there is one. */
	get reason() {
		return this.#shell.machine.reason;
	}
	/** The questions that wait for the user, in any thread. */
	get asks() {
		return this.#shell.machine.arrivals.asks;
	}
	/** What was said and not answered yet, also before a reload. */
	get unanswered() {
		return this.#shell.machine.said;
	}
	/** What the server does of what this client can use; none while there is no connection. */
	get features() {
		return this.#shell.machine.ready?.features ?? [];
	}
	/** Connect, or connect again after the client was closed. */
	connect() {
		this.#shell.connect();
		return this;
	}
	/** Stay disconnected until `connect` is called. Closing cancels no run. */
	close() {
		this.#shell.input("close");
	}
	/** Listen: `on("state", …)`, `on("events", …)`, `on("partial_result", …)`. Returns what ends it. */
	on(name, listener) {
		return this.#shell.emitter.on(name, listener);
	}
	/** Every event from now on: in order, each once. */
	[Symbol.asyncIterator]() {
		return new EventStream((stream) => {
			const ends = [this.on("events", (events) => stream.push(events)), this.on("state", ({ newState }) => newState === "closed" && stream.end())];
			return () => ends.forEach((end) => end());
		});
	}
	/** Speak; starts a run. The message is kept until it is answered, over reconnects and reloads, and starts one run. */
	say(body, { thread, id, files } = {}) {
		const said = this.#shell.request({
			type: "say",
			body,
			thread,
			files
		}, id);
		said.catch(() => {});
		return said;
	}
	/** The files that the agent takes; undefined if it takes none, or while there is no connection. */
	get files() {
		return this.#shell.machine.ready?.files;
	}
	/** Send a file, for a `say` within the hour. It goes on where it stopped after a reconnect; after a reload with the same `file`. Aborted, it is discarded. */
	async upload(blob, options = {}) {
		return (await Promise.resolve().then(() => (init_upload(), upload_exports))).upload(this.#shell, blob, options);
	}
	/** Have the server forget a file at once: its `file`. One that a message has stays. */
	async discard(file) {
		return (await Promise.resolve().then(() => (init_upload(), upload_exports))).discard(this.#shell, file);
	}
	/** Stop a run; its end arrives as an event. */
	async cancel(run) {
		await this.#shell.request({
			type: "cancel",
			run
		});
	}
	/** The last `limit` events (1 to 200) of a thread, or of all of them, before the offset `before`. */
	history({ thread, before, limit = 100 } = {}) {
		return this.#shell.request({
			type: "history",
			thread,
			before,
			limit
		});
	}
	/** The user's threads, the one used last first. `before`: the last one of the page before, or its `updated`. */
	threads({ before, limit = 100, archived } = {}) {
		return this.#shell.request({
			type: "threads",
			before,
			limit,
			archived
		});
	}
	changeThread(thread, change) {
		return this.#shell.request({
			type: "thread",
			thread,
			...change
		});
	}
	async erase(thread) {
		await this.#shell.request({
			type: "erase",
			thread
		});
	}
	/** Answer a question. The first answer counts: the error 4508 says that there is another one. */
	answer(question, value) {
		const ask = typeof question === "string" ? question : question.data.ask;
		return this.#shell.request({
			type: "answer",
			ask,
			value
		});
	}
	/** These events are before the user's eyes. */
	displayed(...events) {
		this.#shell.input("displayed", events.flatMap(offsetsOf));
	}
	/** The user got value from an event, or says not. */
	confirm(event, verdict, note) {
		this.#shell.input("confirm", {
			type: "confirm",
			offset: event.offset,
			verdict,
			note
		});
	}
	/** The user types in a thread: the user's other tabs hear it. Not kept while there is no connection. */
	typing(thread) {
		this.#shell.input("typing", thread);
	}
};
/** A client of the server at `url`, which keeps one session over any number of connections. */
const connect = (options) => new Client(options).connect();

//#endregion
//#region ../js/src/displayed.ts
/** Report the events of an element as displayed once it is in view. Returns what ends it. */
function displayedInView(client, element, ...events) {
	const observer = new IntersectionObserver((entries) => {
		if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
		observer.disconnect();
		client.displayed(...events);
	});
	observer.observe(element);
	return () => observer.disconnect();
}

//#endregion
//#region ../js/src/views/run_state.ts
const emptyRun = (run) => ({
	run,
	status: "waiting",
	attempt: 0,
	text: "",
	thoughts: [],
	tools: [],
	questions: []
});
const hasEnded = ({ status }) => status !== "waiting" && status !== "running";
function fold(run, event) {
	return {
		...run,
		thread: event.thread,
		parent: event.parent ?? void 0,
		...change(run, event)
	};
}
function change(run, { kind, data }) {
	switch (kind) {
		case "user_said": return { said: data.body };
		case "agent_started": return {
			...anew(run),
			agent: data.agent,
			status: "running",
			attempt: data.attempt ?? 1
		};
		case "agent_thinking": return think(run, data);
		case "partial_result": return { text: run.text + data.text };
		case "tool_executing": return { tools: [...run.tools, {
			...data,
			status: "executing"
		}] };
		case "tool_completed": return { tools: run.tools.map((tool) => tool.tool_call === data.tool_call ? completed(tool, data) : tool) };
		case "input_requested": return { questions: [...run.questions, {
			...data,
			status: "open"
		}] };
		case "input_answered": return settled(run, data.ask, {
			status: "answered",
			value: data.value
		});
		case "input_closed": return settled(run, data.ask, { status: data.reason });
		case "final_report": return { report: data.report };
		case "agent_completed": return {
			status: data.outcome,
			usage: data.usage
		};
		case "agent_failed": return {
			status: "failed",
			error: data
		};
		case "superseded": return {};
	}
}
/** The attempt that was interrupted has said what this one says again. */
const anew = ({ text, earlier = [] }) => text && {
	text: "",
	earlier: [...earlier, text]
};
function think(run, { text, thought, index }) {
	if (thought === void 0 || index === void 0) return { thinking: text };
	const thoughts = [...run.thoughts];
	while (thoughts.length <= thought) thoughts.push("");
	thoughts[thought] += text;
	return { thoughts };
}
const completed = (tool, { result, error }) => ({
	...tool,
	result,
	error,
	status: error === void 0 ? "completed" : "failed"
});
const settled = ({ questions }, ask, change) => ({ questions: questions.map((question) => question.ask === ask ? {
	...question,
	...change
} : question) });

//#endregion
//#region ../js/src/views/run.ts
var Run = class {
	id;
	#log;
	#empty;
	constructor(log, id) {
		[this.#log, this.id, this.#empty] = [
			log,
			id,
			emptyRun(id)
		];
	}
	/** The same object until something changes. */
	get state() {
		return this.#log.runState(this.id) ?? this.#empty;
	}
	/** Call `changed` whenever `state` is another. Returns what ends it. */
	subscribe(changed) {
		return this.#log.subscribe(() => this.state, changed);
	}
	/** Fetch what is missing of it from the history, back to its beginning. */
	async load() {
		const isWhole = () => this.#log.events(this.id).some(isFirst);
		for (let more = true, before; more && !isWhole();) {
			const page = await this.#log.client.history({
				thread: this.state.thread,
				before,
				limit: 200
			});
			this.#log.add(page.events);
			[more, before] = [page.more, page.events[0]?.offset];
		}
	}
	/** Stop it; its end arrives as an event. */
	cancel() {
		return this.#log.client.cancel(this.id);
	}
	/** The same. */
	stop() {
		return this.cancel();
	}
	/** Its events, those that are known first, to its end or the client's. */
	[Symbol.asyncIterator]() {
		return new EventStream((stream) => {
			const endIfOver = () => {
				if (hasEnded(this.state) || this.#log.client.state === "closed") stream.end();
			};
			stream.push(this.#log.events(this.id));
			endIfOver();
			const ends = [this.#log.client.on("events", (events) => {
				stream.push(events.filter(({ run }) => run === this.id));
				endIfOver();
			}), this.#log.client.on("state", endIfOver)];
			return () => ends.forEach((end) => end());
		});
	}
};
/** What the user said comes first, or where nobody said anything the start of the first attempt. */
const isFirst = ({ kind, data }) => kind === "user_said" || kind === "agent_started" && !data.attempt;

//#endregion
//#region ../js/src/views/thread.ts
var Thread = class {
	id;
	#log;
	constructor(log, id) {
		[this.#log, this.id] = [log, id];
	}
	/** The same object until something changes. */
	get state() {
		return this.#log.threadState(this.id);
	}
	/** Call `changed` whenever `state` is another. Returns what ends it. */
	subscribe(changed) {
		return this.#log.subscribe(() => this.state, changed);
	}
	/** Fetch the newest `limit` events before those that are known. */
	async load(limit = 100) {
		const page = await this.#log.client.history({
			thread: this.id,
			before: this.#log.earliest(this.id),
			limit
		});
		this.#log.add(page.events);
		if (!page.more) this.#log.isWhole(this.id);
	}
	say(body, options = {}) {
		return this.#log.client.say(body, {
			...options,
			thread: this.id
		});
	}
	/** 1 to 200 characters. */
	rename(title) {
		return this.#log.client.changeThread(this.id, { title });
	}
	archive(archived = true) {
		return this.#log.client.changeThread(this.id, { archived });
	}
	/** Erase it for good; its live runs are stopped first. */
	erase() {
		return this.#log.client.erase(this.id);
	}
};

//#endregion
//#region ../js/src/views/event_log.ts
const MOST_BYTES = 8 * 1024 * 1024;
var RunLog = class {
	#run;
	#known = /* @__PURE__ */ new Set();
	events = [];
	bytes = 0;
	state;
	constructor(run) {
		this.#run = run;
		this.state = emptyRun(run);
	}
	/** Returns whether it was new. A merged event takes the place of those that it is made of; later they are not new. */
	add(event) {
		if (this.#known.has(event.offset)) return false;
		const offsets = offsetsOf(event);
		const isNext = event.offset > (this.events.at(-1)?.offset ?? 0) && !offsets.some((offset) => this.#known.has(offset));
		this.events.push(event);
		this.bytes += JSON.stringify(event).length;
		if (isNext) this.state = fold(this.state, event);
		else this.keep(({ offset }) => offset === event.offset || !offsets.includes(offset));
		for (const offset of offsets) this.#known.add(offset);
		return true;
	}
	keep(isKept) {
		this.events = this.events.filter(isKept).sort((a, b) => a.offset - b.offset);
		this.state = this.events.reduce(fold, emptyRun(this.#run));
	}
	forget(beyond) {
		this.keep(({ offset }) => offset <= beyond);
		for (const offset of this.#known) if (offset > beyond) this.#known.delete(offset);
	}
};
const logs = /* @__PURE__ */ new WeakMap();
/** The log of a client, with its events from the first call on. */
function eventLog(client) {
	const log = logs.get(client) ?? new EventLog(client);
	logs.set(client, log);
	return log;
}
var EventLog = class {
	client;
	#runs = /* @__PURE__ */ new Map();
	#threads = /* @__PURE__ */ new Map();
	#whole = /* @__PURE__ */ new Set();
	#listeners = /* @__PURE__ */ new Set();
	#bytes = 0;
	constructor(client) {
		this.client = client;
		client.on("events", (events) => this.add(events));
		client.on("reset", ({ beyond }) => this.#forget(beyond));
		client.on("erased", ({ thread }) => this.#erase(thread));
	}
	run(id) {
		return new Run(this, id);
	}
	thread(id) {
		return new Thread(this, id);
	}
	/** Call `changed` whenever `look()` gives another value. Returns what ends it. */
	subscribe(look, changed) {
		let last = look();
		const listener = () => {
			if (last !== (last = look())) changed();
		};
		this.#listeners.add(listener);
		return () => void this.#listeners.delete(listener);
	}
	runState(id) {
		return this.#runs.get(id)?.state;
	}
	events(run) {
		return this.#runs.get(run)?.events ?? [];
	}
	/** The same object until something in it changes. */
	threadState(id) {
		const known = this.#threads.get(id);
		if (known) return known;
		const thread = {
			thread: id,
			runs: this.#logsOf(id).map(({ state }) => state),
			more: !this.#whole.has(id)
		};
		this.#threads.set(id, thread);
		return thread;
	}
	/** The first offset that is known of a thread. */
	earliest(thread) {
		return this.#logsOf(thread)[0]?.events[0]?.offset;
	}
	add(events) {
		for (const event of events) {
			if (event.kind === "superseded") continue;
			const log = this.#runs.get(event.run) ?? new RunLog(event.run);
			this.#runs.set(event.run, log);
			this.#bytes -= log.bytes;
			if (log.add(event)) this.#threads.delete(event.thread);
			this.#bytes += log.bytes;
		}
		this.#evict();
		this.#changed();
	}
	/** A page of history had all that there is before it. */
	isWhole(thread) {
		this.#whole.add(thread);
		this.#threads.delete(thread);
		this.#changed();
	}
	/** Events beyond this offset no longer count. */
	#forget(beyond) {
		for (const [run, log] of this.#runs) {
			log.forget(beyond);
			if (!log.events.length) this.#delete(run, log);
		}
		this.#threads.clear();
		this.#whole.clear();
		this.#changed();
	}
	#erase(thread) {
		for (const [run, log] of this.#runs) if (log.state.thread === thread) this.#delete(run, log);
		this.isWhole(thread);
	}
	/** In the order of their beginning. */
	#logsOf(thread) {
		return [...this.#runs.values()].filter(({ state }) => state.thread === thread).sort((a, b) => first(a) - first(b));
	}
	#changed() {
		for (const listener of [...this.#listeners]) listener();
	}
	#evict() {
		for (const [run, log] of this.#runs) {
			if (this.#bytes <= MOST_BYTES || this.#runs.size === 1) return;
			this.#delete(run, log);
			this.#whole.delete(log.state.thread ?? "");
		}
	}
	#delete(run, log) {
		this.#bytes -= log.bytes;
		this.#runs.delete(run);
		this.#threads.delete(log.state.thread ?? "");
	}
};
const first = ({ events }) => events[0]?.offset ?? 0;

//#endregion
export { Client, EventLog, GreenroomError, connect, displayedInView, eventLog, offsetsOf };