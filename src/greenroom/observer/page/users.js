import { ApiError, FreshParts, address, askTwice, duration, element, link, nameOf, named, number, put, refreshing, time } from "./kit.js";

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
/** A section with a table; of nothing, it says so in a few words. */
function section(title, columns, rows, none, ...more) {
	return element("section", { class: "part" }, element("h2", {}, title), rows.length ? tableOf(title, columns, rows) : element("p", { class: "soft" }, none), ...more);
}

//#endregion
//#region src/views/account.ts
/** In one line: served or not, how far, refused or not. */
function headline(account) {
	const { first, last } = account.bounds, kept = last ? last - first + 1 : 0;
	return element("div", {
		class: "card headline",
		testid: "headline"
	}, element("p", { class: "user" }, nameOf(account.user)), element("p", { class: "soft" }, account.active ? "Served by this server now" : "Not served by this server now", `; ${number(kept)} events kept${first > 1 && last ? `, earlier ones are trimmed` : ""}.`), account.banned_until === null ? null : element("p", {
		class: "error",
		testid: "refused"
	}, "Refused until ", time(account.banned_until), "."), element("p", {}, element("a", { href: address("why", account.user) }, "Why did the user not see it?")));
}
const PHASES = { READY: "ready" };
const far = ({ standing }) => standing && `${standing.received} of ${standing.sent}`;
const connections = (account) => section("Connections", [
	{
		title: "Connection",
		of: (each) => element("a", { href: address("tree", each.path) }, nameOf(each.connection))
	},
	{
		title: "Phase",
		of: ({ phase }) => phase === null ? "starts" : PHASES[phase] ?? phase.toLowerCase()
	},
	{
		title: "Session",
		of: ({ standing }) => standing && nameOf(standing.session)
	},
	{
		title: "Open since",
		of: ({ seconds }) => time(Math.round((account.at - seconds * 1e3) / 1e3) * 1e3)
	},
	{
		title: "Received, of sent",
		is: "num",
		of: far
	},
	{
		title: "Socket",
		of: ({ standing }) => standing && (standing.is_moving ? "bytes leave" : "quiet")
	},
	{
		title: "Breaker",
		of: ({ standing }) => standing && (standing.failures ? `${standing.circuit}, ${standing.failures} in vain` : standing.circuit)
	},
	{
		title: "Waiting",
		is: "num",
		of: ({ waiting }) => number(waiting)
	}
], account.connections, "None is open.");
/** Those that are open, whether or not they are among the recent ones. */
function openRuns(account) {
	const live = new Set(account.live_runs), going = new Map(account.going_on.map((each) => [each.run, each]));
	return section("Open runs", [
		{
			title: "Run",
			of: ({ run }) => link(run, "runs", run)
		},
		{
			title: "State",
			of: ({ run }) => live.has(run) ? "runs here" : "not in this process"
		},
		{
			title: "Goes on after a loss",
			of: ({ run }) => going.has(run) ? `yes: attempt ${going.get(run)?.attempt}` : "no"
		},
		{
			title: "Why not seen?",
			of: ({ run }) => element("a", { href: address("why", run) }, "why")
		}
	], account.open_runs, "None is open.");
}
const RUNS = [
	{
		title: "Run",
		of: ({ run }) => link(run, "runs", run)
	},
	{
		title: "Agent",
		of: ({ agent }) => agent && nameOf(agent)
	},
	{
		title: "Began",
		of: ({ began }) => began === null ? "earlier" : time(began)
	},
	{
		title: "Ended",
		of: ({ ending, last_at, began }) => ending === null ? null : `${ending}${began === null ? "" : ` after ${duration((last_at - began) / 1e3)}`}`
	},
	{
		title: "Last event",
		of: ({ last_kind }) => last_kind
	},
	{
		title: "Events",
		is: "num",
		of: ({ events }) => number(events)
	},
	{
		title: "Sub-run of",
		of: ({ parent }) => parent && link(parent, "runs", parent)
	}
];
const threads = (account) => section("Threads", [
	{
		title: "Thread",
		of: ({ thread }) => nameOf(thread)
	},
	...account.texts ? [{
		title: "Title",
		of: ({ title }) => title && nameOf(title)
	}] : [],
	{
		title: "Runs",
		is: "num",
		of: ({ runs }) => number(runs)
	},
	{
		title: "Last event",
		of: ({ last }) => last.kind
	},
	{
		title: "Last used",
		of: ({ updated }) => time(updated)
	}
], account.threads, "There are none.", account.more_threads ? element("p", { class: "soft" }, "These are the last used ones; there are others.") : null);
const sessions = (account) => section("Sessions", [
	{
		title: "Session",
		of: ({ session }) => nameOf(session)
	},
	{
		title: "Received, of sent",
		is: "num",
		of: ({ offset, sent }) => `${offset} of ${sent}`
	},
	{
		title: "Heard of",
		of: ({ at }) => time(at)
	}
], account.sessions, "The journal knows none.");
const past = (account) => section("Past connections", [
	{
		title: "Ended",
		of: ({ at }) => time(at)
	},
	{
		title: "Connection",
		of: ({ connection }) => connection === null ? "refused" : nameOf(connection)
	},
	{
		title: "Session",
		of: ({ session }) => session && nameOf(session)
	},
	{
		title: "Close code",
		is: "num",
		of: ({ code }) => String(code)
	},
	{
		title: "Closed by",
		of: ({ by_server }) => by_server ? "the server" : "the client's side"
	}
], [...account.past].reverse(), "None since this server started.");
const letters = (account) => section("Dead letters", [
	{
		title: "Event",
		of: ({ event }) => element("a", { href: address("why", event) }, nameOf(event))
	},
	{
		title: "Kind",
		of: ({ kind }) => kind
	},
	{
		title: "Given up",
		of: ({ at }) => time(at)
	},
	{
		title: "As",
		of: ({ outcome }) => outcome
	}
], account.letters, "There are none.");
const crashes = (account) => account.crashes.length ? section("Crashes", [
	{
		title: "When",
		of: ({ at }) => time(at)
	},
	{
		title: "Crash",
		of: ({ id }) => link(id, "crashes", id)
	},
	{
		title: "Of",
		of: ({ path }) => nameOf(path)
	},
	{
		title: "Error",
		of: ({ summary }) => nameOf(summary)
	}
], [...account.crashes].reverse(), "") : null;

