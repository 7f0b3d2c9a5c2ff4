import { ApiError, address, download, duration, element, isObject, link, nameOf, named, number, put, refreshing, textBlock, time } from "./kit.js";

//#region src/views/crashes.ts
const SECONDS = 5, DEEPEST = 12;
/** Crashes of one kind differ in whose they were only. */
const kindOf = ({ path, summary }) => `${path.replace(/\b(user:|outbox:|run_|conn_)[^/]+/g, "$1…")} ${summary}`;
function grouped(lines) {
	const groups = /* @__PURE__ */ new Map();
	for (const line of [...lines].sort((one, other) => other.at - one.at)) {
		const kind = kindOf(line);
		groups.set(kind, [...groups.get(kind) ?? [], line]);
	}
	return groups;
}
const crashes = {
	title: "Crashes",
	async show(place) {
		const body = element("tbody", { testid: "crashes" });
		const nothing = element("p", {
			class: "soft",
			testid: "no-crashes",
			hidden: true
		}, "Nothing has crashed.");
		const table = element("div", {
			class: "scroll",
			tabindex: 0,
			role: "region",
			"aria-label": "Crashes"
		}, element("table", {}, element("thead", {}, element("tr", {}, ...[
			"Newest",
			"Times",
			"What",
			"Error",
			"Replay"
		].map((name) => element("th", { scope: "col" }, name)))), body));
		const rows = /* @__PURE__ */ new Map();
		const look = async () => {
			const { crashes: lines } = await place.api.get("crashes", place.signal);
			const groups = grouped(lines);
			for (const [kind, { row }] of rows) if (!groups.has(kind)) {
				row.remove();
				rows.delete(kind);
			}
			let before = body.firstElementChild;
			for (const [kind, members] of groups) {
				const row = kept(rows, kind, members);
				if (row !== before) body.insertBefore(row, before);
				before = row.nextElementSibling;
			}
			nothing.hidden = groups.size > 0;
			table.hidden = groups.size === 0;
			if (!table.isConnected) place.root.append(nothing, table);
		};
		await refreshing(place, SECONDS, look);
	}
};
/** The row of a kind; another one takes its place when there are more crashes of it. */
function kept(rows, kind, members) {
	const sign = members.map(({ id }) => id).join(), known = rows.get(kind);
	if (known?.sign === sign) return known.row;
	const row = rowOf(members, known?.row.querySelector("details")?.open ?? false);
	const focused = known?.row.contains(document.activeElement);
	known?.row.replaceWith(row);
	if (focused) row.querySelector("a, summary")?.focus();
	rows.set(kind, {
		sign,
		row
	});
	return row;
}
function rowOf(members, isOpen) {
	const [newest] = members;
	return element("tr", { testid: "crash-kind" }, element("td", {}, element("a", {
		href: address("crashes", newest.id),
		testid: "newest"
	}, time(newest.at * 1e3)), newest.here ? null : element("span", {
		class: "note",
		title: `in process ${newest.process}`
	}, "earlier")), element("td", { class: "num" }, number(members.length)), element("td", {}, nameOf(newest.path), members.length > 1 ? others(members, isOpen) : null), element("td", { class: "error" }, named(newest.summary)), element("td", {}, newest.replayable ? newest.needs_actor ? "with --actor" : "yes" : ""));
}
function others(members, isOpen) {
	const each = members.map((line) => element("li", {}, element("a", { href: address("crashes", line.id) }, time(line.at * 1e3)), " ", nameOf(line.path)));
	return element("details", { open: isOpen }, element("summary", {}, `All ${number(members.length)}`), element("ul", {}, ...each));
}
const crash = {
	title: "Crash",
	async show({ root, parts, api, signal }) {
		const id = parts[0] ?? "";
		const answer = await api.get(`crashes/${encodeURIComponent(id)}`, signal);
		const report = answer.crash, { actor, error } = report;
		root.append(element("p", { class: "crumbs" }, element("a", { href: address("crashes") }, "All crashes")), element("section", {
			class: "card crash",
			testid: "crash"
		}, element("h2", {}, nameOf(`${report.supervisor}/${report.child}`)), element("p", { class: "error headline" }, `${report.reason}: ${error ? named(firstLine(error)) : "no error"}`), element("p", { class: "soft" }, ...circumstances(report)), answer.here === false ? element("p", {
			class: "soft",
			testid: "earlier"
		}, `In process ${named(answer.process ?? "")}, started `, time((answer.began ?? 0) * 1e3), ": not the one that answers.") : null, report.callers.length ? element("p", { class: "soft" }, "Started by ", nameOf(report.callers.join(", which was started by "))) : null, replay(report, api, signal)));
		if (error) root.append(section("What was raised", ...raised(error, 0)));
		if (actor?.machine) root.append(section(`Machine ${named(actor.machine)}, now ${named(actor.phase ?? "")}`, element("ol", {
			class: "moves",
			testid: "moves"
		}, ...actor.moves.map((move) => element("li", {}, element("code", {}, named(move.old)), ` — ${named(move.event)} → `, element("code", {}, named(move.new)))))));
		if (actor) root.append(section(`Last messages of ${named(actor.type)}`, element("p", { class: "soft" }, actor.forgotten ? `${number(actor.forgotten)} before them are forgotten; the last one is what it crashed on.` : "The last one is what it crashed on."), element("ol", {
			class: "messages",
			testid: "messages"
		}, ...actor.messages.map((message) => element("li", {}, textBlock(readable(message), 1e3))))));
		if (report.chain.length) root.append(section("Crashes that led here", element("ol", {
			class: "chain",
			testid: "chain"
		}, ...report.chain.map((each) => element("li", {}, link(each.id, "crashes", each.id), " ", time(each.at * 1e3), " ", nameOf(each.path), " ", element("span", { class: "error" }, named(each.reason)))))));
		if (report.traceback) root.append(section("Traceback", textBlock(report.traceback)));
	}
};
const section = (title, ...children) => element("section", { class: "card" }, element("h2", {}, title), ...children);
const firstLine = (error) => `${className(error.type)}: ${error.message.split("\n", 1)[0] ?? ""}`.slice(0, 300);
const className = (path) => path.split(":").at(-1) ?? path;
function circumstances(report) {
	const when = {
		start: ", while it was started",
		restart: ", while it was restarted",
		shutdown: ", while it was stopped"
	};
	const budget = report.budget === null ? "" : `; ${number(report.budget)} restarts were left`;
	return [time(report.at * 1e3), `${when[report.context] ?? ""}, after ${duration(report.uptime)} and ${number(report.restarts)} restarts${budget}. Crash ${report.id}.`];
}
/** A button that downloads the pytest file, or says why there is none. */
function replay(report, api, signal) {
	const said = element("p", {
		role: "status",
		testid: "no-replay"
	});
	return element("div", { class: "row" }, element("button", {
		type: "button",
		class: "quiet",
		testid: "replay",
		onclick: async () => {
			put(said, "");
			try {
				download(`test_crash_${report.id}.py`, await api.text(`crashes/${encodeURIComponent(report.id)}/test`, signal), "text/x-python");
			} catch (error) {
				if (!signal.aborted) put(said, error instanceof ApiError ? `No test can be written: ${error.message}. ${error.advice}` : String(error));
			}
		}
	}, "Replay as test"), said);
}
function* raised(error, depth) {
	yield element("p", { class: "error" }, element("strong", {}, named(className(error.type))));
	if (error.message) yield textBlock(error.message);
	yield element("ol", { class: "frames" }, ...[...error.frames].reverse().map((frame) => element("li", {}, element("code", {}, named(frame.source || "(no source)")), element("span", { class: "soft" }, `${named(frame.function)}, ${named(frame.file)}:${frame.line}`))));
	for (const note of error.notes) yield textBlock(note);
	if (depth >= DEEPEST) return;
	for (const member of error.errors) yield* raised(member, depth + 1);
	if (!error.cause) return;
	yield element("h3", {}, error.link === "context" ? "while handling" : "caused by");
	yield* raised(error.cause, depth + 1);
}
/** A message as Python would write it; the forms are those of the server's `message_codec`. */
function readable(form) {
	if (Array.isArray(form)) return `[${form.map(readable).join(", ")}]`;
	if (!isObject(form)) return JSON.stringify(form) ?? "";
	const [tag = "", held] = Object.entries(form)[0] ?? [];
	const fields = (each) => isObject(each) ? Object.entries(each).map(([name, value]) => `${name}=${readable(value)}`).join(", ") : "";
	switch (tag) {
		case "$object": return `${className(String(held))}(${fields(form["fields"])})`;
		case "$enum": return `${className(String(held))}.${String(form["name"])}`;
		case "$text": return readable(form["value"]);
		case "$ask": return `asked: ${readable(held)}`;
		case "$redacted": return `<${String(held)} left out>`;
		case "$opaque": return `<${className(String(held))}${"over" in form ? `, over ${String(form["over"])} bytes` : ""}>`;
		case "$cut": return `${readable(held)}… (${String(form["length"])} in all)`;
		default: return tag.startsWith("$") ? readable(held) : `{${Object.entries(form).map(([name, value]) => `${JSON.stringify(name)}: ${readable(value)}`).join(", ")}}`;
	}
}

//#endregion
export { crash, crashes };