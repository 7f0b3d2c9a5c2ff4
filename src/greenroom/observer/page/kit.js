//#region ../page/src/dom.ts
/** element("p", {class: "note", testid: "event"}, "text", child, …) */
function element(name, attributes = {}, ...children) {
	const made = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) set(made, key, value);
	made.append(...children.filter((child) => child !== null && child !== void 0));
	return made;
}
function set(made, key, value) {
	if (value === null || value === void 0 || value === false) return;
	if (typeof value === "function") made.addEventListener(key.slice(2), value);
	else if (key === "testid") made.dataset["testid"] = String(value);
	else made.setAttribute(key, value === true ? "" : String(value));
}
/** An element of the page. */
function $(id) {
	const found = document.getElementById(id);
	if (!found) throw new Error(`the page has no element #${id}`);
	return found;
}
/** An icon of one path on a 16 × 16 grid, invisible to assistive technology. */
function icon(path, kind = "") {
	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
	drawn.setAttribute("d", path);
	svg.setAttribute("viewBox", "0 0 16 16");
	svg.setAttribute("aria-hidden", "true");
	svg.setAttribute("class", `icon ${kind}`);
	svg.append(drawn);
	return svg;
}
const ICONS = {
	done: "M3.5 8.5l3 3 6-7",
	failed: "M4.5 4.5l7 7m0-7l-7 7",
	stopped: "M4.5 8h7",
	menu: "M3.5 8h.01M8 8h.01M12.5 8h.01",
	file: "M4 1.5h5l3 3v10H4zM9 1.5v3h3",
	table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6"
};
const LONGEST = 2e4;
function pretty(value, longest = LONGEST) {
	const text = typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
	return text.length > longest ? `${text.slice(0, longest)}\n… (${text.length - longest} characters more)` : text;
}
function seconds(ms) {
	if (ms < 1e3) return `${Math.round(ms)} ms`;
	return ms < 6e4 ? `${(ms / 1e3).toFixed(1)} s` : `${Math.floor(ms / 6e4)} min ${Math.round(ms % 6e4 / 1e3)} s`;
}
const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
/** Sets text only if it is another: a live region would say it again. */
function put(node, text) {
	if (node.textContent !== text) node.textContent = text;
}
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

//#endregion
//#region src/admin_url.ts
/** The address of a path relative to `admin/`. */
const adminUrl = (path) => new URL(path, new URL("../admin/", document.baseURI));

//#endregion
//#region src/asking_twice.ts
/** Resolves to whether the reader agrees. */
function askTwice({ title, text, act, typed }) {
	const go = element("button", {
		type: "submit",
		value: "go",
		class: "danger",
		testid: "agree",
		disabled: typed !== void 0
	}, act);
	const box = typed === void 0 ? null : element("input", {
		type: "text",
		autocomplete: "off",
		spellcheck: "false",
		testid: "typed",
		"aria-label": `Type ${typed} to go on`,
		oninput: () => {
			go.disabled = box?.value !== typed;
		}
	});
	const dialog = element("dialog", {
		"aria-labelledby": "asked",
		testid: "ask-twice"
	}, element("form", { method: "dialog" }, element("h2", { id: "asked" }, title), element("p", {}, text), typed === void 0 ? null : element("p", {}, "Type ", element("code", {}, typed), " to go on."), box, element("p", { class: "row" }, element("button", {
		type: "submit",
		value: "",
		formnovalidate: true,
		class: "quiet"
	}, "Cancel"), go)));
	document.body.append(dialog);
	dialog.showModal();
	return new Promise((resolve) => {
		dialog.addEventListener("close", () => {
			dialog.remove();
			resolve(dialog.returnValue === "go" && (typed === void 0 || box?.value === typed));
		});
	});
}

//#endregion
//#region src/downloads.ts
function download(name, text, type) {
	const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
	element("a", {
		href: url,
		download: name
	}).click();
	setTimeout(() => URL.revokeObjectURL(url), 6e4);
}

//#endregion
//#region src/fresh.ts
/** Replaces `root.children` of these names by the new ones where they differ. */
var FreshParts = class {
	parts = /* @__PURE__ */ new Map();
	constructor(root) {
		this.root = root;
	}
	/** Show these parts, which have no names but their places. */
	putAll(made) {
		for (let place = 0; place < Math.max(made.length, this.parts.size); place++) this.put(String(place), made[place] ?? null);
	}
	/** Show this part under its name; null hides it. The order is that of the first calls. */
	put(name, made) {
		const fresh = made ?? element("div", { hidden: true });
		fresh.dataset["part"] = name;
		const old = this.parts.get(name);
		if (old?.isEqualNode(fresh)) return;
		if (old && isHeld(old)) return;
		this.parts.set(name, fresh);
		if (!old) return this.root.append(fresh);
		const focused = keyOf(old, document.activeElement), left = scrollOf(old);
		old.replaceWith(fresh);
		if (focused !== null) fresh.querySelector(focused)?.focus({ preventScroll: true });
		const box = fresh.querySelector(".scroll");
		if (box) box.scrollLeft = left;
	}
};
/** Whether the reader has selected text in it. */
function isHeld(part) {
	const selection = getSelection();
	return selection !== null && !selection.isCollapsed && selection.containsNode(part, true);
}
function keyOf(part, focused) {
	if (!(focused instanceof HTMLElement) || !part.contains(focused)) return null;
	const { testid } = focused.dataset, href = focused.getAttribute("href"), label = focused.getAttribute("aria-label");
	if (testid) return `[data-testid="${CSS.escape(testid)}"]`;
	if (href) return `[href="${CSS.escape(href)}"]`;
	return label ? `[aria-label="${CSS.escape(label)}"]` : null;
}
const scrollOf = (part) => part.querySelector(".scroll")?.scrollLeft ?? 0;

