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
//#region ../js/src/later.ts
/** An iterator that reads another one, once it is there. */
function later(loading) {
	return {
		next: async () => (await loading).next(),
		return: async () => (await loading).return(),
		[Symbol.asyncIterator]() {
			return this;
		}
	};
}
var init_later = __esmMin((() => {}));

//#endregion
//#region ../js/src/protocol/events.ts
/** The offsets of the events that one event stands for, its own the last. */
function offsetsOf({ offset, data }) {
	return "merges" in data && data.merges ? [...data.merges, offset] : [offset];
}
var init_events = __esmMin((() => {}));

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
		for (const listener of [...this.#listeners.get(name) ?? []]) try {
			listener(value);
		} catch (error) {
			console.error("a listener:", error);
		}
	}
};

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
//#region ../js/src/errors.ts
var GreenroomError;
var init_errors = __esmMin((() => {
	GreenroomError = class extends Error {
		constructor({ code, message, temporary }) {
			super(message);
			Object.assign(this, {
				name: "GreenroomError",
				code,
				temporary
			});
		}
	};
}));

//#endregion
//#region ../js/src/protocol/codes.ts
var NO_CODE, BAD_DATA, FRAME_TOO_BIG, HEARTBEAT_MISSED, TOKEN_EXPIRING, POSITION_LOST, BAD_TOKEN, PROTOCOL_ERROR, IDENTITY_CHANGED, SUPERSEDED, RATE_LIMIT, DISCONNECTED, isRefusal;
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
	isRefusal = (code) => code === 1007 || code === 1009 || code >= 4500;
}));

//#endregion
//#region ../js/src/link.ts
init_codes();
function openSocket(Socket, { url, token, on }) {
	const socket = new Socket(url.href.replace(/^http/, "ws"), token ? ["greenroom.v1", bearer(token)] : ["greenroom.v1"]);
	socket.onopen = () => on("opened");
	socket.onmessage = ({ data }) => on("received", data);
	socket.onerror = () => {};
	socket.onclose = ({ code, reason }) => on("lost", code || 1006, reason);
	return {
		send: (text) => socket.readyState === 1 && socket.send(text),
		close: () => socket.close()
	};
}

//#endregion
//#region ../js/src/protocol/frames.ts
/** A frame as text. The server refuses half a surrogate pair, which is no text (RFC 8259 §8.2): U+FFFD takes its place.
*  JSON.stringify writes such a half as an escape of its own, and nothing else as \ud8.. to \udf... */
const encode = (frame) => JSON.stringify(frame).replace(/(\\\\)|\\ud[89a-f]../g, (_, backslash) => backslash ?? "�");
const byteLength = (text) => new TextEncoder().encode(text).length;

//#endregion
//#region ../js/src/protocol/position.ts
/** Where the journal is after an event. */
const endOf = (event) => event.kind === "superseded" ? Math.max(event.offset, event.data.through) : event.offset;
/** The events of a frame that are new, up to the first gap. A gap at `allowed` is none: the server left it after a resume, too, and
*  that is its last word on it. */
function following(offset, events, allowed) {
	const fresh = [];
	for (const event of events) {
		if (endOf(event) <= offset) continue;
		if (event.offset > offset + 1 && offset !== allowed) break;
		offset = endOf(event);
		fresh.push(event);
	}
	return fresh;
}

