import { ApiError, Patience, address, adminUrl, duration, element, isRefused, link, nameOf, named, number, put, refreshing, time, wordsOfTrouble } from "./kit.js";

//#region src/tree/rows.ts
const SORTS = [
	"",
	"waiting",
	"restarts",
	"cpu",
	"held"
];
const MOST_OPENED = 100;
const MOST_CHARACTERS = 12e3;
/** The query's part of an address. Of the opened nodes, the last as far as there is room. */
function queryOf({ opened, sort, search, offset, limit }) {
	const query = new URLSearchParams({
		offset: String(offset),
		limit: String(limit)
	});
	if (sort) query.set("sort", sort);
	if (search) query.set("search", search);
	let left = MOST_CHARACTERS;
	for (const path of sort || search ? [] : opened.slice(-MOST_OPENED).reverse()) {
		left -= encodeURIComponent(path).length + 6;
		if (left > 0) query.append("open", path);
	}
	return query.toString();
}
/** The window after a change. */
function changed(before, change) {
	const rows = new Map(before.rows.map((row) => [row.path, row]));
	for (const row of change.rows) rows.set(row.path, row);
	const order = change.order ?? before.rows.map((row) => row.path);
	return {
		...change,
		rows: order.map((path) => rows.get(path)).filter((row) => row !== void 0)
	};
}
const UNITS = [
	"B",
	"KiB",
	"MiB",
	"GiB"
];
/** A number of bytes as people read it. */
function bytes(count) {
	const unit = count < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(count) / 10));
	const value = count / 1024 ** unit;
	return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
/** A share of a processor. */
const percent = (share) => share === null ? "–" : `${Math.round(share * 1e3) / 10} %`;

//#endregion
//#region src/tree/feed.ts
const ASK_AGAIN = 2e3;
var Feed = class {
	stream = null;
	window = null;
	timer = 0;
	isOver = false;
	patience = new Patience(ASK_AGAIN);
	asked = "";
	constructor(place, watcher) {
		this.place = place;
		this.watcher = watcher;
		place.signal.addEventListener("abort", () => this.stop());
		document.addEventListener("visibilitychange", () => this.resume(), { signal: place.signal });
	}
	/** Follow this window and no other. */
	follow(query) {
		const asked = queryOf(query);
		if (asked === this.asked) return;
		this.asked = asked;
		this.begin();
	}
	begin() {
		this.stop();
		if (this.place.signal.aborted || this.isOver) return;
		const stream = this.stream = new EventSource(adminUrl(`nodes/changes?${this.asked}`));
		stream.addEventListener("window", (event) => this.set(JSON.parse(event.data)));
		stream.addEventListener("change", (event) => {
			if (this.window) this.set(changed(this.window, JSON.parse(event.data)));
		});
		stream.addEventListener("end", () => this.askInstead());
		stream.addEventListener("error", () => {
			if (stream.readyState === EventSource.CLOSED) this.askInstead();
			else this.watcher.trouble(new ApiError(0, "The server does not answer."));
		});
	}
	stop() {
		this.stream?.close();
		this.stream = null;
		clearTimeout(this.timer);
	}
	/** A hidden page follows nothing. */
	resume() {
		if (document.hidden) this.stop();
		else if (this.asked) this.begin();
	}
	set(window) {
		this.window = window;
		this.patience.succeed();
		this.watcher.trouble(null);
		this.watcher.show(window);
	}
	/** The stream was refused, or has ended. */
	askInstead() {
		this.stop();
		this.ask(this.asked);
	}
	async ask(asked) {
		try {
			const window = await this.place.api.get(`nodes?${asked}`, this.place.signal);
			if (asked === this.asked) this.set(window);
		} catch (error) {
			this.fail(error);
		}
		if (asked === this.asked && !this.isOver && !document.hidden && !this.place.signal.aborted) this.timer = setTimeout(() => void this.ask(asked), this.patience.wait);
	}
	fail(error) {
		if (this.place.signal.aborted) return;
		this.patience.fail();
		this.isOver = isRefused(error);
		this.watcher.trouble(error);
	}
};