//#endregion
//#region src/view.ts
/** The server refused, or did not answer (status 0). `said` is the whole refusal, if it is JSON. */
var ApiError = class extends Error {
	constructor(status, message, advice = "", said = {}) {
		super(message);
		this.status = status;
		this.advice = advice;
		this.said = said;
	}
};

//#endregion
//#region src/refreshing.ts
const LONGEST$1 = 6e4;
/** How long to wait before a server is asked again: doubled after each failure, up to a minute. */
var Patience = class {
	failures = 0;
	constructor(ms) {
		this.ms = ms;
	}
	get wait() {
		return Math.min(this.ms * 2 ** this.failures, Math.max(this.ms, LONGEST$1));
	}
	succeed() {
		this.failures = 0;
	}
	fail() {
		this.failures++;
	}
};
/** Whether asking again is of no use: this visitor is not admitted. */
const isRefused = (error) => error instanceof ApiError && (error.status === 401 || error.status === 403);
/** What to say above what was seen last. */
function wordsOfTrouble(error) {
	if (!(error instanceof ApiError)) return String(error);
	return isRefused(error) ? `${error.message} This page no longer looks again: reload it.` : `${error.message} This is what was seen last.`;
}
/** Call `look` now and again until the view is left; what a later call rejects with is shown until one succeeds. The first one's is the caller's. */
async function refreshing(place, seconds, look) {
	await look();
	if (place.signal.aborted) return;
	new Refreshing(place, new Patience(seconds * 1e3), look).begin();
}
var Refreshing = class {
	trouble = element("p", {
		class: "error",
		role: "status",
		testid: "trouble",
		hidden: true
	});
	isLooking = false;
	isOver = false;
	timer = 0;
	constructor(place, patience, look) {
		this.place = place;
		this.patience = patience;
		this.look = look;
	}
	begin() {
		this.place.root.prepend(this.trouble);
		document.addEventListener("visibilitychange", () => void this.again(), { signal: this.place.signal });
		this.place.signal.addEventListener("abort", () => clearTimeout(this.timer));
		this.wait();
	}
	wait() {
		clearTimeout(this.timer);
		if (!this.isOver && !this.place.signal.aborted && !document.hidden) this.timer = setTimeout(() => void this.again(), this.patience.wait);
	}
	async again() {
		if (this.isLooking || this.isOver || document.hidden || this.place.signal.aborted) return;
		this.isLooking = true;
		try {
			await this.look();
			this.patience.succeed();
			this.trouble.hidden = true;
		} catch (error) {
			this.fail(error);
		} finally {
			this.isLooking = false;
			this.wait();
		}
	}
	fail(error) {
		if (this.place.signal.aborted) return;
		this.patience.fail();
		this.isOver = isRefused(error);
		this.trouble.textContent = wordsOfTrouble(error);
		this.trouble.hidden = false;
	}
};

//#endregion
//#region src/texts.ts
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;
const CUT = 2e3;
/** A name on one line: characters that show nothing, or turn what follows, as escapes. */
const named = (name) => name.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
/** A name as an element that keeps its direction to itself. */
const nameOf = (name) => element("bdi", { class: "name" }, named(name));
/** A text of several lines; of a long one the beginning, and a button for the rest. */
function textBlock(text, cut = CUT) {
	const shown = element("pre", {
		class: "text",
		tabindex: 0
	});
	const lines = text.replace(UNSEEN, (character) => character === "\n" || character === "	" ? character : named(character));
	if (lines.length <= cut) {
		shown.append(lines);
		return shown;
	}
	shown.append(`${lines.slice(0, cut)}…`);
	const all = element("button", {
		type: "button",
		class: "quiet",
		testid: "show-all",
		onclick: () => {
			shown.replaceChildren(lines);
			all.remove();
			shown.focus();
		}
	}, `Show all ${lines.length.toLocaleString("en")} characters`);
	return element("div", { class: "long" }, shown, all);
}
/** The address of a view: address("users", "alice") */
const address = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;
/** A link to a view. */
const link = (text, ...parts) => element("a", { href: address(...parts) }, nameOf(text));
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const number = (value) => exact.format(value);
/** Seconds as people read them: 120 ms, 3.2 s, 5 min, 2 h. */
function duration(s) {
	if (s === 0) return "0 s";
	if (s < .0995) return `${exact.format(s * 1e3)} ms`;
	if (s < 60) return `${exact.format(s)} s`;
	return s < 3600 ? `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s` : `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}
const ZONED = {
	year: "numeric",
	month: "numeric",
	day: "numeric",
	hour: "numeric",
	minute: "2-digit",
	second: "2-digit",
	timeZoneName: "short"
};
/** A time of the last hour, in the reader's zone, which it names. */
const timeOfDay = (ms) => new Date(ms).toLocaleTimeString(void 0, { timeZoneName: "short" });
/** A time (ms since the Unix epoch) in the reader's zone, which it names, with the exact one in its title. */
function time(ms) {
	const at = new Date(ms);
	const iso = Number.isNaN(at.getTime()) ? String(ms) : at.toISOString();
	return element("time", {
		datetime: iso,
		title: iso
	}, Number.isNaN(at.getTime()) ? iso : at.toLocaleString(void 0, ZONED));
}

//#endregion
export { $, ApiError, FreshParts, ICONS, LONGEST, Patience, address, adminUrl, askTwice, download, duration, element, icon, isObject, isRefused, link, nameOf, named, number, pretty, put, randomId, refreshing, seconds, textBlock, time, timeOfDay, wordsOfTrouble };