//#endregion
//#region src/views/user_actions.ts
const PIECES = 4096;
const REFUSALS = [
	["do not refuse", 0],
	["10 minutes", 600],
	["1 hour", 3600],
	["1 day", 86400],
	["7 days", 604800]
];
var UserActions = class {
	root;
	said = element("p", {
		role: "status",
		testid: "done"
	});
	admit = this.button("Admit again", "admit", () => this.readmit());
	path;
	constructor(place, user, changed) {
		this.place = place;
		this.user = user;
		this.changed = changed;
		this.path = `users/${encodeURIComponent(user)}`;
		this.root = element("section", {
			class: "part actions",
			"aria-label": "Actions"
		}, this.disconnectForm(), element("p", { class: "row" }, this.admit, this.button("Export", "export", () => this.export()), this.button("Erase…", "erase", () => this.erase(), "danger")), this.said);
	}
	show({ banned_until }) {
		this.admit.disabled = banned_until === null;
	}
	button(text, testid, act, kind = "quiet") {
		return element("button", {
			type: "button",
			class: kind,
			testid,
			onclick: () => void this.doing(act)
		}, text);
	}
	disconnectForm() {
		const reason = element("input", {
			id: "reason",
			type: "text",
			maxlength: 120,
			testid: "reason",
			autocomplete: "off"
		});
		const until = element("select", {
			id: "until",
			testid: "until"
		}, ...REFUSALS.map(([text, s]) => element("option", { value: s }, text)));
		const reconnect = element("input", {
			type: "checkbox",
			testid: "reconnect"
		});
		const runs = element("input", {
			type: "checkbox",
			testid: "cancel-runs"
		});
		const submit = (event) => {
			event.preventDefault();
			this.doing(() => this.disconnect(reason.value.trim(), Number(until.value), reconnect.checked, runs.checked));
		};
		return element("form", {
			class: "disconnect",
			testid: "disconnect-form",
			onsubmit: submit
		}, element("label", { for: "reason" }, "Reason, which the user sees"), reason, element("label", { for: "until" }, "Refuse for"), until, element("p", { class: "row" }, element("label", { class: "check" }, reconnect, "clients may come back by themselves"), element("label", { class: "check" }, runs, "cancel the user's runs"), element("button", {
			type: "submit",
			class: "danger",
			testid: "disconnect"
		}, "Disconnect…")));
	}
	async disconnect(reason, seconds, reconnect, runs) {
		if (!await askTwice({
			title: "Disconnect this user?",
			text: `${[
				`Every connection of ${named(this.user)} is closed`,
				seconds ? `the user is refused for ${REFUSALS.find(([, s]) => s === seconds)?.[0]}` : "",
				runs ? "the user's runs are cancelled" : "the user's runs go on"
			].filter(Boolean).join("; ")}.`,
			act: "Disconnect"
		})) return;
		const query = new URLSearchParams();
		if (reason) query.set("reason", reason);
		if (seconds) query.set("until", String(Date.now() / 1e3 + seconds));
		if (reconnect) query.set("reconnect", "yes");
		if (runs) query.set("runs", "cancel");
		const { connections } = await this.place.api.send("POST", `${this.path}/disconnect?${query}`);
		put(this.said, `Disconnected: ${number(connections)} connections ended.`);
	}
	async readmit() {
		await this.place.api.send("DELETE", `${this.path}/disconnect`);
		put(this.said, "Admitted again.");
	}
	async export() {
		const parts = [];
		let size = 0, after = "";
		for (let piece = 0; after !== null && piece < PIECES; piece++) {
			const query = after && `?${new URLSearchParams({ after })}`;
			const answer = await this.place.api.get(`${this.path}/export${query}`, this.place.signal);
			parts.push(answer.lines);
			size += answer.lines.length;
			after = answer.after;
			put(this.said, `Exporting: ${number(Math.round(size / 1024))} KiB so far.`);
		}
		if (after !== null) throw new ApiError(0, "The export is too large for a page.", "Use `greenroom users export`.");
		save(new Blob(parts, { type: "application/x-ndjson" }), `${this.user.replace(/[^\w.@-]/g, "_")}.jsonl`);
		put(this.said, `Exported: ${number(Math.round(size / 1024))} KiB.`);
	}
	async erase() {
		if (!await askTwice({
			title: "Erase all that is kept of this user?",
			text: `All that is kept of ${named(this.user)} is erased for good: events, threads, sessions, dead letters. Connections are closed and runs cancelled first. Backups keep what they have.`,
			act: "Erase",
			typed: this.user
		})) return;
		await this.place.api.send("DELETE", this.path);
		put(this.said, "All that was kept of this user is erased.");
	}
	/** One at a time; what it says is shown. */
	async doing(act) {
		const buttons = [...this.root.querySelectorAll("button")].filter((each) => !each.disabled);
		for (const each of buttons) each.disabled = true;
		this.said.classList.remove("error");
		try {
			await act();
		} catch (error) {
			if (this.place.signal.aborted) return;
			this.said.classList.add("error");
			put(this.said, error instanceof ApiError ? `${error.message} ${error.advice}`.trim() : String(error));
		} finally {
			for (const each of buttons) each.disabled = false;
		}
		await this.changed().catch(() => void 0);
	}
};
function save(blob, name) {
	const href = URL.createObjectURL(blob);
	const link = element("a", {
		href,
		download: name,
		hidden: true
	});
	document.body.append(link);
	link.click();
	link.remove();
	setTimeout(() => URL.revokeObjectURL(href), 6e4);
}

