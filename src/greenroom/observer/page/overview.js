import { duration, element, link, number, put, refreshing, timeOfDay } from "./kit.js";

//#region src/alerts.ts
const STATES = {
	firing: "fires",
	pending: "true, and not for long enough to fire",
	true: "true now; since when is not kept",
	quiet: "quiet",
	unknown: "cannot be judged here"
};
const LOUD = [
	"firing",
	"true",
	"pending"
];
var Alerts = class {
	element;
	sum = element("p", {
		role: "status",
		testid: "alerts-sum"
	});
	loud = element("ul", {
		class: "alerts",
		testid: "alerts"
	});
	rows = element("tbody");
	shown = "";
	constructor() {
		const table = element("table", {}, element("thead", {}, element("tr", {}, ...[
			"Rule",
			"Severity",
			"Waits",
			"State"
		].map((name) => element("th", { scope: "col" }, name)))), this.rows);
		this.element = element("section", {
			class: "card",
			"aria-labelledby": "alerts-title"
		}, element("h2", { id: "alerts-title" }, "Alerts"), this.sum, this.loud, element("details", { class: "numbers" }, element("summary", {}, "All rules"), element("div", {
			class: "scroll",
			tabindex: 0,
			role: "region",
			"aria-label": "All rules"
		}, table)));
	}
	show(alerts) {
		const seen = JSON.stringify(alerts.map(({ name, state, says }) => [
			name,
			state,
			says
		]));
		if (seen === this.shown) return;
		this.shown = seen;
		const loud = LOUD.flatMap((state) => alerts.filter((each) => each.state === state));
		const unknown = alerts.filter(({ state }) => state === "unknown").length;
		const firing = loud.filter(({ state }) => state !== "pending").length;
		put(this.sum, `${firing ? `${firing} of ${alerts.length} rules ${firing === 1 ? "is" : "are"} true` : `None of ${alerts.length} rules fires`}; ${unknown} cannot be judged by this server alone.`);
		this.loud.replaceChildren(...loud.map(item));
		this.rows.replaceChildren(...alerts.map(row));
	}
};
const item = ({ name, severity, state, says, advice }) => element("li", {
	class: `alert ${state === "pending" ? "pending" : severity}`,
	"data-alert": name
}, ...says.map((sentence) => element("p", {}, element("strong", {}, sentence))), element("p", {}, advice), element("p", { class: "soft" }, element("code", {}, name), ` · ${severity} · ${STATES[state]}`));
const row = ({ name, severity, state, says, hold }) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, severity), element("td", {}, hold ? duration(hold) : "–"), element("td", {}, state === "unknown" ? `${STATES.unknown}: ${says.join(" ")}` : STATES[state]));