//#endregion
//#region src/tree/grid.ts
const ROW = 36;
const AROUND = 8;
const AHEAD = 60;
const MOST = 200;
const COLUMNS = [
	"Node",
	"State",
	"Waiting",
	"Restarts",
	"CPU",
	"Held",
	"Last message"
];
var Grid = class {
	root;
	body = element("div", {
		class: "tree-rows",
		role: "rowgroup"
	});
	shown = /* @__PURE__ */ new Map();
	window = {
		found: true,
		total: 0,
		offset: 0,
		cpu_measured: false,
		rows: []
	};
	isList = false;
	active = 0;
	activePath = "";
	drawing = 0;
	constructor(owner) {
		this.owner = owner;
		const header = element("div", {
			role: "row",
			class: "tree-row tree-header"
		}, ...COLUMNS.map((name) => element("span", { role: "columnheader" }, name)));
		this.root = element("div", {
			class: "tree-box",
			role: "treegrid",
			tabindex: 0,
			"aria-label": "Supervision tree",
			testid: "tree",
			onscroll: () => this.redraw(),
			onkeydown: (event) => this.press(event)
		}, header, this.body);
	}
	/** Show this window. Where the reader is stays in its place. */
	set(window, isList) {
		const moved = isList || this.isList ? 0 : this.movedBy(window);
		this.window = window;
		this.isList = isList;
		this.body.style.height = `${window.total * ROW}px`;
		this.root.setAttribute("aria-rowcount", String(window.total + 1));
		if (moved) this.root.scrollTop += moved * ROW;
		this.keepActive();
		this.draw();
	}
	toTop() {
		this.root.scrollTop = 0;
		this.active = 0;
		this.activePath = "";
	}
	redraw() {
		cancelAnimationFrame(this.drawing);
		this.drawing = requestAnimationFrame(() => this.draw());
	}
	/** How many rows the first one in sight has moved by. */
	movedBy(next) {
		const first = Math.floor(this.root.scrollTop / ROW), path = this.at(first)?.path;
		const place = path === void 0 || first === 0 ? -1 : next.rows.findIndex((row) => row.path === path);
		return place < 0 ? 0 : place + next.offset - first;
	}
	at(index) {
		return this.window.rows[index - this.window.offset];
	}
	/** The active row is the same node if it is still there, or else the one in its place. */
	keepActive() {
		const place = this.window.rows.findIndex((row) => row.path === this.activePath);
		if (place >= 0) this.active = place + this.window.offset;
		this.active = Math.max(0, Math.min(this.active, this.window.total - 1));
		this.activePath = this.at(this.active)?.path ?? this.activePath;
	}
	draw() {
		const height = this.root.clientHeight, top = this.root.scrollTop;
		const first = Math.floor(top / ROW), last = Math.ceil((top + height) / ROW);
		const seen = /* @__PURE__ */ new Set();
		for (let index = Math.max(0, first - AROUND); index < Math.min(this.window.total, last + AROUND); index++) {
			const row = this.at(index);
			if (!row) continue;
			seen.add(row.path);
			this.drawRow(row, index);
		}
		for (const [path, each] of this.shown) if (!seen.has(path)) {
			each.root.remove();
			this.shown.delete(path);
		}
		this.pointAt();
		this.wantAround(first, last);
	}
	wantAround(first, last) {
		const { offset, rows, total } = this.window, end = offset + rows.length;
		const misses = first < offset || Math.min(last, total) > end;
		const isNear = offset > 0 && first - AHEAD / 2 < offset || end < total && last + AHEAD / 2 > end;
		if (!misses && !isNear) return;
		const from = Math.max(0, first - AHEAD);
		this.owner.want({
			offset: from,
			limit: Math.min(MOST, last + AHEAD - from)
		});
	}
	drawRow(row, index) {
		const made = this.shown.get(row.path) ?? this.makeRow(row);
		made.root.style.transform = `translateY(${index * ROW}px)`;
		made.root.setAttribute("aria-rowindex", String(index + 2));
		const isOpen = row.children > 0 && !this.isList && (row.level === 1 || this.owner.isOpen(row.path));
		if (row.children && !this.isList) made.root.setAttribute("aria-expanded", String(isOpen));
		else made.root.removeAttribute("aria-expanded");
		if (made.row !== row) this.fill(made, row);
		made.row = row;
	}
	makeRow(row) {
		const twist = element("span", {
			class: "twist",
			"aria-hidden": "true",
			onclick: (event) => {
				event.stopPropagation();
				if (row.level > 1) this.owner.toggle(row.path);
			}
		});
		const name = element("a", {
			href: address("tree", row.path),
			tabindex: -1,
			title: named(row.path)
		}, nameOf(row.id));
		const cells = COLUMNS.map((_, place) => element("span", {
			role: "gridcell",
			class: place > 1 && place < 6 ? "num" : ""
		}));
		cells[0]?.append(twist, name, element("span", { class: "soft" }));
		const root = element("div", {
			class: "tree-row",
			role: "row",
			testid: "tree-row",
			onclick: () => this.activate(row.path)
		}, ...cells);
		root.id = `row-${ids++}`;
		this.body.append(root);
		const made = {
			root,
			cells,
			row: null
		};
		this.shown.set(row.path, made);
		return made;
	}
	fill({ root, cells }, row) {
		const loads = this.isList ? row : row.total;
		root.setAttribute("aria-level", String(row.level));
		root.dataset["state"] = row.state;
		root.style.setProperty("--level", String(this.isList ? 1 : row.level));
		const below = cells[0]?.lastElementChild;
		if (below) put(below, row.children ? number(row.children) : this.isList ? named(row.path.slice(0, -row.id.length - 1)) : "");
		[
			row.phase ?? (row.state === "running" ? row.strategy ?? "" : row.state),
			some(loads.waiting),
			some(loads.restarts),
			percent(loads.cpu),
			loads.held ? bytes(loads.held) : "",
			row.last_message ?? ""
		].forEach((text, place) => put(cells[place + 1], text));
		root.classList.toggle("is-busy", loads.waiting > 0);
	}
	press(event) {
		const row = this.at(this.active), page = Math.max(1, Math.floor(this.root.clientHeight / ROW) - 2);
		const move = event.altKey || event.ctrlKey || event.metaKey ? void 0 : {
			ArrowDown: () => this.goTo(this.active + 1),
			ArrowUp: () => this.goTo(this.active - 1),
			PageDown: () => this.goTo(this.active + page),
			PageUp: () => this.goTo(this.active - page),
			Home: () => this.goTo(0),
			End: () => this.goTo(this.window.total - 1),
			ArrowRight: () => this.right(row),
			ArrowLeft: () => this.left(row),
			Enter: () => row && (location.hash = address("tree", row.path))
		}[event.key];
		if (!move) return;
		event.preventDefault();
		move();
	}
	right(row) {
		if (!row?.children || this.isList) return;
		if (row.level === 1 || this.owner.isOpen(row.path)) this.goTo(this.active + 1);
		else this.owner.toggle(row.path);
	}
	left(row) {
		if (!row || this.isList) return;
		if (row.level > 1 && this.owner.isOpen(row.path)) return this.owner.toggle(row.path);
		for (let index = this.active - 1; index >= this.window.offset; index--) if ((this.at(index)?.level ?? row.level) < row.level) return this.goTo(index);
	}
	activate(path) {
		this.activePath = path;
		this.keepActive();
		this.pointAt();
	}
	goTo(index) {
		this.active = Math.max(0, Math.min(index, this.window.total - 1));
		this.activePath = this.at(this.active)?.path ?? "";
		const top = this.active * ROW, box = this.root, room = box.clientHeight - 2 * ROW;
		if (top < box.scrollTop) box.scrollTop = top;
		else if (top > box.scrollTop + room) box.scrollTop = top - room;
		this.draw();
	}
	pointAt() {
		for (const [path, { root }] of this.shown) root.classList.toggle("is-active", path === this.activePath);
		const active = this.shown.get(this.activePath)?.root.id;
		if (active) this.root.setAttribute("aria-activedescendant", active);
		else this.root.removeAttribute("aria-activedescendant");
	}
};
let ids = 0;
const some = (count) => count ? number(count) : "";