//#endregion
//#region src/views/users.ts
const SECONDS = 5;
/** Pages, each after the last user of the one before. */
var UserList = class {
	begins = element("input", {
		id: "begins",
		type: "search",
		testid: "begins",
		autocomplete: "off",
		spellcheck: "false",
		oninput: () => this.search()
	});
	active = element("input", {
		type: "checkbox",
		testid: "active",
		onchange: () => this.search()
	});
	back = element("button", {
		type: "button",
		class: "quiet",
		testid: "back",
		onclick: () => this.turn(-1)
	}, "Back");
	next = element("button", {
		type: "button",
		class: "quiet",
		testid: "next",
		onclick: () => this.turn(1)
	}, "Next");
	parts;
	/** The last users of the pages before this one. */
	ends = [];
	last = "";
	asked = 0;
	constructor(place) {
		this.place = place;
		const list = element("div", { testid: "users" });
		place.root.append(element("form", {
			class: "row",
			role: "search",
			"aria-label": "Users by their ids",
			onsubmit: (event) => event.preventDefault()
		}, element("label", { for: "begins" }, "The id begins with"), this.begins, element("label", { class: "check" }, this.active, "only those served now")), list, element("p", { class: "row" }, this.back, this.next));
		this.parts = new FreshParts(list);
	}
	async look() {
		const asked = ++this.asked;
		const query = new URLSearchParams({
			begins: this.begins.value.trim(),
			after: this.ends.at(-1) ?? "",
			active: this.active.checked ? "yes" : ""
		});
		const page = await this.place.api.get(`users?${query}`, this.place.signal);
		if (asked !== this.asked) return;
		this.last = page.users.at(-1)?.user ?? "";
		this.back.disabled = this.ends.length === 0;
		this.next.disabled = !page.more;
		this.parts.put("list", page.users.length ? listOf(page.users) : element("p", {
			class: "soft",
			testid: "none"
		}, "No user's id begins so."));
	}
	search() {
		this.ends.length = 0;
		this.lookNow();
	}
	turn(by) {
		if (by > 0) this.ends.push(this.last);
		else this.ends.pop();
		this.lookNow();
	}
	lookNow() {
		this.look().catch((error) => {
			if (!this.place.signal.aborted) this.parts.put("list", element("p", {
				class: "error",
				role: "alert"
			}, error instanceof ApiError ? error.message : String(error)));
		});
	}
};
const listOf = (lines) => tableOf("Users", [
	{
		title: "User",
		of: ({ user }) => link(user, "users", user)
	},
	{
		title: "Connections",
		is: "num",
		of: ({ connections }) => number(connections)
	},
	{
		title: "Live runs",
		is: "num",
		of: ({ runs }) => number(runs)
	},
	{
		title: "Events behind",
		is: "num",
		of: ({ behind }) => number(behind)
	},
	{
		title: "State",
		of: ({ active, banned_until }) => banned_until === null ? active ? "served" : "away" : element("span", { class: "error" }, "refused until ", time(banned_until))
	}
], lines);
const userList = {
	title: "Users",
	async show(place) {
		const list = new UserList(place);
		await refreshing(place, SECONDS, () => list.look());
	}
};
const users = {
	title: "User",
	async show(place) {
		const page = new UserPage(place, place.parts[0] ?? "");
		await refreshing(place, SECONDS, () => page.look());
	}
};
var UserPage = class {
	head = element("div");
	body = element("div", { class: "view" });
	top = new FreshParts(this.head);
	parts = new FreshParts(this.body);
	actions;
	texts = element("input", {
		type: "checkbox",
		testid: "texts",
		onchange: () => void this.look().catch(() => void 0)
	});
	before = null;
	constructor(place, user) {
		this.place = place;
		this.user = user;
		const mayAct = place.role === "act";
		this.actions = mayAct ? new UserActions(place, user, () => this.look()) : null;
		place.root.append(this.head);
		if (this.actions) place.root.append(element("details", {
			class: "card",
			testid: "actions"
		}, element("summary", {}, "Disconnect, export, erase"), this.actions.root));
		if (mayAct) place.root.append(element("label", { class: "check" }, this.texts, "Show the titles of threads"));
		place.root.append(this.body);
	}
	async look() {
		const query = new URLSearchParams();
		if (this.before !== null) query.set("before", String(this.before));
		if (this.texts.checked) query.set("texts", "yes");
		const account = await this.place.api.get(`users/${encodeURIComponent(this.user)}?${query}`, this.place.signal);
		this.actions?.show(account);
		this.top.put("headline", headline(account));
		this.parts.put("connections", connections(account));
		this.parts.put("open", openRuns(account));
		this.parts.put("runs", this.runs(account));
		this.parts.put("letters", letters(account));
		this.parts.put("crashes", crashes(account));
		this.parts.put("threads", threads(account));
		this.parts.put("sessions", sessions(account));
		this.parts.put("past", past(account));
	}
	runs(account) {
		const turn = (before) => () => {
			this.before = before;
			this.look().catch(() => void 0);
		};
		return section("Recent runs", RUNS, account.runs, "There are none.", element("p", { class: "row" }, element("button", {
			type: "button",
			class: "quiet",
			testid: "newest-runs",
			disabled: this.before === null,
			onclick: turn(null)
		}, "Newest"), element("button", {
			type: "button",
			class: "quiet",
			testid: "older-runs",
			disabled: account.older === null,
			onclick: turn(account.older)
		}, "Older")));
	}
};

//#endregion
export { userList, users };