//#endregion
//#region ../js/src/protocol/arrivals.ts
var Arrivals = class {
	position;
	#do;
	#acked = 0;
	#gapAt;
	constructor(position, act) {
		[this.position, this.#do] = [position, act];
	}
	place(position) {
		this.#do("save", "position", this.position = position);
	}
	get hello() {
		const { user, ...place } = this.position ?? {};
		return {
			type: "hello",
			...place,
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
	get offset() {
		return this.position?.offset ?? 0;
	}
	/** How far what arrived is ahead of what was acknowledged. */
	get unacked() {
		return this.offset - this.#acked;
	}
	/** Stay where we are if the server knows the place, otherwise begin where it sends from. Returns what no longer counts, if it does. */
	ready({ session, epoch, user, from, event, recovered }) {
		const before = this.position;
		const isSame = before?.epoch === epoch && before.user === user;
		const ours = isSame && recovered ? before : void 0;
		const offset = this.#acked = ours?.offset ?? from;
		this.place({
			session,
			epoch,
			user,
			offset,
			event: ours?.event ?? (offset === from && event ? event : void 0)
		});
		if (!before || ours) return void 0;
		this.#gapAt = void 0;
		return {
			beyond: isSame ? from : 0,
			isOther: !isSame
		};
	}
	/** Hand over what is new, and return it. */
	events(events) {
		const fresh = following(this.offset, events, this.#gapAt);
		const last = fresh.at(-1);
		if (!last) return fresh;
		this.place({
			...this.position,
			offset: endOf(last),
			event: last.offset === endOf(last) ? last.id : void 0
		});
		this.#do("tell", "events", fresh);
		return fresh;
	}
	/** Frames keep their order: whether what was written before is lost, as it has not arrived. The same gap again after a resume is
	*  the server's last word on it. */
	isGap(written) {
		if (written <= this.offset || this.#gapAt === this.offset) return false;
		this.#gapAt = this.offset;
		return true;
	}
	/** The ack that is due; asking for it counts as sending it. */
	ack() {
		return this.unacked > 0 ? {
			type: "ack",
			offset: this.#acked = this.offset
		} : void 0;
	}
};

//#endregion
//#region ../js/src/protocol/attempts.ts
const FIRST_MS = 500, LONGEST_MS = 2e4;
const STABLE_MS = 5e3;
var Attempts = class {
	#env;
	#count = 0;
	#unopened = 0;
	#readyAt = Infinity;
	constructor(env) {
		this.#env = env;
	}
	begin() {
		this.#count = this.#unopened = 0;
	}
	/** Server-sent events take each third turn, after two of WebSocket; what worked is kept to. */
	next() {
		return this.#unopened % 3 === 2 ? "sse" : "websocket";
	}
	ready() {
		if (this.next() === "websocket") this.#unopened = 0;
		this.#readyAt = this.#env.now();
	}
	/** Another network may let WebSockets pass. */
	online() {
		this.#unopened = 0;
	}
	lost(wasOpen) {
		if (!wasOpen) this.#unopened += 1;
		if (this.#env.now() - this.#readyAt > STABLE_MS) this.#count = 0;
		this.#readyAt = Infinity;
	}
	/** The ms to wait before the next attempt, at least as long as the server asked for. */
	wait(asked) {
		const failures = this.#count++;
		if (!asked) return this.backOff(failures);
		return Math.max(asked.after_ms + this.#env.random() * asked.jitter_ms, failures && this.backOff(failures));
	}
	/** Exponential with full jitter: the ms to wait after this many failures, from 0. */
	backOff(failures) {
		return this.#env.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
	}
};

//#endregion
//#region ../js/src/protocol/requests.ts
init_codes();
const MOST$1 = 256;
var Requests = class {
	pending = /* @__PURE__ */ new Map();
	#do;
	#largest = 1024 * 1024;
	constructor(act) {
		this.#do = act;
	}
	/** Every `say` without an answer. */
	get said() {
		return this.queued.map(({ frame }) => frame).filter((frame) => frame.type === "say");
	}
	get queued() {
		return [...this.pending.values()];
	}
	/** Keep it until it is answered, unless it can never be sent. */
	add(frame) {
		if (this.pending.has(frame.id)) return;
		const bytes = byteLength(encode(frame));
		if (bytes > this.#largest) return this.conclude(frame, tooBig(bytes, this.#largest));
		if (this.pending.size >= MOST$1) return this.conclude(frame, refusal(RATE_LIMIT, "many wait already", true));
		this.pending.set(frame.id, {
			frame,
			bytes,
			due: 0,
			tries: 0
		});
		this.#save(frame);
	}
	/** The next one to send now. It counts as sent. */
	next(now) {
		const request = this.queued.find(({ due }) => due <= now);
		if (request) request.due = Infinity;
		return request?.frame;
	}
	/** There is no connection: everything is due on the next one. */
	again() {
		for (const request of this.queued) request.due = 0;
	}
	/** The server takes frames of this many bytes. */
	limit(largest = Infinity) {
		this.#largest = largest;
		for (const { frame, bytes } of this.queued) if (bytes > largest) this.conclude(frame, tooBig(bytes, largest));
	}
	/** No answer is waited for any more; `isSaidKept`: except to what was said. */
	giveUp(failure, isSaidKept) {
		for (const { frame } of this.queued) if (!isSaidKept || frame.type !== "say") this.conclude(frame, failure);
	}
	conclude(frame, error, result) {
		const { id } = frame;
		if (this.pending.delete(id)) this.#save(frame);
		if (frame.type === "say" && error) this.#do("tell", "refused", {
			id,
			body: frame.body,
			error
		});
		else if (frame.type === "say") this.#do("tell", "said", {
			id,
			run: result?.["run"],
			thread: result?.["thread"]
		});
		this.#do("settle", id, error, result);
	}
	/** What was said outlives the page. */
	#save({ type }) {
		if (type === "say") this.#do("save", "unanswered", this.said);
	}
};
const refusal = (code, message, temporary = false) => ({
	code,
	message,
	temporary
});
/** 16.4 kB */
const kilobytes = (bytes) => `${Math.round(bytes / 100) / 10} kB`;
const tooBig = (bytes, most) => refusal(FRAME_TOO_BIG, `it takes ${kilobytes(bytes)}, and the server takes ${kilobytes(most)} at most`);

//#endregion
//#region ../js/src/protocol/saved.ts
const LONGEST_ID = 128;
const isPosition = (saved) => Number.isSafeInteger(saved?.["offset"]);
function isSay(saved) {
	const { type, id } = saved ?? {};
	return type === "say" && typeof id === "string" && !!id && id.length <= LONGEST_ID;
}

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
const OPEN_MS = 15e3;
const SLOWEST_LINK = 4 * 1024;
const SHARE$1 = .8;
const MOST_EARLY = 256;
var Machine = class {
	state = "closed";
	reason = null;
	ready;
	asks = [];
	/** How many frames the server takes at once, and how many of them may still go. The upkeep makes room again. */
	burst = 0;
	room = 0;
	phase = "idle";
	env;
	do;
	arrivals;
	attempts;
	requests;
	#upkeep;
	#early = [];
	#own = [];
	#closing;
	#tokenReason = "connect";
	#largeMs = 0;
	/** `act` takes what is to be done. */
	constructor(env, { position, unanswered }, act) {
		[this.env, this.do] = [env, act];
		this.attempts = new Attempts(env);
		this.requests = new Requests(act);
		this.arrivals = new Arrivals(isPosition(position) ? position : void 0, act);
		for (const frame of Array.isArray(unanswered) ? unanswered : []) if (isSay(frame)) this.requests.add(frame);
		if (unanswered) act("save", "unanswered", this.requests.said);
	}
	/** What is the upkeep's waits for it. A refusal always does: nothing goes on without it. */
	hear(...input) {
		const [name, ...what] = input;
		const part = name in this ? this : this.#upkeep;
		if (part) part[name]?.(...what);
		else if (this.#early.length < MOST_EARLY || name === "refused") this.#early.push(input);
	}
	loaded(upkeep) {
		this.#upkeep = upkeep;
		for (const input of this.#early.splice(0)) this.hear(...input);
		if (this.ready) upkeep.begin(this.ready);
	}
	load() {
		if (!this.#upkeep) this.do("load");
	}
	connect() {
		this.attempts.begin();
		this.move("connect");
		this.open("connect");
	}
	close(reason = null) {
		this.ack();
		this.#upkeep?.report();
		this.drop();
		this.end(reason);
	}
	request(frame) {
		this.requests.add(frame);
		this.pace();
	}
	retry() {
		this.open(this.#tokenReason);
	}
	silent() {
		this.lost(HEARTBEAT_MISSED, "silence");
	}
	ack() {
		const ack = this.ready && this.arrivals.ack();
		if (ack) this.send(ack);
	}
	/** Send what is due, in its turn and at the server's pace. */
	pace() {
		while (this.ready && (this.#upkeep ? this.#upkeep.hasRoom(this.ready) : this.room >= 1)) {
			const frame = this.#own.shift() ?? this.requests.next(this.env.now()) ?? this.#upkeep?.next();
			if (!frame) return;
			if (frame.type !== "ack") this.room -= 1;
			this.do("send", frame);
		}
	}
	opened() {
		this.phase = "open";
		this.do("send", this.arrivals.hello);
	}
	noToken(message, reason) {
		this.comeBack(NO_CODE, `no token: ${message}`, reason);
	}
	forgetSession() {
		const { position } = this.arrivals;
		if (position) this.arrivals.place({
			...position,
			session: void 0
		});
	}
	alive() {
		if (this.ready) this.watch(this.#upkeep?.patience ?? 1.5 * this.ready.heartbeat);
	}
	received(frame) {
		this.#largeMs = frame.type === "large" ? 1e3 * frame.bytes / SLOWEST_LINK : 0;
		this.alive();
		switch (frame.type) {
			case "ready": return this.#becomeReady(frame);
			case "events": return this.#takeEvents(frame);
			case "reply": return this.#takeReply(frame);
			case "ping": return this.#takePing(frame.offset);
			case "closing":
				this.#closing = frame;
				return;
			case "erased": this.hear("erased", frame.thread);
			case "typing": return this.do("tell", ...[frame.type, frame]);
			case "error": return this.ready ? this.do("tell", "error", frame) : this.lost(frame.code, frame.message);
		}
	}
	lost(code, reason, asked = this.#closing?.reconnect) {
		if (this.#closing) ({code, reason} = this.#closing);
		const wasOpen = this.phase === "open";
		this.attempts.lost(wasOpen);
		if (isRefusal(code)) return this.#refused(code, reason, asked);
		this.comeBack(code, reason, wasOpen && code !== 4104 ? "connect" : "refused", asked);
	}
	open(reason) {
		this.drop();
		this.requests.again();
		this.phase = "opening";
		this.watch(OPEN_MS);
		this.do("open", this.attempts.next(), reason);
	}
	comeBack(code, message, reason, asked) {
		const ms = this.attempts.wait(asked);
		this.drop();
		this.phase = "waiting";
		this.#tokenReason = reason;
		this.do("wait", "retry", ms);
		this.move("lost", {
			...this.why(code, message),
			retryAt: this.env.date() + ms
		});
	}
	/** This stops all timers, too. */
	drop() {
		this.ready = this.#closing = void 0;
		this.#largeMs = 0;
		this.phase = "idle";
		this.#own = [];
		this.#upkeep?.over();
		this.do("drop");
	}
	/** No answer comes any more. What was said is kept for the next connection. */
	end(reason) {
		const { code, message } = reason ?? {
			code: 1006,
			message: "closed"
		};
		this.requests.giveUp(refusal(code, message, true), true);
		this.move("ended", reason);
	}
	setAsks(asks) {
		if (asks.length || this.asks.length) this.do("tell", "asks", this.asks = asks);
	}
	reset(reset) {
		this.hear("forget", reset.beyond);
		this.do("tell", "reset", reset);
	}
	/** Before all that waits, but for frames of its kind: it takes their place. An ack covers those before it, and so does a pong. */
	send(frame) {
		this.#own = [...this.#own.filter(({ type }) => type !== frame.type), frame];
		this.pace();
	}
	/** The server may be silent for so long before its connection counts as dead: half-open TCP says nothing for many minutes. */
	watch(ms) {
		this.do("wait", "silent", ms + this.#largeMs);
	}
	why(code, message) {
		return {
			code,
			message,
			offline: !!this.#upkeep?.isOffline
		};
	}
	move(cause, reason = null) {
		const oldState = this.state;
		const newState = TRANSITIONS[oldState][cause];
		if (!newState) return;
		[this.state, this.reason] = [newState, reason];
		this.do("tell", "state", {
			newState,
			oldState,
			reason
		});
		if (newState === "ready" || newState === "reconnecting") this.load();
	}
	#becomeReady(ready) {
		const { position } = this.arrivals;
		this.phase = "open";
		this.ready = ready;
		this.attempts.ready();
		this.alive();
		this.room = this.burst = Math.max(1, SHARE$1 * (ready.frames_burst ?? 100));
		const reset = this.arrivals.ready(ready);
		if (reset) this.reset(reset);
		if (position && position.user !== ready.user) this.requests.giveUp(refusal(IDENTITY_CHANGED, "another user"));
		this.#early = this.#early.filter(([name]) => name !== "asked");
		this.setAsks(ready.asks ?? []);
		this.move("ready");
		this.requests.limit(ready.max_frame_bytes);
		this.#upkeep?.begin(ready);
		this.pace();
	}
	#takeEvents({ epoch, events }) {
		const { unacked, position } = this.arrivals;
		if (epoch !== position?.epoch) return this.lost(POSITION_LOST, "another journal");
		for (const event of this.arrivals.events(events)) if ("ask" in event.data) this.hear("asked", event);
		if (this.arrivals.unacked >= ACK_EVENTS || this.#upkeep?.isHidden) this.ack();
		else if (!unacked) this.do("wait", "ack", ACK_MS);
		if (this.arrivals.isGap(Math.max(0, ...events.map(endOf)))) this.#gap();
	}
	#takePing(written = 0) {
		if (this.arrivals.isGap(written)) this.#gap();
		else this.send({ type: "pong" });
	}
	#gap() {
		this.lost(POSITION_LOST, "a gap");
	}
	#takeReply(reply) {
		if (this.#upkeep?.isOwn(reply)) return;
		const request = this.requests.pending.get(reply.id);
		if (!reply.ok) this.hear("denied", reply);
		else if (request) this.requests.conclude(request.frame, void 0, reply);
	}
	/** What would be refused again needs the upkeep's judgement. */
	#refused(code, reason, asked) {
		const wasHello = !this.ready && !!this.arrivals.position;
		this.drop();
		this.phase = "refused";
		if (!this.#upkeep) this.move("lost", this.why(code, reason));
		this.hear("refused", code, reason, asked, wasHello);
	}
};

//#endregion
//#region ../js/src/store.ts
var Memory = class {
	#given;
	#prefix;
	constructor(store, prefix) {
		[this.#given, this.#prefix] = [store, prefix];
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
	/** A browser may throw at the very name of its own. */
	get #store() {
		return this.#given === void 0 ? globalThis.sessionStorage : this.#given;
	}
};

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
//#region ../js/src/page_life.ts
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
	if (page?.hidden) on("hidden");
	if (globalThis.navigator?.onLine === false) on("offline");
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
var LOOK_MS, SLEPT_MS;
var init_page_life = __esmMin((() => {
	LOOK_MS = 1e3, SLEPT_MS = 5e3;
}));

//#endregion
//#region ../js/src/protocol/open_asks.ts
/** Those that are open after an event with an `ask`. */
function stillOpen(asks, event) {
	if (!event.kind.startsWith("input_") || !("ask" in event.data)) return asks;
	const { ask } = event.data;
	const others = asks.filter(({ data }) => data.ask !== ask);
	return event.kind === "input_requested" ? [...others, event] : others;
}
var init_open_asks = __esmMin((() => {}));

//#endregion
//#region ../js/src/protocol/pacer.ts
var SHARE, Pacer;
var init_pacer = __esmMin((() => {
	SHARE = .8;
	Pacer = class {
		#machine;
		#at = 0;
		constructor(machine) {
			this.#machine = machine;
		}
		/** A new connection has all its room. */
		restart() {
			this.#at = this.#machine.env.now();
		}
		/** The ms until a frame may go: 0 or less if one may now. */
		wait(ready) {
			const { env, room, burst } = this.#machine;
			const perMs = SHARE * (ready.frames_per_second ?? 50) / 1e3;
			const now = env.now();
			this.#machine.room = Math.min(burst, room + perMs * (now - this.#at));
			this.#at = now;
			return (1 - this.#machine.room) / perMs;
		}
	};
}));

//#endregion
//#region ../js/src/protocol/refusals.ts
/** What would be refused again is left out. */
function isFinal(code, excuses) {
	const excuse = FINAL_UNLESS[code];
	return !excuse || !excuses[excuse];
}
var FINAL_UNLESS;
var init_refusals = __esmMin((() => {
	init_codes();
	FINAL_UNLESS = {
		[BAD_DATA]: "wasDropped",
		[FRAME_TOO_BIG]: "wasDropped",
		[BAD_TOKEN]: "hasTries",
		[PROTOCOL_ERROR]: "wasHello",
		[SUPERSEDED]: "isForgotten",
		[DISCONNECTED]: "wasAsked"
	};
}));

//#endregion
//#region ../js/src/protocol/renewal.ts
var Renewal;
var init_renewal = __esmMin((() => {
	Renewal = class {
		#env;
		#attempts;
		#do;
		#failures = 0;
		#id;
		constructor({ env, attempts, do: act }) {
			[this.#env, this.#attempts, this.#do] = [
				env,
				attempts,
				act
			];
		}
		/** A token was accepted that expires at `expires`: ask for another a minute before, half-way through a shorter one. Not at all
		*  where it does not expire, or seems to have: the server has just accepted it, so our clock is wrong, and 4104 comes in time. */
		plan(expires) {
			const left = (expires ?? 0) - this.#env.date();
			this.#failures = 0;
			this.#do("wait", "renew", left > 0 ? Math.max(left - 6e4, left / 2, 1e3) : void 0);
		}
		/** There is none yet, or it was refused; the connection lives on. */
		later() {
			this.#do("wait", "renew", 1e3 + this.#attempts.backOff(this.#failures++));
		}
		request(token) {
			return {
				type: "refresh",
				id: this.#id = this.#env.id(),
				token
			};
		}
		/** Returns whether this was the answer to our request. */
		isOwn(reply) {
			if (reply.id !== this.#id) return false;
			if (reply.ok) this.plan(reply["expires"]);
			else this.later();
			return true;
		}
	};
}));

//#endregion
//#region ../js/src/protocol/reports.ts
var MOST_DISPLAYED, MOST_CONFIRMED, AT_ONCE$1, OFFSET_BYTES, Reports;
var init_reports = __esmMin((() => {
	MOST_DISPLAYED = 1e4, MOST_CONFIRMED = 256;
	AT_ONCE$1 = 200;
	OFFSET_BYTES = 20;
	Reports = class {
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
		/** Events beyond this offset no longer count, and neither do reports on them. */
		forget(beyond) {
			this.#displayed = new Set([...this.#displayed].filter((offset) => offset <= beyond));
			this.#confirmed = this.#confirmed.filter(({ offset }) => offset <= beyond);
		}
	};
}));

//#endregion
//#region ../js/src/protocol/second_tries.ts
/** A temporary refusal is tried again later, a few times. */
function retry({ env, requests }, { id, error }) {
	const request = requests.pending.get(id);
	if (!request) return;
	if (error.temporary && request.tries < TRIES) request.due = env.now() + 1e3 * 2 ** ++request.tries;
	else requests.conclude(request.frame, error);
}
/** The ms until the next request is due, if one will be: one that is due already waits for a connection, or for its turn. */
function untilNext({ env, requests }) {
	const now = env.now();
	const next = Math.min(...requests.queued.map(({ due }) => due).filter((due) => due > now));
	return next < Infinity ? next - now : void 0;
}
/** The server closed the connection with `code`: give up the requests that made it do so, the largest of those in the air, or
*  all of them where the code does not tell which. Returns whether there was one. */
function broke({ requests }, code, reason) {
	const sent = requests.queued.filter(({ due }) => due === Infinity).sort((a, b) => b.bytes - a.bytes);
	if (code === 1009) sent.length &&= 1;
	else if (code !== 1007 && code !== 4502) return false;
	for (const { frame, bytes } of sent) requests.conclude(frame, {
		code,
		message: code === 1009 ? `it takes ${Math.round(bytes / 100) / 10} kB, and the server takes less` : `the server could not read it: ${reason}`,
		temporary: false
	});
	return sent.length > 0;
}
var TRIES;
var init_second_tries = __esmMin((() => {
	init_codes();
	TRIES = 3;
}));

//#endregion
//#region ../js/src/protocol/upkeeping.ts
var REPORT_MS, AWAKE_MS, BAD_TOKENS, Upkeeping;
var init_upkeeping = __esmMin((() => {
	init_codes();
	init_events();
	init_open_asks();
	init_pacer();
	init_refusals();
	init_renewal();
	init_reports();
	init_second_tries();
	REPORT_MS = 120;
	AWAKE_MS = 2500;
	BAD_TOKENS = 2;
	Upkeeping = class {
		isHidden = false;
		isOffline = false;
		#machine;
		#reports = new Reports();
		#renewal;
		#pacer;
		#isReportDue = false;
		#begun;
		#probe;
		#badTokens = 0;
		constructor(machine) {
			this.#machine = machine;
			this.#pacer = new Pacer(machine);
			this.#pacer.restart();
			this.#renewal = new Renewal(machine);
		}
		displayed(events) {
			this.#reports.displayed(events.flatMap(offsetsOf));
			this.#machine.do("wait", "report", REPORT_MS);
		}
		confirm({ offset }, verdict, note) {
			this.#reports.confirm({
				type: "confirm",
				offset,
				verdict,
				note
			});
			this.report();
		}
		/** What waited for the upkeep is over. */
		typing(thread) {
			const { ready } = this.#machine;
			if (ready && ready === this.#begun) this.#machine.send({
				type: "typing",
				thread
			});
		}
		/** Received comes before displayed; and what waited for the upkeep is read to its end before it is reported. */
		report() {
			if (!this.#begun || this.#begun !== this.#machine.ready) return;
			this.#isReportDue = true;
			this.#machine.ack();
			this.#machine.pace();
		}
		next() {
			const report = this.#isReportDue ? this.#reports.next(this.#machine.ready?.max_frame_bytes) : void 0;
			this.#isReportDue = report !== void 0;
			return report;
		}
		forget(beyond) {
			this.#reports.forget(beyond);
		}
		asked(event) {
			this.#machine.setAsks(stillOpen(this.#machine.asks, event));
		}
		erased(thread) {
			const { asks } = this.#machine;
			const others = asks.filter((ask) => ask.thread !== thread);
			if (others.length < asks.length) this.#machine.setAsks(others);
		}
		hidden() {
			this.isHidden = true;
			this.report();
		}
		woke(isOnline = false) {
			const machine = this.#machine;
			this.isHidden = false;
			if (isOnline) this.isOffline = false;
			if (isOnline && !machine.ready) machine.attempts.online();
			if (machine.phase === "waiting") machine.open("connect");
			else if (machine.ready) this.#askForLife();
			else if (machine.phase !== "idle") machine.watch(AWAKE_MS);
		}
		/** The browser may be wrong, above all about a server on this machine: that one answers. */
		offline() {
			this.isOffline = true;
			this.#machine.move("lost", this.#machine.why(NO_CODE, "offline"));
			if (this.#machine.ready) this.#askForLife();
		}
		suspend() {
			const machine = this.#machine;
			if (machine.state === "closed") return;
			this.report();
			machine.drop();
			machine.phase = "waiting";
			machine.move("lost", machine.why(NO_CODE, "the page was left"));
		}
		begin(ready) {
			this.#begun = ready;
			this.#badTokens = 0;
			this.#pacer.restart();
			this.#renewal.plan(ready.expires);
			this.report();
		}
		hasRoom(ready) {
			const ms = this.#pacer.wait(ready);
			if (ms > 0) this.#machine.do("wait", "pace", ms);
			return ms <= 0;
		}
		over() {
			this.#probe = void 0;
		}
		get patience() {
			return this.#probe === void 0 ? void 0 : AWAKE_MS;
		}
		isOwn(reply) {
			if (reply.id !== this.#probe) return this.#renewal.isOwn(reply);
			this.#probe = void 0;
			this.#machine.alive();
			this.#machine.move("alive");
			return true;
		}
		renew() {
			const { ready } = this.#machine;
			if (ready) this.#machine.do("renew", ready.connection);
		}
		/** Cookies ("") cannot be renewed on a connection: the server closes it in time, and the next one has newer ones. */
		renewed(connection, token) {
			if (connection !== this.#machine.ready?.connection) return;
			if (token) this.#machine.send(this.#renewal.request(token));
			else if (token === void 0) this.#renewal.later();
		}
		denied(reply) {
			retry(this.#machine, reply);
			this.#machine.do("wait", "dispatch", untilNext(this.#machine));
		}
		dispatch() {
			this.#machine.pace();
			this.#machine.do("wait", "dispatch", untilNext(this.#machine));
		}
		refused(code, reason, asked, wasHello) {
			const machine = this.#machine;
			if (machine.phase !== "refused") return;
			const hasTries = this.#badTokens < BAD_TOKENS;
			if (code === 4500) this.#badTokens += 1;
			if (isFinal(code, {
				wasAsked: !!asked,
				wasDropped: broke(machine, code, reason),
				wasHello,
				hasTries,
				isForgotten: true
			})) return this.#leave(code, reason);
			if (code === 4504) machine.forgetSession();
			if (code === 4502) this.#startOver();
			machine.comeBack(code, reason, code === 4500 || code === 4509 ? "refused" : "connect", asked);
		}
		#leave(code, reason) {
			this.#machine.drop();
			this.#machine.end(this.#machine.why(code, reason));
		}
		/** The server refused our position: begin without one. */
		#startOver() {
			this.#machine.arrivals.place(void 0);
			this.#machine.reset({
				beyond: 0,
				isOther: true
			});
		}
		/** A short question, and cheap for the server: before the first event nothing needs an ack. */
		#askForLife() {
			this.#machine.watch(AWAKE_MS);
			if (this.#probe) return;
			this.#probe = this.#machine.env.id();
			this.#machine.send({
				type: "history",
				id: this.#probe,
				before: 1,
				limit: 1
			});
		}
	};
}));

//#endregion
//#region ../js/src/session_lock.ts
/** A function that releases the lock, or null when another tab holds it. */
function hold(locks, name) {
	return new Promise((resolve) => {
		locks.request(name, { signal: AbortSignal.timeout(RELOAD_MS) }, () => new Promise((release) => resolve(release))).catch((error) => resolve(error.name === "TimeoutError" || error.name === "AbortError" ? null : () => {}));
	});
}
var RELOAD_MS, SessionLock;
var init_session_lock = __esmMin((() => {
	RELOAD_MS = 1e3;
	SessionLock = class {
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
}));

//#endregion
//#region ../js/src/event_stream.ts
var MOST, TOO_SLOW, tooSlow, EventStream;
var init_event_stream = __esmMin((() => {
	init_errors();
	MOST = 4096;
	TOO_SLOW = 4103;
	tooSlow = () => new GreenroomError({
		code: TOO_SLOW,
		message: `more than ${MOST} events waited to be read`,
		temporary: true
	});
	EventStream = class {
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
			if (this.#items.length > MOST) return this.end(tooSlow());
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
}));

//#endregion
//#region ../js/src/views/run_state.ts
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
function think(run, { text, thought, index }) {
	if (thought === void 0 || index === void 0) return { thinking: text };
	const thoughts = [...run.thoughts];
	while (thoughts.length <= thought) thoughts.push("");
	thoughts[thought] += text;
	return { thoughts };
}
var emptyRun, hasEnded, anew, completed, settled;
var init_run_state = __esmMin((() => {
	emptyRun = (run) => ({
		run,
		status: "waiting",
		attempt: 0,
		text: "",
		thoughts: [],
		tools: [],
		questions: []
	});
	hasEnded = ({ status }) => status !== "waiting" && status !== "running";
	anew = ({ text, earlier = [] }) => text && {
		text: "",
		earlier: [...earlier, text]
	};
	completed = (tool, { result, error }) => ({
		...tool,
		result,
		error,
		status: error === void 0 ? "completed" : "failed"
	});
	settled = ({ questions }, ask, change) => ({ questions: questions.map((question) => question.ask === ask ? {
		...question,
		...change
	} : question) });
}));

//#endregion
//#region ../js/src/for_await.ts
/** Returns what ends it. */
function follow(client, push, stateChanged) {
	const ends = [client.on("events", push), client.on("state", stateChanged)];
	return () => ends.forEach((end) => end());
}
var allEvents, runEvents;
var init_for_await = __esmMin((() => {
	init_event_stream();
	init_later();
	init_run_state();
	allEvents = (client, early) => new EventStream((stream) => {
		for (const events of early) stream.push(events);
		if (early.length === 256) stream.end(tooSlow());
		const endIfClosed = () => client.state === "closed" && stream.end();
		endIfClosed();
		return follow(client, (events) => stream.push(events), endIfClosed);
	});
	runEvents = (log, run) => new EventStream((stream) => {
		const { client } = log;
		const endIfOver = () => {
			if (hasEnded(run.state) || client.state === "closed") stream.end();
		};
		stream.push(log.events(run.id));
		endIfOver();
		const push = (events) => {
			stream.push(events.filter((event) => event.run === run.id));
			endIfOver();
		};
		return follow(client, push, endIfOver);
	});
}));

//#endregion
//#region ../js/src/upkeep.ts
var upkeep_exports = /* @__PURE__ */ __exportAll({
	Upkeep: () => Upkeep,
	allEvents: () => allEvents,
	runEvents: () => runEvents
});
var Upkeep;
var init_upkeep = __esmMin((() => {
	init_page_life();
	init_upkeeping();
	init_session_lock();
	init_for_await();
	Upkeep = class {
		#shell;
		#lock;
		#leavePage;
		constructor(shell) {
			const { locks = globalThis.navigator?.locks } = shell.options;
			this.#shell = shell;
			this.#lock = new SessionLock(locks);
			shell.feed("loaded", new Upkeeping(shell.machine));
			shell.emitter.on("state", () => this.#keepUp());
			this.#keepUp();
		}
		/** A duplicated tab has the session of the first one, which keeps it: this one begins another. */
		async takeSession() {
			const { state, arrivals } = this.#shell.machine;
			const session = arrivals.position?.session;
			if (state === "closed") return;
			if (session && !await this.#lock.take(session)) this.#shell.feed("forgetSession");
		}
		async renew(connection) {
			try {
				const token = await this.#shell.options.getToken({ reason: "refresh" });
				if (token === null) this.#shell.signedOut();
				else this.#shell.feed("renewed", connection, token);
			} catch {
				this.#shell.feed("renewed", connection, void 0);
			}
		}
		#keepUp() {
			const { state } = this.#shell.machine;
			if (state === "closed") return this.#leave();
			if (state === "ready") this.takeSession();
			this.#leavePage ??= watchPage((...input) => this.#shell.feed(...input), () => this.#lock.release(), this.#shell.clock);
		}
		#leave() {
			this.#leavePage?.();
			this.#leavePage = void 0;
			this.#lock.release();
		}
	};
}));

//#endregion
//#region ../js/src/shell.ts
init_errors();
init_codes();
const LONGEST_TIMER = 2 ** 31 - 1;
var ClientShell = class {
	machine;
	emitter = new Emitter();
	options;
	clock;
	newId;
	#url;
	#memory;
	#timers = /* @__PURE__ */ new Map();
	#waiting = /* @__PURE__ */ new Map();
	#commands = [];
	#isBusy = false;
	#failures = 0;
	#upkeep;
	#link;
	#attempt;
	constructor(options) {
		const { url, store, clock = systemClock, random = Math.random, newId = randomId } = options;
		[this.options, this.clock, this.newId] = [
			options,
			clock,
			newId
		];
		this.#url = endpoint(url);
		this.#memory = new Memory(store, `greenroom:${this.#url.href}:`);
		const { now, date } = clock;
		const saved = {
			position: this.#memory.get("position"),
			unanswered: this.#memory.get("unanswered")
		};
		this.machine = new Machine({
			now,
			date,
			random,
			id: newId
		}, saved, (...command) => void this.#commands.push(command));
	}
	request(request, id = this.newId()) {
		return new Promise((resolve, reject) => {
			if (this.#waiting.has(id)) return reject(new GreenroomError(refusal(PROTOCOL_ERROR, "waits already")));
			this.#waiting.set(id, {
				resolve,
				reject
			});
			this.feed("request", {
				...request,
				id
			});
		});
	}
	/** Commands are carried out in the order in which they came, also those of listeners. */
	feed(...input) {
		this.machine.hear(...input);
		if (this.#isBusy) return;
		this.#isBusy = true;
		for (let command; command = this.#commands.shift();) this.#perform(command);
		this.#isBusy = false;
	}
	#heard(...input) {
		if (input[0] !== "received") return this.feed(...input);
		let frame;
		try {
			frame = JSON.parse(input[1]);
		} catch {
			return this.feed("lost", POSITION_LOST, "no JSON");
		}
		this.emitter.emit("frame", {
			isSent: false,
			frame
		});
		this.feed("received", frame);
	}
	#perform([name, ...what]) {
		(name in this ? this : this.#upkeep)[name]?.(...what);
	}
	async open(via, reason) {
		const attempt = this.#attempt = {};
		const { WebSocket: Socket = globalThis.WebSocket, fetch: fetcher = globalThis.fetch } = this.options;
		try {
			if (reason === "connect" && this.machine.arrivals.position?.session) await this.#loaded().then((upkeep) => upkeep.takeSession(), () => {});
			const token = await this.options.getToken({ reason });
			const sse = via === "sse" || !Socket ? await Promise.resolve().then(() => (init_sse(), sse_exports)) : void 0;
			if (attempt !== this.#attempt) return;
			if (token === null) return this.signedOut();
			const on = (...input) => attempt === this.#attempt && this.#heard(...input);
			const link = {
				url: this.#url,
				token,
				hello: this.machine.arrivals.hello,
				on
			};
			this.#link = sse ? sse.openEventStream(fetcher, link) : openSocket(Socket, link);
		} catch (error) {
			if (attempt === this.#attempt) this.feed("noToken", String(error?.message ?? error), reason);
		}
	}
	drop() {
		this.#attempt = void 0;
		this.#link?.close();
		this.#link = void 0;
		for (const timer of this.#timers.values()) this.clock.clearTimeout(timer);
	}
	async load() {
		try {
			await this.#loaded();
		} catch {
			if (this.machine.state !== "closed") this.wait("load", this.machine.attempts.backOff(this.#failures++));
		}
	}
	send(frame) {
		this.#link?.send(encode(frame), frame.type);
		this.emitter.emit("frame", {
			isSent: true,
			frame
		});
	}
	wait(timer, ms) {
		this.clock.clearTimeout(this.#timers.get(timer));
		if (ms !== void 0) this.#timers.set(timer, this.clock.setTimeout(() => this.feed(timer), Math.min(ms, LONGEST_TIMER)));
	}
	save(name, value) {
		this.#memory.set(name, value);
	}
	settle(id, error, result) {
		const waiting = this.#waiting.get(id);
		this.#waiting.delete(id);
		if (error) waiting?.reject(new GreenroomError(error));
		else waiting?.resolve(result);
	}
	tell(...[name, value]) {
		this.emitter.emit(name, value);
		if (name === "events") for (const event of value) this.emitter.emit(event.kind, event);
	}
	signedOut() {
		this.feed("close", {
			code: BAD_TOKEN,
			message: "signed out",
			offline: false
		});
	}
	async #loaded() {
		const { Upkeep } = await Promise.resolve().then(() => (init_upkeep(), upkeep_exports));
		return this.#upkeep ??= new Upkeep(this);
	}
};
const randomId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

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
init_later();
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
		return this.#shell.machine.asks;
	}
	/** What was said and not answered yet, also before a reload. */
	get unanswered() {
		return this.#shell.machine.requests.said;
	}
	/** What the server does of what this client can use; none while there is no connection. */
	get features() {
		return this.#shell.machine.ready?.features ?? [];
	}
	/** Connect, or connect again after the client was closed. */
	connect() {
		this.#shell.feed("connect");
		return this;
	}
	/** Stay disconnected until `connect` is called. Closing cancels no run. */
	close() {
		this.#shell.feed("close");
	}
	/** Listen: `on("state", …)`, `on("events", …)`, `on("partial_result", …)`. Returns what ends it. */
	on(name, listener) {
		return this.#shell.emitter.on(name, listener);
	}
	/** Every event from now on: in order, each once. */
	[Symbol.asyncIterator]() {
		const early = [];
		const end = this.on("events", (events) => early.length < 256 && early.push(events));
		return later(Promise.resolve().then(() => (init_upkeep(), upkeep_exports)).then(({ allEvents }) => allEvents(this, early)).finally(end));
	}
	/** Speak; starts a run. The message is kept until it is answered, over reconnects and reloads, and starts one run. */
	say(body, { id, ...more } = {}) {
		const said = this.#shell.request({
			...more,
			type: "say",
			body
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
		await this.#shell.request({
			type: "discard",
			file
		});
	}
	/** Stop a run; its end arrives as an event. */
	async cancel(run) {
		await this.#shell.request({
			type: "cancel",
			run
		});
	}
	/** The last `limit` events (1 to 200) of a thread, or of all of them, before the offset `before`. */
	history({ limit = 100, ...page } = {}) {
		return this.#shell.request({
			...page,
			type: "history",
			limit
		});
	}
	/** The user's threads, the one used last first. `before`: the last one of the page before, or its `updated`. */
	threads({ limit = 100, ...page } = {}) {
		return this.#shell.request({
			...page,
			type: "threads",
			limit
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
		return this.#shell.request({
			type: "answer",
			ask: question.data?.ask ?? question,
			value
		});
	}
	/** These events are before the user's eyes. */
	displayed(...events) {
		this.#shell.feed("displayed", events);
	}
	/** The user got value from an event, or says not. */
	confirm(event, verdict, note) {
		this.#shell.feed("confirm", event, verdict, note);
	}
	/** The user types in a thread: the user's other tabs hear it. Not kept while there is no connection. */
	typing(thread) {
		this.#shell.feed("typing", thread);
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
//#region ../js/src/views/run.ts
init_later();
init_run_state();
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
		return later(Promise.resolve().then(() => (init_upkeep(), upkeep_exports)).then(({ runEvents }) => runEvents(this.#log, this)));
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
init_events();
init_run_state();
const MOST_BYTES = 8 * 1024 * 1024;
var RunLog = class {
	#run;
	#known = /* @__PURE__ */ new Set();
	events = [];
	weight = 0;
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
		this.weight += JSON.stringify(event).length;
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
			this.#bytes -= log.weight;
			if (log.add(event)) this.#threads.delete(event.thread);
			this.#bytes += log.weight;
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
		this.#bytes -= log.weight;
		this.#runs.delete(run);
		this.#threads.delete(log.state.thread ?? "");
	}
};
const first = ({ events }) => events[0]?.offset ?? 0;

//#endregion
export { Client, EventLog, GreenroomError, connect, displayedInView, eventLog, offsetsOf };