//#endregion
//#region src/tree/machine.ts
var MachineCard = class {
	root;
	title = element("h3");
	now = element("p", { testid: "phase" });
	picture = element("div", {
		class: "machine scroll",
		tabindex: 0,
		role: "region",
		"aria-label": "The machine's states"
	});
	log = element("ol", {
		class: "moves",
		testid: "moves"
	});
	drawn = "";
	logged = "";
	lit = "";
	constructor() {
		const log = element("section", { class: "card" }, element("h3", {}, "Transitions, the last first"), this.log);
		this.root = element("section", {
			class: "machine-card",
			hidden: true
		}, this.title, this.now, this.picture, log);
	}
	set(machine, drawing) {
		this.root.hidden = machine === null;
		if (!machine) return;
		put(this.title, `Machine ${named(machine.name)}`);
		put(this.now, nowOf(machine));
		if (drawing !== this.drawn) this.draw(drawing);
		for (const state of this.picture.querySelectorAll(".state")) state.classList.toggle("is-lit", state.dataset["state"] === machine.phase);
		if (machine.phase !== this.lit) this.bringIntoView();
		this.lit = machine.phase;
		this.tell(machine.moves);
	}
	/** Within the picture only: the page stays where it is. */
	bringIntoView() {
		const state = this.picture.querySelector(".is-lit")?.getBoundingClientRect(), box = this.picture.getBoundingClientRect();
		if (!state) return;
		this.picture.scrollBy(state.x + state.width / 2 - box.x - box.width / 2, state.y + state.height / 2 - box.y - box.height / 2);
	}
	draw(drawing) {
		this.drawn = drawing;
		const parsed = new DOMParser().parseFromString(drawing, "image/svg+xml").documentElement;
		this.picture.replaceChildren(...parsed.localName === "svg" ? [document.importNode(parsed, true)] : []);
	}
	tell(moves) {
		const key = JSON.stringify(moves);
		if (key === this.logged) return;
		this.logged = key;
		const lines = [...moves].reverse().map((move) => element("li", {}, element("b", {}, move.new), " from ", move.old, " by ", element("code", {}, named(move.event))));
		this.log.replaceChildren(...lines.length ? lines : [element("li", { class: "soft" }, "It has not left its first state.")]);
	}
};
function nowOf({ phase, postponed }) {
	return postponed.length ? `In ${phase}. Postponed until it leaves this state: ${postponed.map(named).join(", ")}.` : `In ${phase}.`;
}

