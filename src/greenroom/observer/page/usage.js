import { FreshParts, download, element, nameOf, named, number, refreshing, seconds, time } from "./kit.js";

//#region src/views/usage.ts
const DAYS = [
	["1", "day"],
	["7", "7 days"],
	["30", "30 days"],
	["90", "90 days"]
];
const BYS = [
	"day",
	"agent",
	"tool",
	"user"
];
const SECONDS = 60;
const BARS = 40, ROWS = 500;
const SVG = "http://www.w3.org/2000/svg";
const usage = {
	title: "Usage",
	async show(place) {
		const by = choice("By", "by", BYS.map((each) => [each, each])), days = choice("In the last", "days", DAYS);
		days.value = "7";
		const names = element("input", {
			type: "checkbox",
			testid: "names"
		});
		const save = element("button", {
			type: "button",
			class: "quiet",
			testid: "csv",
			disabled: true
		}, "Download CSV");
		const shown = element("div", {
			class: "view",
			testid: "usage"
		}), status = element("p", {
			class: "soft",
			role: "status",
			testid: "usage-status"
		});
		const fresh = new FreshParts(shown);
		let asked = 0;
		const look = async () => {
			const mine = ++asked, query = new URLSearchParams({
				by: by.value,
				days: days.value,
				names: names.checked && by.value === "user" ? "yes" : "no"
			});
			whose.hidden = by.value !== "user" || place.role !== "act";
			try {
				const found = await place.api.get(`usage?${query}`, place.signal);
				if (mine !== asked) return;
				const table = tableOf(found, by.value);
				fresh.putAll([
					totals(found.total),
					chart(table),
					...tabular(table, by.value)
				]);
				status.replaceChildren("From ", time(found.since), " to ", time(found.until), ".");
				save.disabled = false;
				save.onclick = () => download(`usage-by-${by.value}.csv`, csv(table), "text/csv");
			} catch (error) {
				if (mine === asked) status.textContent = "";
				throw error;
			}
		};
		const again = () => {
			status.textContent = "Counting…";
			look().catch((error) => {
				if (!place.signal.aborted) status.textContent = error instanceof Error ? error.message : String(error);
			});
		};
		for (const each of [
			by,
			days,
			names
		]) each.addEventListener("change", again);
		const whose = element("label", {
			class: "row",
			hidden: true
		}, names, "Names of users");
		place.root.append(element("form", {
			class: "row filter",
			onsubmit: (event) => event.preventDefault()
		}, labelled("By", by), labelled("In the last", days), whose, save), status, shown);
		status.textContent = "Counting…";
		await refreshing(place, SECONDS, look);
	}
};
const labelled = (text, box) => element("label", {}, `${text} `, box);
function choice(label, name, options) {
	return element("select", {
		name,
		testid: name,
		"aria-label": label
	}, ...options.map(([value, text]) => element("option", { value }, text)));
}
function tableOf(found, by) {
	if (by === "tool") return {
		names: [
			"tool",
			"calls",
			"errors",
			"p50",
			"p95"
		],
		measure: 1,
		rows: found.tools.map(({ tool, calls, errors, took }) => [
			tool,
			calls,
			errors,
			took.p50_ms,
			took.p95_ms
		])
	};
	const failed = ({ endings }) => (endings["crash"] ?? 0) + (endings["timeout"] ?? 0) + (endings["lost"] ?? 0);
	return {
		names: [
			by,
			"runs",
			"ok",
			"failed",
			"users",
			"events",
			"received",
			"displayed",
			"tool calls",
			"p50",
			"p95"
		],
		measure: 1,
		rows: found.groups.map((each) => [
			String(each[by]),
			each.runs,
			each.endings["ok"] ?? 0,
			failed(each),
			each.active_users,
			each.events,
			each.received,
			each.displayed,
			each.tool_calls,
			each.took.p50_ms,
			each.took.p95_ms
		])
	};
}
function totals(total) {
	return element("dl", {
		class: "totals",
		testid: "totals"
	}, ...[
		["active users", total.active_users],
		["runs", total.runs],
		["events", total.events],
		["tool calls", total.tool_calls],
		["tool errors", total.tool_errors]
	].map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, number(Number(value))))));
}
/** Bars of what the first column of numbers says. The table below has the same for those who cannot see them. */
function chart({ names, rows, measure }) {
	const bars = rows.slice(0, BARS), most = Math.max(1, ...bars.map((row) => Number(row[measure])));
	const title = element("figcaption", { class: "soft" }, `${names[measure] ?? ""} by ${names[0] ?? ""}`);
	return element("figure", {
		class: "card bars",
		hidden: bars.length === 0,
		testid: "chart"
	}, title, element("div", { "aria-hidden": "true" }, ...bars.map((row) => element("div", { class: "bar" }, element("span", { class: "bar-name" }, named(String(row[0]))), bar(Number(row[measure]) / most), element("span", { class: "num" }, number(Number(row[measure])))))));
}
function bar(share) {
	const svg = document.createElementNS(SVG, "svg"), rect = document.createElementNS(SVG, "rect");
	svg.setAttribute("viewBox", "0 0 100 10");
	svg.setAttribute("preserveAspectRatio", "none");
	rect.setAttribute("width", String(Math.max(share * 100, share > 0 ? .5 : 0)));
	rect.setAttribute("height", "10");
	svg.append(rect);
	return svg;
}
function* tabular({ names, rows }, by) {
	if (rows.length === 0) {
		yield element("p", {
			class: "soft",
			testid: "no-usage"
		}, `No ${by} did anything in this time.`);
		return;
	}
	const head = element("tr", {}, ...names.map((name, place) => element("th", {
		scope: "col",
		class: place ? "num" : ""
	}, name)));
	const cells = (row) => row.map((cell, place) => place ? element("td", { class: "num" }, cell === null ? "–" : shown(names[place], cell)) : element("th", {
		scope: "row",
		class: "who-or-what"
	}, nameOf(String(cell))));
	yield element("div", {
		class: "scroll",
		tabindex: 0,
		role: "region",
		"aria-label": "Usage"
	}, element("table", { testid: "usage-table" }, element("thead", {}, head), element("tbody", {}, ...rows.slice(0, ROWS).map((row) => element("tr", {}, ...cells(row))))));
	if (rows.length > ROWS) yield element("p", { class: "soft" }, `${number(rows.length - ROWS)} more are in the CSV.`);
}
const shown = (name, cell) => name === "p50" || name === "p95" ? seconds(Number(cell)) : number(Number(cell));
/** RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe. */
function csv({ names, rows }) {
	const quoted = (cell) => {
		if (typeof cell === "number") return String(cell);
		const text = cell ?? "";
		return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll("\"", "\"\"")}"`;
	};
	return [names.map((name) => name === "p50" || name === "p95" ? `${name}_ms` : name.replace(" ", "_")), ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

//#endregion
export { usage };