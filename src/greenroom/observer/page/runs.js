import { address, duration, element, isObject, link, nameOf, named, number, put, textBlock, time } from "./kit.js";

//#region src/views/columns.ts
function tableOf(name, columns, rows) {
	const head = columns.map(({ title, is }) => element("th", {
		scope: "col",
		class: is
	}, title));
	const body = rows.map((row) => element("tr", {}, ...columns.map(({ of, is }) => element("td", { class: is }, of(row)))));
	return element("div", {
		class: "scroll lines",
		tabindex: 0,
		role: "region",
		"aria-label": name
	}, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

//#endregion
//#region src/views/player.ts
const LONGEST = 1500, SHORTEST = 40;
const SPEEDS = [
	1,
	4,
	16,
	64
];
var Player = class {
	root;
	slider = element("input", {
		type: "range",
		min: 0,
		testid: "slider",
		"aria-label": "Event",
		oninput: () => this.choose(Number(this.slider.value))
	});
	speed = element("select", {
		"aria-label": "Speed",
		testid: "speed"
	}, ...SPEEDS.map((each) => element("option", { value: each }, `${each} ×`)));
	play = element("button", {
		type: "button",
		class: "primary",
		testid: "play",
		onclick: () => this.timer ? this.stop() : this.start()
	}, "Play");
	place = element("span", {
		class: "soft",
		testid: "step"
	});
	timer = 0;
	at = 0;
	constructor(steps, signal) {
		this.steps = steps;
		this.slider.max = String(Math.max(0, steps.count - 1));
		this.root = element("div", { class: "row player" }, this.play, element("button", {
			type: "button",
			class: "quiet",
			testid: "previous",
			"aria-label": "Previous event",
			onclick: () => this.choose(this.at - 1)
		}, "‹"), element("button", {
			type: "button",
			class: "quiet",
			testid: "following",
			"aria-label": "Following event",
			onclick: () => this.choose(this.at + 1)
		}, "›"), this.slider, this.speed, this.place);
		signal.addEventListener("abort", () => this.stop());
	}
	/** Go to this step; what plays stops. */
	choose(step) {
		this.stop();
		this.go(step);
	}
	go(step) {
		this.at = Math.min(Math.max(0, step), this.steps.count - 1);
		this.slider.value = String(this.at);
		this.slider.setAttribute("aria-valuetext", this.steps.words(this.at));
		put(this.place, `${this.at + 1} of ${this.steps.count}`);
		this.steps.show(this.at);
	}
	start() {
		put(this.play, "Pause");
		this.go(this.at >= this.steps.count - 1 ? 0 : this.at);
		this.wait();
	}
	stop() {
		clearTimeout(this.timer);
		this.timer = 0;
		put(this.play, "Play");
	}
	wait() {
		if (this.at >= this.steps.count - 1) return this.stop();
		const gap = (this.steps.since(this.at + 1) - this.steps.since(this.at)) / Number(this.speed.value);
		this.timer = setTimeout(() => {
			this.go(this.at + 1);
			this.wait();
		}, Math.min(LONGEST, Math.max(SHORTEST, gap)));
	}
};

//#endregion
//#region src/views/run_story.ts
/** Events that come from the user's side. */
const FROM_USER = new Set(["user_said", "input_answered"]);
/** 0.000, 59.999, 1:00.000, 1:00:00.000: seconds, minutes, hours. */
function clock(ms) {
	const s = Math.floor(ms / 1e3), rest = String(Math.round(ms % 1e3)).padStart(3, "0");
	const two = (n) => String(n).padStart(2, "0");
	if (s < 60) return `${s}.${rest}`;
	if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}.${rest}`;
	return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${rest}`;
}
const titleOf = ({ event, name }) => name === null ? event.kind : `${event.kind} ${name}`;
/** The sessions of some moments, in the order in which they come. */
const sessionsOf = (moments) => [...new Set(moments.flatMap(({ sessions }) => sessions.map(({ session }) => session)))];
const TAIL = 8;
const tailOf = (session) => session.slice(-TAIL);
/** How often a session was sent an event: once, or as often as its last redelivery says. */
const timesSent = ({ attempts }, session) => Math.max(1, ...attempts.filter((each) => each.session === session).map((each) => each.number));
/** What the data of an event says, for people. */
function textOf(data) {
	for (const name of [
		"text",
		"report",
		"body",
		"prompt",
		"value",
		"message"
	]) {
		const value = data[name];
		if (typeof value === "string") return value;
		if (isObject(value) || Array.isArray(value)) return JSON.stringify(value, null, 2);
	}
	return JSON.stringify(data, null, 2);
}

//#endregion
//#region src/views/sequence.ts
const NS = "http://www.w3.org/2000/svg";
const ROW = 30, HEAD = 34, INDENT = 8;
const MOST_SESSIONS = 12, MOST_INDENTS = 6;
const WIDE = {
	agent: 88,
	journal: 268,
	apart: 92,
	title: 26
}, NARROW = {
	agent: 58,
	journal: 188,
	apart: 64,
	title: 18
};
const PHONE = matchMedia("(max-width: 40rem)");
function node(name, attributes, text) {
	const made = document.createElementNS(NS, name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
	if (text !== void 0) made.textContent = text;
	return made;
}
const label = (text, x, y, kind) => node("text", {
	x,
	y,
	class: kind
}, text);
var Sequence = class {
	root;
	steps;
	lanes = PHONE.matches ? NARROW : WIDE;
	constructor(moments, chosen) {
		this.chosen = chosen;
		const sessions = sessionsOf(moments).slice(0, MOST_SESSIONS);
		const width = this.laneOf(Math.max(1, sessions.length)) + 36, height = moments.length * ROW + 8;
		const head = canvas(width, HEAD, "lanes"), body = canvas(width, height, "steps");
		const lines = [
			this.lanes.agent,
			...sessions.map((_, index) => this.laneOf(index + 1)),
			this.lanes.journal
		];
		head.append(label("agent", this.lanes.agent, 22, "head"), label("journal", this.lanes.journal, 22, "head"), ...sessions.map((session, index) => label(named(tailOf(session)), this.laneOf(index + 1), 22, "head id")));
		body.append(...lines.map((x) => node("line", {
			class: "lane",
			x1: x,
			x2: x,
			y1: 0,
			y2: height
		})));
		this.steps = moments.map((moment, step) => this.step(moment, step, sessions, width));
		body.append(...this.steps);
		this.root = document.createElement("div");
		this.root.className = "sequence";
		this.root.dataset["testid"] = "sequence";
		this.root.append(head, body);
	}
	/** Light this step; those after it have not happened yet. */
	show(step) {
		this.steps.forEach((each, index) => each.setAttribute("class", `step${index > step ? " later" : index === step ? " now" : ""}`));
		const lit = this.steps[step]?.querySelector(".hit")?.getBoundingClientRect(), box = this.root.getBoundingClientRect();
		if (!lit) return;
		if (lit.top < box.top + HEAD) this.root.scrollTop += lit.top - box.top - HEAD;
		else if (lit.bottom > box.bottom) this.root.scrollTop += lit.bottom - box.bottom;
	}
	laneOf(session) {
		return this.lanes.journal + this.lanes.apart * session;
	}
	step(moment, step, sessions, width) {
		const y = step * ROW + ROW - 10, { agent, journal } = this.lanes, group = node("g", { class: "step" });
		group.append(node("rect", {
			class: "hit",
			x: 0,
			y: step * ROW + 1,
			width,
			height: ROW - 2,
			rx: 4
		}), label(clock(moment.since), agent - 10, y + 4, "clock"), ...this.accepted(moment, y));
		sessions.forEach((session, index) => {
			const sight = moment.sessions.find((each) => each.session === session);
			if (sight) group.append(...this.delivery(moment, sight, this.laneOf(index + 1), y));
		});
		group.append(moment.given_up ? node("path", {
			class: "bad",
			d: `M${journal - 5} ${y - 5}l10 10m0 -10l-10 10`
		}) : node("circle", {
			class: "kept",
			cx: journal,
			cy: y,
			r: 3
		}));
		group.addEventListener("click", () => this.chosen(step));
		return group;
	}
	/** The arrow into the journal, from the agent or from the user's side, and what came. */
	accepted(moment, y) {
		const { agent, journal, title } = this.lanes, from = agent + INDENT * Math.min(moment.depth, MOST_INDENTS);
		const words = named(titleOf(moment)), cut = words.length > title ? `${words.slice(0, title - 1)}…` : words;
		return [node("path", {
			class: "arrow",
			d: isOfUser(moment) ? `M${journal + 30} ${y}H${journal + 6}m5 -4l-5 4l5 4` : `M${from} ${y}H${journal - 6}m-5 -4l5 4l-5 4`
		}), label(cut, from + 8, y - 5, "title")];
	}
	/** From the journal to a session: dashed until something comes back. */
	delivery(moment, { session, stage }, x, y) {
		const sent = timesSent(moment, session), from = this.lanes.journal + (isOfUser(moment) ? 36 : 6);
		const parts = [node("path", {
			class: stage === "sent" ? "arrow unsure" : "arrow",
			d: `M${from} ${y}H${x - 7}`
		}), mark(stage, x, y)];
		if (sent > 1) parts.push(label(`×${sent}`, x - 10, y - 5, "again"));
		return parts;
	}
};
const isOfUser = ({ event }) => FROM_USER.has(event.kind);
function canvas(width, height, kind) {
	return node("svg", {
		class: kind,
		width,
		height,
		viewBox: `0 0 ${width} ${height}`,
		"aria-hidden": "true"
	});
}
function mark(stage, x, y) {
	if (stage === "confirmed") return node("path", {
		class: "mark confirmed",
		d: `M${x - 5} ${y}l4 4l7 -8`
	});
	if (stage === "displayed") return node("rect", {
		class: "mark displayed",
		x: x - 4.5,
		y: y - 4.5,
		width: 9,
		height: 9
	});
	return node("circle", {
		class: `mark ${stage}`,
		cx: x,
		cy: y,
		r: 4
	});
}

//#endregion
//#region src/views/runs.ts
const LEGEND = "A ring: sent. A dot: received. A square: displayed. A tick: confirmed. A cross in the journal's line: given up. ×3: sent three times.";
const EMPTY_PAGES = 50;
const runs = {
	title: "Run",
	async show(place) {
		await new RunView(place, place.parts[0] ?? "").open();
	}
};
var RunView = class {
	head = element("div", {
		class: "card headline",
		testid: "headline"
	});
	stage = element("div", { class: "view" });
	back = element("button", {
		type: "button",
		class: "quiet",
		testid: "earlier",
		onclick: () => void this.turn(-1)
	}, "Earlier events");
	next = element("button", {
		type: "button",
		class: "quiet",
		testid: "later",
		onclick: () => void this.turn(1)
	}, "Later events");
	said = element("p", {
		class: "error said",
		role: "status"
	});
	texts = element("input", {
		type: "checkbox",
		testid: "texts",
		onchange: () => void this.again()
	});
	/** Where this page and those before it begin, and the number of its first event. */
	starts = [{
		after: null,
		number: 1
	}];
	page = null;
	playing = new AbortController();
	constructor(place, run) {
		this.place = place;
		this.run = run;
		place.signal.addEventListener("abort", () => this.playing.abort());
	}
	/** Rejects, and shows nothing, for a run that is not there. */
	async open() {
		const { place } = this;
		await this.look();
		place.root.append(this.head, element("div", { class: "row" }, this.back, this.next, place.role === "act" ? element("label", { class: "check" }, this.texts, "Show what events say") : null, element("button", {
			type: "button",
			class: "quiet",
			testid: "look-again",
			onclick: () => void this.again()
		}, "Look again")), this.said, this.stage);
	}
	async look() {
		const page = await this.pageFrom(this.starts.at(-1)?.after ?? null);
		this.page = page;
		this.head.replaceChildren(...headOf(page));
		this.back.disabled = this.starts.length === 1;
		this.next.disabled = page.after === null;
		this.playing.abort();
		this.playing = new AbortController();
		this.stage.replaceChildren(...this.staged(page));
	}
	/** The page after this offset. The user's other runs may fill whole pages. */
	async pageFrom(after) {
		for (let passed = 0;; passed++) {
			const query = new URLSearchParams();
			if (after !== null) query.set("after", String(after));
			if (this.texts.checked) query.set("texts", "yes");
			const page = await this.place.api.get(`runs/${encodeURIComponent(this.run)}?${query}`, this.place.signal);
			if (page.moments.length || page.after === null || passed >= EMPTY_PAGES) return page;
			after = page.after;
		}
	}
	async turn(by) {
		if (by < 0) this.starts.pop();
		else this.starts.push({
			after: this.page?.after ?? null,
			number: (this.starts.at(-1)?.number ?? 1) + (this.page?.moments.length ?? 0)
		});
		await this.again();
	}
	async again() {
		put(this.said, "");
		try {
			await this.look();
		} catch (error) {
			if (!this.place.signal.aborted) put(this.said, error instanceof Error ? error.message : String(error));
		}
	}
	staged(page) {
		const { moments } = page;
		if (!moments.length) return [element("p", { class: "soft" }, "There is no event of the run here.")];
		const details = element("div", {
			class: "card details",
			testid: "details",
			role: "region",
			"aria-label": "The event"
		});
		const sequence = new Sequence(moments, (step) => player.choose(step));
		const show = (step) => {
			const moment = moments[step];
			if (!moment) return;
			sequence.show(step);
			details.replaceChildren(...detailsOf(moment, page));
		};
		const words = (step) => moments.slice(step, step + 1).map((each) => `${titleOf(each)}, ${clock(each.since)} s, ${each.stage}`).join("");
		const player = new Player({
			count: moments.length,
			since: (step) => moments[step]?.since ?? 0,
			words,
			show
		}, this.playing.signal);
		sequence.root.tabIndex = 0;
		sequence.root.setAttribute("role", "group");
		sequence.root.setAttribute("aria-label", "Sequence diagram. The slider goes through its events, whose details stand below.");
		const first = this.starts.at(-1)?.number ?? 1;
		requestAnimationFrame(() => player.choose(page.goes_on || page.after !== null ? 0 : moments.length - 1));
		return [
			element("p", { class: "soft" }, `Events ${number(first)} to ${number(first + moments.length - 1)}${page.after === null ? ", the last" : ""}. ${LEGEND}`),
			player.root,
			element("div", { class: "stage" }, sequence.root, details)
		];
	}
};
function headOf(page) {
	const ended = page.ending === null ? page.goes_on ? "goes on" : "has ended, later than here" : `${page.ending} after ${duration(((page.ended ?? page.began) - page.began) / 1e3)}`;
	return [
		element("p", { class: "user" }, nameOf(page.run)),
		element("p", {}, page.agent === null ? "no agent yet" : nameOf(page.agent), " for ", link(page.user, "users", page.user), ", in ", nameOf(page.thread), ...page.parent === null ? [] : [", a sub-run of ", link(page.parent, "runs", page.parent)]),
		element("p", { class: "soft" }, "Began ", time(page.began), `; ${ended}.`),
		element("p", {}, element("a", { href: address("why", page.run) }, "Why did the user not see it?"))
	];
}
function detailsOf(moment, page) {
	const { event } = moment;
	const facts = [
		["Event", element("a", { href: address("why", event.id) }, nameOf(event.id))],
		["Accepted", element("span", {}, `${clock(moment.since)} s, `, time(event.at), `, as event ${event.offset}`)],
		["Size", `${number(moment.bytes)} bytes`],
		...moment.took === null ? [] : [["Took", duration(moment.took / 1e3)]],
		...event.run === page.run ? [] : [["Sub-run", link(event.run, "runs", event.run)]],
		["Got as far as", moment.stage],
		...moment.outcome === null ? [] : [["Outcome", moment.outcome]],
		...moment.given_up === null ? [] : [["Given up", element("span", { class: "error" }, time(moment.given_up.at), `: ${moment.given_up.why}`)]]
	];
	return [
		element("h2", {}, nameOf(titleOf(moment))),
		element("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
		moment.sessions.length ? sightsOf(moment, page) : element("p", { class: "soft" }, "Not sent to any session yet."),
		...said(moment)
	];
}
function sightsOf(moment, page) {
	const at = (ms) => ms === null ? null : `${clock(Math.max(0, ms - page.began))} s`;
	return tableOf("Sessions", [
		{
			title: "Session",
			of: ({ session }) => element("code", { title: named(session) }, named(tailOf(session)))
		},
		{
			title: "Sent",
			is: "num",
			of: ({ session }) => `${timesSent(moment, session)} ×`
		},
		{
			title: "Received by",
			is: "num",
			of: ({ received_by }) => at(received_by)
		},
		{
			title: "Displayed",
			is: "num",
			of: ({ displayed_at }) => at(displayed_at)
		},
		{
			title: "Confirmed",
			is: "num",
			of: ({ confirmed_at }) => at(confirmed_at)
		},
		{
			title: "Verdict",
			of: ({ verdict, note }) => [verdict, note].filter((each) => each !== null && each !== void 0).map((each) => typeof each === "string" ? each : JSON.stringify(each)).join(": ") || null
		}
	], moment.sessions);
}
/** What it says, if that was asked for. */
function said({ event }) {
	if (event.kind === "superseded") return [element("p", { class: "soft" }, "Forgotten or erased: only its place is left.")];
	return event.data === void 0 ? [] : [textBlock(textOf(event.data))];
}

//#endregion
export { runs };