//#endregion
//#region src/tree/node.ts
const SECONDS = 2;
const node = {
	title: "Node",
	async show(place) {
		const path = place.parts.join("/");
		place.root.append(crumbs(path));
		const page = new NodePage(place.root);
		try {
			await refreshing(place, SECONDS, async () => {
				page.show(await place.api.get(`node?path=${encodeURIComponent(path)}`, place.signal));
			});
		} catch (error) {
			if (!(error instanceof ApiError && error.status === 404)) throw error;
			gone(place, error);
		}
	}
};
function gone(place, error) {
	if (place.signal.aborted) return;
	const crash = error.said["crash"], at = error.said["ended_at"];
	place.root.append(element("div", {
		class: "card",
		role: "status",
		testid: "gone"
	}, element("h2", {}, "This node is not in the tree now"), element("p", {}, named(error.message)), typeof at === "number" ? element("p", {}, "It ended at ", time(at), ".") : element("p", {}, error.advice), typeof crash === "string" ? element("p", {}, link(`Crash ${crash}`, "crashes", crash)) : null));
}
/** The nodes above, each a link. An id that holds a slash leads to a node that is not there. */
function crumbs(path) {
	const parts = path.split("/");
	const links = parts.slice(0, -1).map((id, place) => element("li", {}, element("a", { href: address("tree", parts.slice(0, place + 1).join("/")) }, nameOf(id))));
	return element("nav", { "aria-label": "Above this node" }, element("ol", { class: "crumbs" }, element("li", {}, element("a", { href: address("tree") }, "Tree")), ...links));
}
var NodePage = class {
	facts = new Facts("");
	mailbox = new Facts("Mailbox");
	budget = new Facts("Restarts");
	kinds = new Lines("Messages", ["Waiting, the next first", "Handled, the last first"]);
	timers = new Lines("Timers", [
		"Timer",
		"Message",
		"Due in"
	]);
	crashes = new Lines("Crashes of it and below", [
		"When",
		"Crash",
		"Node"
	]);
	machine = new MachineCard();
	title = element("h2", {
		class: "node-title",
		testid: "node-title"
	});
	user = element("p", {});
	constructor(root) {
		const cards = [
			this.facts,
			this.mailbox,
			this.budget
		].map((each) => each.root);
		const lists = [
			this.kinds,
			this.timers,
			this.crashes
		].map((each) => each.root);
		root.append(this.title, this.user, element("div", { class: "node-cards" }, ...cards), this.machine.root, ...lists);
	}
	show(said) {
		const { node } = said;
		if (!this.title.firstChild) this.head(node);
		this.facts.set(factsOf(said));
		this.mailbox.set(node.mailbox ? mailboxOf(node.mailbox, said.held ?? 0) : []);
		this.budget.set(budgetOf(said));
		this.machine.set(said.machine ?? null, said.drawing ?? "");
		this.kinds.set(pairs(said.waiting ?? [], [...said.recent ?? []].reverse()));
		this.timers.set((said.timers ?? []).map((each) => [
			named(each.name),
			named(each.message),
			duration(each.in)
		]));
		this.crashes.set(said.crashes.map((each) => [
			time(each.at * 1e3),
			link(each.summary, "crashes", each.id),
			named(each.path)
		]), said.crashes.map((each) => each.id).join());
	}
	head({ id, path }) {
		this.title.append(nameOf(id));
		const user = userOf(path);
		if (user !== null) this.user.append("Of user ", link(user, "users", user));
		this.user.hidden = user === null;
	}
};
function factsOf({ node, actor }) {
	return [
		["Kind", actor === void 0 ? node.kind : "actor"],
		...actor === void 0 ? [] : [["Class", named(actor.slice(actor.lastIndexOf(":") + 1))]],
		["State", node.state],
		["Up for", duration(node.uptime)],
		["Processor now", node.cpu_share === null ? "not measured" : percent(node.cpu_share)],
		...node.cpu_seconds === null ? [] : [["Processor in all", duration(node.cpu_seconds)]],
		...node.strategy === null ? [] : [["Strategy", node.strategy], ["Children", number(node.hidden)]],
		...node.left_behind.length ? [["Left behind", node.left_behind.map(named).join(", ")]] : []
	];
}
function mailboxOf(mailbox, held) {
	return [
		["Waiting", `${number(mailbox.depth + mailbox.in_hand)} of ${number(mailbox.capacity)}`],
		["Oldest waits for", mailbox.depth + mailbox.in_hand ? duration(mailbox.age) : "–"],
		["Most that waited", number(mailbox.peak)],
		["Handled", number(mailbox.taken - mailbox.in_hand)],
		["Dropped", number(mailbox.dropped)],
		["Senders that wait", number(mailbox.senders_waiting)],
		["Held in messages", bytes(held)]
	];
}
function budgetOf({ node, supervisor, intensity, restart }) {
	return [
		["Restarted", node.restarts === 1 ? "once" : `${number(node.restarts)} times`],
		...restart === void 0 ? [] : [["Restart type", restart]],
		...supervisor ? [["Its supervisor", `${supervisor.strategy}, ${number(supervisor.budget)} left of ${supervisor.intensity}`]] : [],
		...intensity === void 0 || node.budget === null ? [] : [["Its children", `${number(node.budget)} left of ${intensity}`]]
	];
}
/** The user whose part of the tree it is; `users` percent-encodes what could end a name. */
function userOf(path) {
	const part = path.split("/").find((each) => each.startsWith("user:"));
	if (part === void 0) return null;
	try {
		return decodeURIComponent(part.slice(5));
	} catch {
		return part.slice(5);
	}
}
const pairs = (one, other) => Array.from({ length: Math.max(one.length, other.length) }, (_, place) => [one[place] ?? "", other[place] ?? ""]);
/** Names and values, updated in place. */
var Facts = class {
	root;
	list = element("dl", { class: "node-facts" });
	values = /* @__PURE__ */ new Map();
	constructor(title) {
		this.root = element("section", {
			class: "card",
			hidden: true
		}, title ? element("h3", {}, title) : null, this.list);
	}
	set(facts) {
		this.root.hidden = !facts.length;
		for (const [name, value] of facts) put(this.values.get(name) ?? this.add(name), value);
	}
	add(name) {
		const made = element("dd");
		this.values.set(name, made);
		this.list.append(element("div", {}, element("dt", {}, name), made));
		return made;
	}
};
/** A table that is made again when something in it is another. */
var Lines = class {
	root;
	body = element("tbody");
	last = "";
	constructor(title, columns) {
		const table = element("table", {}, element("thead", {}, element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)))), this.body);
		this.root = element("section", {
			class: "node-lines",
			hidden: true
		}, element("h3", {}, title), element("div", {
			class: "scroll",
			tabindex: 0,
			role: "region",
			"aria-label": title
		}, table));
	}
	set(rows, key = JSON.stringify(rows)) {
		this.root.hidden = !rows.length;
		if (key === this.last) return;
		this.last = key;
		this.body.replaceChildren(...rows.map((cells) => element("tr", {}, ...cells.map((each) => element("td", {}, each)))));
	}
};