//#endregion
//#region src/chart.ts
const NS = "http://www.w3.org/2000/svg";
const POINTS = 360, HEIGHT = 150, TOP = 8, BOTTOM = 22, RIGHT = 8, LEFT = 58;
const TABLE_EVERY = 6;
const MARKS = [
	60,
	45,
	30,
	15,
	0
];
const NARROW = 400;
var TimeChart = class {
	element;
	svg = svgNode("svg", {
		class: "lines",
		height: HEIGHT,
		role: "presentation"
	});
	readout = element("output", {
		class: "readout",
		"aria-live": "polite"
	});
	plot;
	numbers = element("details", { class: "numbers" }, element("summary", {}, "As a table"));
	cursor = svgNode("line", { class: "cursor" });
	lines = [];
	every = 10;
	at = 0;
	width = 0;
	/** The point that is read; null for the newest. */
	chosen = null;
	constructor(title, measure) {
		this.measure = measure;
		this.plot = element("div", {
			class: "plot",
			tabindex: 0,
			role: "group",
			"aria-label": `${title}, ${measure.unit}: the last hour. Read it with the arrow keys.`,
			onkeydown: (event) => this.step(event),
			onblur: () => this.choose(null),
			onpointermove: (event) => this.point(event),
			onpointerleave: () => this.choose(null)
		});
		this.plot.append(this.svg);
		this.element = element("section", {
			class: "card chart",
			testid: "chart"
		}, element("h3", {}, title, " ", element("span", { class: "soft" }, measure.unit)), this.readout, this.plot, this.numbers);
		this.numbers.addEventListener("toggle", () => this.tabulate());
		new ResizeObserver(([entry]) => {
			const width = Math.round(entry?.contentRect.width ?? 0);
			if (width > 80 && width !== this.width) this.draw(width);
		}).observe(this.plot);
	}
	/** All lines have as many values, `every` seconds apart, the newest of the time `at` (ms). */
	show(lines, every, at) {
		[this.lines, this.every, this.at] = [
			lines,
			every,
			at
		];
		if (this.width) this.draw(this.width);
		else this.read();
		this.tabulate();
	}
	get count() {
		return this.lines[0]?.values.length ?? 0;
	}
	x(index) {
		return this.width - RIGHT - (this.count - 1 - index) / (POINTS - 1) * (this.width - LEFT - RIGHT);
	}
	draw(width) {
		this.width = width;
		const marks = ticks(Math.max(...this.lines.flatMap((line) => line.values.map((value) => value ?? 0)), 0));
		const highest = marks.at(-1) ?? 1, bottom = HEIGHT - BOTTOM;
		const y = (value) => TOP + (1 - value / highest) * (bottom - TOP);
		this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
		this.svg.setAttribute("width", String(width));
		this.svg.replaceChildren(...marks.flatMap((mark) => [svgNode("line", {
			class: mark === 0 ? "axis" : "grid",
			x1: LEFT,
			x2: width - RIGHT,
			y1: y(mark),
			y2: y(mark)
		}), svgNode("text", {
			x: LEFT - 8,
			y: y(mark),
			"text-anchor": "end",
			"dominant-baseline": "central"
		}, this.measure.format(mark))]), ...MARKS.filter((minutes) => width > NARROW || minutes % 30 === 0).map((minutes) => svgNode("text", {
			x: width - RIGHT - minutes / 60 * (width - LEFT - RIGHT),
			y: HEIGHT - 5,
			"text-anchor": minutes === 0 ? "end" : minutes === 60 ? "start" : "middle"
		}, minutes ? `−${minutes} min` : "now")), ...this.lines.map((line, number) => svgNode("path", {
			class: `line line-${number}`,
			d: this.path(line, y)
		})), this.cursor);
		this.read();
	}
	/** A point whose neighbours say nothing is drawn, too: as a dot, by a round cap. */
	path(line, y) {
		return line.values.map((value, index) => {
			if (value === null) return "";
			const begins = index === 0 || line.values[index - 1] === null;
			return `${begins ? "M" : "L"}${this.x(index).toFixed(1)} ${y(value).toFixed(1)}${begins ? "h0" : ""}`;
		}).join("");
	}
	read() {
		const index = this.chosen ?? this.count - 1;
		const values = this.lines.map(({ name, values }, number) => {
			const value = values[index] ?? null;
			return element("span", { class: `key key-${number}` }, `${name} ${value === null ? "–" : this.measure.format(value)}`);
		});
		const when = this.count === 0 ? "The first point comes in a few seconds." : this.chosen === null ? "now" : this.timeOf(index);
		this.readout.replaceChildren(element("span", { class: "when" }, when), ...this.count ? values : []);
		const at = this.x(index);
		for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, String(at));
		this.cursor.setAttribute("y1", String(TOP));
		this.cursor.setAttribute("y2", String(HEIGHT - BOTTOM));
		this.cursor.classList.toggle("away", this.chosen === null);
	}
	timeOf(index) {
		return timeOfDay(this.at - (this.count - 1 - index) * this.every * 1e3);
	}
	choose(index) {
		if (index === this.chosen) return;
		this.chosen = index === null || this.count === 0 ? null : Math.min(Math.max(index, 0), this.count - 1);
		this.read();
	}
	point(event) {
		const from = this.plot.getBoundingClientRect().left;
		const ago = (this.width - RIGHT - (event.clientX - from)) / (this.width - LEFT - RIGHT) * (POINTS - 1);
		this.choose(Math.round(this.count - 1 - ago));
	}
	step(event) {
		const steps = {
			ArrowLeft: -1,
			ArrowRight: 1,
			PageUp: -30,
			PageDown: 30,
			Home: -POINTS,
			End: POINTS
		}[event.key];
		if (steps === void 0) return;
		event.preventDefault();
		this.choose((this.chosen ?? this.count - 1) + steps);
	}
	/** A row for each minute, the newest first; made only while it is open. */
	tabulate() {
		this.numbers.querySelector(".scroll")?.remove();
		if (!this.numbers.open) return;
		const rows = [];
		for (let index = this.count - 1; index >= 0; index -= TABLE_EVERY) rows.push(element("tr", {}, element("th", { scope: "row" }, this.timeOf(index)), ...this.lines.map(({ values }) => {
			const value = values[index] ?? null;
			return element("td", { class: "num" }, value === null ? "–" : this.measure.format(value));
		})));
		const head = element("tr", {}, element("th", { scope: "col" }, "Time"), ...this.lines.map(({ name }) => element("th", {
			scope: "col",
			class: "num"
		}, name)));
		this.numbers.append(element("div", {
			class: "scroll",
			tabindex: 0,
			role: "region",
			"aria-label": "Table"
		}, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
	}
};
/** Zero and round steps of 1, 2 or 5 up to `high`, about four. */
function ticks(high) {
	const raw = (high || 1) / 3, power = 10 ** Math.floor(Math.log10(raw));
	const step = [
		1,
		2,
		5
	].map((factor) => factor * power).find((size) => size >= raw) ?? 10 * power;
	const count = Math.max(1, Math.ceil(high / step - 1e-9));
	return Array.from({ length: count + 1 }, (_, index) => index * step);
}
function svgNode(name, attributes, text) {
	const made = document.createElementNS(NS, name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
	if (text !== void 0) put(made, text);
	return made;
}

//#endregion
//#region src/views/overview.ts
const SECONDS = 5;
const RATE = {
	unit: "per second",
	format: number
};
const TIME = {
	unit: "time since acceptance",
	format: duration
};
/** Each chart: its title, its measure, and its lines. */
const CHARTS = [
	[
		"Events",
		RATE,
		({ rates }) => ({
			accepted: rates["accepted"],
			received: rates["received"],
			displayed: rates["displayed"]
		})
	],
	[
		"To received",
		TIME,
		({ p50, p99 }) => ({
			p50: p50["received_seconds"],
			p99: p99["received_seconds"]
		})
	],
	[
		"To displayed",
		TIME,
		({ p50, p99 }) => ({
			p50: p50["displayed_seconds"],
			p99: p99["displayed_seconds"]
		})
	],
	[
		"Connections and runs",
		{
			unit: "at a time",
			format: number
		},
		({ levels }) => ({
			ready: levels["ready"],
			runs: levels["runs"],
			"breakers open": levels["breakers_open"]
		})
	],
	[
		"Redeliveries",
		RATE,
		({ rates }) => ({
			"sent again": rates["retried"],
			"given up": rates["given_up"]
		})
	],
	[
		"Event loop",
		{
			unit: "how late timers ring",
			format: duration
		},
		({ lag }) => ({ latest: lag })
	]
];
/** The view that shows more of a tile. */
const LINKED = {
	Users: "users",
	Crashes: "crashes",
	"Dead letters": "letters",
	"Deepest mailbox": "tree"
};
const overview = {
	title: "Overview",
	show: (place) => new Shown(place).begin()
};
var Shown = class {
	numbers = /* @__PURE__ */ new Map();
	tiles = element("dl", {
		class: "tiles",
		testid: "tiles"
	});
	alerts = new Alerts();
	fullest = element("ul", {
		class: "plain",
		testid: "fullest"
	});
	charts = CHARTS.map(([title, measure]) => new TimeChart(title, measure));
	constructor(place) {
		this.place = place;
	}
	begin() {
		return refreshing(this.place, SECONDS, async () => {
			const seen = await this.place.api.get("overview", this.place.signal);
			if (!this.place.signal.aborted) this.show(seen);
		});
	}
	show(seen) {
		for (const [name, value, more] of tilesOf(seen)) this.tile(name, value, more);
		this.alerts.show(seen.alerts);
		this.showFullest(seen);
		CHARTS.forEach(([, , linesOf], index) => {
			const lines = Object.entries(linesOf(seen.hour)).map(([name, values = []]) => ({
				name,
				values
			}));
			this.charts[index]?.show(lines, seen.every, seen.at);
		});
		if (!this.tiles.isConnected) this.place.root.append(this.alerts.element, this.tiles, element("div", { class: "charts" }, ...this.charts.map((chart) => chart.element)), element("section", { class: "card" }, element("h2", {}, "Fullest mailboxes"), this.fullest));
	}
	tile(name, value, more) {
		const made = this.numbers.get(name) ?? element("dd", {}, element("span", { class: "value" }), element("span", { class: "soft" }));
		if (!this.numbers.has(name)) this.tiles.append(element("div", { "data-tile": name }, element("dt", {}, name in LINKED ? link(name, LINKED[name] ?? "") : name), made));
		this.numbers.set(name, made);
		if (made.children[0] && made.children[1]) put(made.children[0], value), put(made.children[1], more);
	}
	showFullest({ fullest }) {
		const key = JSON.stringify(fullest);
		if (this.fullest.dataset["shown"] === key || this.fullest.contains(document.activeElement)) return;
		this.fullest.dataset["shown"] = key;
		this.fullest.replaceChildren(...fullest.map(({ path, waiting }) => element("li", {}, link(path, "tree", path), ` ${number(waiting)} waiting`)));
		if (!fullest.length) this.fullest.append(element("li", { class: "soft" }, "All mailboxes are empty."));
	}
};
function tilesOf({ now, so_far, hour, fullest, every }) {
	const all = (name) => (now[name] ?? []).reduce((sum, { value }) => sum + value, 0);
	const of = (name, label) => (now[name] ?? []).find(({ labels }) => labels[0] === label)?.value ?? 0;
	const last = (values) => values?.at(-1) ?? null;
	const known = (values) => values?.findLast((value) => value !== null) ?? null;
	const inHour = (name) => `${number((hour.rates[name] ?? []).reduce((sum, value) => sum + (value ?? 0) * every, 0))} in the last hour`;
	const phases = (now["connections"] ?? []).filter(({ labels, value }) => value && labels[0] !== "ready").map(({ labels, value }) => `${number(value)} ${labels[0]?.replaceAll("_", " ")}`);
	const rate = (name) => last(hour.rates[name]) === null ? "–" : `${number(last(hour.rates[name]) ?? 0)}/s`;
	const time = (value) => value === null ? "–" : duration(value);
	return [
		[
			"Users",
			number(all("users_active")),
			"with a subtree"
		],
		[
			"Connections",
			number(of("connections", "ready")),
			["ready", ...phases].join(", ")
		],
		[
			"Runs",
			number(all("runs_live")),
			`${number(so_far["runs_ended"] ?? 0)} ended since the start`
		],
		[
			"Events",
			rate("accepted"),
			`${rate("received")} received, ${number(all("backlog_events"))} on their way`
		],
		[
			"To received",
			time(known(hour.p50["received_seconds"])),
			`p99 ${time(known(hour.p99["received_seconds"]))}`
		],
		[
			"To displayed",
			time(known(hour.p50["displayed_seconds"])),
			`p99 ${time(known(hour.p99["displayed_seconds"]))}`
		],
		[
			"Redeliveries",
			rate("retried"),
			inHour("retried")
		],
		[
			"Breakers open",
			number(of("breakers", "open")),
			`${number(of("breakers", "half_open"))} half open`
		],
		[
			"Dead letters",
			number(so_far["dead_letters"] ?? 0),
			"since the start"
		],
		[
			"Crashes",
			number(so_far["crashes"] ?? 0),
			`${number(all("restarts"))} restarts since the start`
		],
		[
			"Deepest mailbox",
			number(fullest[0]?.waiting ?? 0),
			`${number(all("mailbox_messages"))} messages wait in all`
		],
		[
			"Lag",
			time(last(hour.lag)),
			"of the latest timer"
		]
	];
}

//#endregion
export { overview };