//#endregion
//#region src/views/tree.ts
const WORDS = {
	"": "As a tree",
	waiting: "Most waiting",
	restarts: "Most restarts",
	cpu: "Most CPU",
	held: "Most memory held"
};
const SETTLE = 120;
/** Where the reader was, for when they come back. */
const kept = {
	opened: new Set(["greenroom/users"]),
	sort: "",
	search: ""
};
const tree = {
	title: "Tree",
	show(place) {
		let range = {
			offset: 0,
			limit: 100
		}, timer = 0;
		const count = element("p", {
			class: "soft",
			testid: "tree-count"
		});
		const trouble = element("p", {
			class: "error",
			role: "status",
			testid: "trouble",
			hidden: true
		});
		const sort = element("select", {
			"aria-label": "Order",
			testid: "tree-sort",
			onchange: () => {
				kept.sort = sort.value;
				begin();
			}
		}, ...SORTS.map((each) => element("option", {
			value: each,
			selected: each === kept.sort
		}, WORDS[each])));
		const search = element("input", {
			type: "search",
			placeholder: "Search nodes",
			"aria-label": "Search nodes by their id",
			testid: "tree-search",
			value: kept.search,
			oninput: () => {
				kept.search = search.value.trim();
				soon(begin);
			}
		});
		const grid = new Grid({
			isOpen: (path) => kept.opened.has(path),
			toggle(path) {
				if (!kept.opened.delete(path)) kept.opened.add(path);
				follow();
			},
			want(wanted) {
				if (wanted.offset === range.offset && wanted.limit === range.limit) return;
				range = wanted;
				soon(follow);
			}
		});
		const feed = new Feed(place, {
			show(window) {
				put(count, wordsOf(window));
				grid.set(window, isList());
			},
			trouble(error) {
				trouble.hidden = error === null;
				put(trouble, error === null ? "" : wordsOfTrouble(error));
			}
		});
		const isList = () => Boolean(kept.sort || kept.search);
		const follow = () => feed.follow({
			opened: [...kept.opened],
			sort: kept.sort,
			search: kept.search,
			...range
		});
		const begin = () => {
			grid.toTop();
			range = {
				offset: 0,
				limit: 100
			};
			follow();
		};
		const soon = (then) => {
			clearTimeout(timer);
			timer = setTimeout(then, SETTLE);
		};
		addEventListener("resize", () => grid.redraw(), { signal: place.signal });
		place.signal.addEventListener("abort", () => clearTimeout(timer));
		place.root.append(element("div", { class: "row" }, sort, search, count), trouble, grid.root);
		begin();
	}
};
function wordsOf({ total, cpu_measured }) {
	if (kept.sort === "cpu" && !cpu_measured) return "Processor time is not measured: set GREENROOM_MEASURE_CPU=yes.";
	const what = total === 1 ? "1 node" : `${number(total)} nodes`;
	if (kept.search && !total) return "No node has this in its id.";
	return kept.sort && !total ? "No node carries any." : kept.sort || kept.search ? what : `${number(total)} rows`;
}

//#endregion
export { node, tree };