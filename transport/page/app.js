import { Client, offsetsOf } from "./client.js";
import { findTable, isCode, shapeOf } from "./paste.js";
import { lexer } from "./marked.js";
import { drawChart, isChart } from "./chart.js";

//#region src/dom.ts
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
const LONGEST$4 = 2e4;
function pretty(value, longest = LONGEST$4) {
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
//#region src/announcing.ts
function say(words) {
	$("announcer").textContent = words;
}
function announce(event) {
	const words = wordsFor(event);
	if (words) say(words);
}
function wordsFor({ kind, data }) {
	switch (kind) {
		case "agent_started": return "The agent is working.";
		case "tool_executing": return `Running ${data.tool_name}.`;
		case "input_requested": return `The agent asks: ${data.prompt}`;
		case "final_report": return isObject(data.report) ? `Report: ${data.report["title"] ?? ""} ${data.report["summary"] ?? ""}` : "Report.";
		case "agent_failed": return "The agent failed.";
		case "agent_completed": return data.outcome === "cancelled" ? "Stopped." : null;
		default: return null;
	}
}

//#endregion
//#region src/threads.ts
const PAGE$1 = 30, MOST$1 = 100;
var Threads = class {
	#client;
	#onChange;
	#reading = null;
	#isStale = false;
	#erasing = /* @__PURE__ */ new Set();
	/** The one used last first. */
	found = [];
	more = false;
	archived = false;
	isKnown = false;
	problem = null;
	/** onChange: there is something else to show. */
	constructor(client, onChange) {
		[this.#client, this.#onChange] = [client, onChange];
	}
	get(thread) {
		return this.found.find((each) => each.thread === thread);
	}
	/** Ask again, once for all who want it meanwhile. */
	refresh() {
		this.#isStale = true;
		this.#reading ??= this.#read().finally(() => {
			this.#reading = null;
		});
	}
	/** Forget all, and show the archived ones or the others. */
	show({ archived }) {
		Object.assign(this, {
			archived,
			found: [],
			more: false,
			isKnown: false,
			problem: null
		});
		this.#onChange();
	}
	async showMore() {
		const { archived } = this;
		const { threads, more } = await this.#client.threads({
			...this.#afterLast(),
			limit: PAGE$1,
			archived
		});
		if (archived !== this.archived) return;
		this.found = newestFirst([...this.found, ...threads.filter(({ thread }) => !this.get(thread))]);
		this.more = more;
		this.#onChange();
	}
	async change(thread, change) {
		const changed = await this.#client.changeThread(thread, change);
		const belongs = changed.archived === this.archived;
		this.found = this.found.flatMap((each) => each.thread !== thread ? [each] : belongs ? [changed] : []);
		this.#onChange();
		this.refresh();
	}
	async erase(thread) {
		this.#erasing.add(thread);
		try {
			await this.#client.erase(thread);
		} finally {
			this.#erasing.delete(thread);
		}
		this.drop(thread);
	}
	/** Whether this tab has asked for its erasure. */
	isErasing(thread) {
		return this.#erasing.has(thread);
	}
	/** It is erased. */
	drop(thread) {
		this.found = this.found.filter((each) => each.thread !== thread);
		this.#onChange();
		this.refresh();
	}
	async #read() {
		while (this.#isStale) {
			this.#isStale = false;
			const { archived } = this;
			const limit = Math.min(Math.max(this.found.length, PAGE$1), MOST$1);
			try {
				const page = await this.#client.threads({
					limit,
					archived
				});
				if (archived === this.archived) this.#take(page);
				this.problem = null;
			} catch (error) {
				if (this.#client.state !== "closed") this.problem = `Your conversations could not be listed: ${wordsOf(error)}`;
			}
			this.#onChange();
		}
	}
	/** A first page takes the place of all that it covers; older ones stay as they were. */
	#take({ threads, more }) {
		const end = threads.at(-1)?.updated ?? 0;
		const older = more ? this.found.filter(({ updated }) => updated < end) : [];
		const isNew = ({ thread }) => !threads.some((each) => each.thread === thread);
		this.found = [...threads, ...older.filter(isNew)];
		if (!older.length) this.more = more;
		this.isKnown = true;
	}
	/** Where the next page begins. No page parts threads of one time, unless they alone fill it: then the last one's id goes on. */
	#afterLast() {
		const last = this.found.at(-1);
		if (!last) return {};
		return { before: this.found.slice(-PAGE$1).every(({ updated }) => updated === last.updated) ? last.thread : last.updated };
	}
};
const newestFirst = (threads) => threads.sort((a, b) => b.updated - a.updated);
const wordsOf = (error) => error instanceof Error ? error.message : String(error);

//#endregion
//#region src/attachments.ts
/** What browsers do not know by a file's name on every system. */
const MEDIA = {
	csv: "text/csv",
	json: "application/json",
	log: "text/plain",
	md: "text/markdown",
	tsv: "text/tab-separated-values",
	txt: "text/plain",
	yaml: "application/yaml"
};
const KINDS = {
	"image/*": "images",
	"audio/*": "sound",
	"video/*": "video",
	"text/*": "text",
	"application/pdf": "PDF"
};
/** What the agent takes: the server wrote it into the page. */
const FILES = taken();
function taken() {
	const text = document.body.dataset["files"];
	return text === void 0 ? null : JSON.parse(text);
}
var Attachments = class {
	#store;
	#memory;
	#changed;
	#attached = [];
	/** memory: what the server has is still attached after a reload. changed: another one is there, or one is on its way no more. */
	constructor(store, memory, changed) {
		[this.#store, this.#memory, this.#changed] = [
			store,
			memory,
			changed
		];
		const known = FILES ? memory.get("files") ?? [] : [];
		this.#attached = known.map((sent) => ({
			file: sent.file,
			name: sent.name,
			size: sent.size,
			progress: sent.size,
			sent,
			stop: new AbortController()
		}));
	}
	/** What a reload cut off: the page has those files no more. Returns it in words, and has the server forget their parts. */
	dropUnfinished() {
		const cut = this.#memory.get("sending") ?? [];
		for (const { file } of cut) this.#forget(file);
		this.#memory.set("sending", null);
		return cut.length ? `${cut.map(({ name }) => name).join(", ")}: the page was reloaded before all of it was sent. Attach it again.` : null;
	}
	get isEmpty() {
		return this.#attached.length === 0;
	}
	get isSending() {
		return this.#attached.some(({ sent }) => !sent);
	}
	get sent() {
		return this.#attached.flatMap(({ sent }) => sent ? [sent] : []);
	}
	/** Attach what the agent takes; why not the others, in words. */
	add(files, complain) {
		const problems = [];
		for (const file of files) {
			const problem = this.#problem(file);
			if (problem) problems.push(problem);
			else this.#send(file, complain);
		}
		if (problems.length) complain(problems.join(" "));
	}
	/** The server forgets them, too: no message has them. */
	discard() {
		for (const { file } of this.sent) this.#forget(file);
		this.clear();
	}
	clear() {
		for (const { stop } of this.#attached) stop.abort();
		this.#set([]);
	}
	chips(removed) {
		return this.#attached.map((each) => {
			const remove = () => {
				each.stop.abort();
				if (each.sent) this.#forget(each.file);
				this.#drop(each);
				say(`${each.name} removed.`);
				removed();
			};
			const state = each.sent ? sizeText(each.size) : `${sizeText(each.size)}, ${Math.floor(100 * each.progress / (each.size || 1))} %`;
			return element("span", {
				class: "chip",
				testid: each.sent ? "file-chip" : "sending"
			}, icon(ICONS.file), element("bdi", { class: "chip-name" }, each.name), element("span", { class: "shape" }, state), element("button", {
				type: "button",
				"aria-label": `Remove ${each.name}`,
				onclick: remove
			}, icon(ICONS.failed)));
		});
	}
	#problem({ name, size, type }) {
		if (!FILES) return "This agent takes no files: ask in words.";
		if (size > FILES.max_bytes) return `${name} is too large: the agent takes at most ${sizeText(FILES.max_bytes)}.`;
		if (!isTaken(mediaOf(name, type))) return `${name} is not what the agent takes: ${FILES.types.map((each) => KINDS[each] ?? each).join(", ")}.`;
		return this.#attached.length < FILES.most ? null : `${name} was left out: at most ${FILES.most === 1 ? "one file goes" : `${FILES.most} files go`} with a question.`;
	}
	async #send(file, complain) {
		const attached = {
			file: randomId(),
			name: file.name,
			size: file.size,
			progress: 0,
			sent: null,
			stop: new AbortController()
		};
		const onProgress = (bytes) => {
			attached.progress = bytes;
			this.#changed();
		};
		this.#set([...this.#attached, attached]);
		try {
			attached.sent = await this.#store.upload(file, {
				file: attached.file,
				media: mediaOf(file.name, file.type),
				onProgress,
				signal: attached.stop.signal
			});
			if (attached.stop.signal.aborted) return;
			this.#set(this.#attached);
			say(`${file.name} attached, ${sizeText(file.size)}.`);
		} catch (error) {
			if (attached.stop.signal.aborted) return;
			this.#drop(attached);
			complain(`${file.name} could not be sent: ${wordsOf(error)}`);
		}
	}
	#forget(file) {
		this.#store.discard(file).catch(() => {});
	}
	#drop(attached) {
		this.#set(this.#attached.filter((each) => each !== attached));
	}
	#set(attached) {
		this.#attached = attached;
		const sending = attached.filter(({ sent }) => !sent).map(({ file, name }) => ({
			file,
			name
		}));
		this.#memory.set("files", this.sent.length ? this.sent : null);
		this.#memory.set("sending", sending.length ? sending : null);
		this.#changed();
	}
};
const mediaOf = (name, type) => type || (MEDIA[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream");
const isTaken = (media) => !FILES?.types.length || FILES.types.some((type) => type.endsWith("/*") ? media.startsWith(type.slice(0, -1)) : media.split(";")[0] === type);
/** 12 bytes, 3 KB, 1.5 MB */
function sizeText(bytes) {
	if (bytes < 1e3) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
	return bytes < 1e6 ? `${Math.round(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1).replace(/\.0$/, "")} MB`;
}

//#endregion
//#region src/table.ts
const PLAIN_AT_MOST = 24 * 1024;
const PACKED_AT_MOST = 60 * 1024;
const UNPACKED_AT_MOST = 8 * 1024 * 1024;
var TableRefused = class extends Error {};
async function packTable(name, text) {
	if (!text.trim()) throw new TableRefused(`${name} is empty.`);
	if (text.slice(0, 4096).includes("\0")) throw new TableRefused(`${name} is not a text file. Save it as CSV and try again.`);
	const size = new TextEncoder().encode(text).length;
	if (size > UNPACKED_AT_MOST) throw new TableRefused(`${name} is ${megabytes(size)}; the most that can be read is 8 MB.`);
	const shape = shapeOf(text);
	if (size <= PLAIN_AT_MOST) return {
		name,
		csv: text,
		...shape
	};
	const packed = await gzip(text);
	if (packed.length > PACKED_AT_MOST) throw new TableRefused(`${name} is too large to send, even compressed (${Math.ceil(packed.length / 1024)} KB; the limit is 60 KB). Try with fewer rows or columns.`);
	return {
		name,
		gzip: packed,
		...shape
	};
}
const megabytes = (bytes) => `${(bytes / 1024 ** 2).toFixed(1)} MB`;
/** “1 row × 2 columns” */
const shapeText = ({ rows, columns }) => `${counted(rows, "row")} × ${counted(columns, "column")}`;
const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
async function gzip(text) {
	const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
	const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
	let binary = "";
	for (let i = 0; i < bytes.length; i += 32768) binary += String.fromCharCode(...bytes.subarray(i, i + 32768));
	return btoa(binary);
}
/** A file's text by its byte order mark, else UTF-8, else what spreadsheets on Windows write. */
async function readFile(file) {
	if (file.size > UNPACKED_AT_MOST) throw new TableRefused(`${file.name} is ${megabytes(file.size)}; the most that can be read is 8 MB.`);
	const bytes = new Uint8Array(await file.arrayBuffer());
	const [a, b] = bytes;
	if (a === 255 && b === 254) return new TextDecoder("utf-16le").decode(bytes);
	if (a === 254 && b === 255) return new TextDecoder("utf-16be").decode(bytes);
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		return new TextDecoder("windows-1252").decode(bytes);
	}
}
const SERVICES = [
	[
		"Compute",
		"North",
		4200
	],
	[
		"Storage",
		"North",
		1350
	],
	[
		"Database",
		"South",
		2600
	],
	[
		"Network",
		"South",
		880
	],
	[
		"Email",
		"West",
		240
	]
];
/** Half a year of a small company's cloud bill; one invoice went wrong. */
function sampleTable() {
	const rows = ["month,service,team,cost,requests"];
	for (let month = 1; month <= 6; month += 1) SERVICES.forEach(([service, team, cost], i) => {
		const growth = 1 + .035 * month * (i % 2 ? .4 : 1) + (month * 7 + i * 3) % 5 / 100;
		const wrong = service === "Network" && month === 4 ? 4.6 : 1;
		rows.push(`2026-0${month}-01,${service},${team},${(cost * growth * wrong).toFixed(2)},${Math.round(cost * growth * 31)}`);
	});
	return rows.join("\n") + "\n";
}

//#endregion
//#region src/composer.ts
const TALLEST = 200;
const TAKES_TABLES = (document.body.dataset["takes"] ?? "").split(" ").includes("table");
const TABLES = /\.(csv|tsv)$/i;
const CLOSED_BY_ESCAPE = "dialog[open], :popover-open";
const LEFT_BY_ESCAPE = "dialog, [popover], .rename";
const WORKING = "The agent is still working: wait, or stop it first.";
const ASKING = "The agent waits for your answer: give it above, or stop the agent first.";
const HINDRANCES = [WORKING, ASKING];
var Composer = class {
	#on;
	#memory;
	#question = $("question");
	#files;
	#table = null;
	#sendsOnceUp = false;
	#reading = null;
	#busy = false;
	#canStop = false;
	#hindrance = WORKING;
	#depth = 0;
	/** memory: what is not sent yet is kept there over a reload. */
	constructor(memory, on) {
		[this.#memory, this.#on] = [memory, on];
		this.#files = new Attachments(on.files, memory, () => this.#filesChanged());
		this.#offerFiles();
		this.#listen();
		this.#acceptDrops();
		this.#question.value = memory.text("draft") ?? "";
		if (TAKES_TABLES) this.#question.placeholder = "Ask a question, or paste a table";
		this.#setTable(TAKES_TABLES ? memory.get("table") : null);
		this.#fit();
		this.complain(this.#files.dropUnfinished());
	}
	#offerFiles() {
		if (!FILES) return;
		const input = $("file");
		if (!TAKES_TABLES || !FILES.types.length) input.accept = FILES.types.join();
		else input.accept += `,${FILES.types.join()}`;
		input.multiple = FILES.most > 1;
		$("attach").textContent = FILES.most > 1 ? "Attach files" : "Attach a file";
		$("drop-words").textContent = "Drop files here";
	}
	#filesChanged() {
		this.#drawChips();
		if (!this.#sendsOnceUp || this.#files.isSending) return;
		this.#sendsOnceUp = false;
		this.#send();
	}
	#listen() {
		$("composer").addEventListener("submit", (event) => {
			event.preventDefault();
			this.#send();
		});
		this.#question.addEventListener("keydown", (event) => {
			if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
			event.preventDefault();
			this.#send();
		});
		this.#question.addEventListener("input", () => this.#edited());
		this.#question.addEventListener("paste", (event) => this.#paste(event));
		addEventListener("keydown", (event) => {
			if (this.#isToStop(event)) this.#on.onStop();
		});
		$("stop").addEventListener("click", () => this.#on.onStop());
		$("attach").addEventListener("click", () => $("file").click());
		$("file").addEventListener("change", ({ currentTarget }) => {
			const input = currentTarget;
			this.#attachFiles(input.files ?? []);
			input.value = "";
		});
	}
	#isToStop({ key, defaultPrevented, target }) {
		return key === "Escape" && this.#canStop && !defaultPrevented && !document.querySelector(CLOSED_BY_ESCAPE) && !(target instanceof Element && target.closest(LEFT_BY_ESCAPE));
	}
	show({ busy, canStop, stopping, isAsking }) {
		[this.#busy, this.#canStop, this.#hindrance] = [
			busy,
			canStop && !stopping,
			isAsking ? ASKING : WORKING
		];
		const stop = $("stop"), send = $("send");
		const held = document.activeElement === stop && !canStop;
		stop.hidden = !canStop;
		stop.disabled = stopping;
		if (stop.firstChild) stop.firstChild.nodeValue = stopping ? "Stopping… " : "Stop ";
		send.hidden = canStop;
		send.disabled = busy;
		if (HINDRANCES.includes($("problem").textContent)) this.complain(busy ? this.#hindrance : null);
		if (held) this.focus();
	}
	focus() {
		this.#question.focus({ preventScroll: true });
	}
	clear() {
		this.#files.discard();
		this.#empty();
	}
	#empty() {
		this.#question.value = "";
		this.#reading = null;
		this.#sendsOnceUp = false;
		this.#files.clear();
		this.#setTable(null);
		this.complain(null);
		this.#edited();
	}
	complain(text) {
		$("problem").textContent = text ?? "";
		$("problem").hidden = !text;
	}
	#send() {
		const text = this.#question.value.trim();
		if (this.#busy) return this.complain(this.#canStop ? this.#hindrance : null);
		if (this.#reading) return void (this.#reading.thenSend = true);
		if (this.#files.isSending) return void (this.#sendsOnceUp = true);
		if (!text && !this.#table && this.#files.isEmpty) return this.focus();
		try {
			this.#on.onSend(text, this.#table, this.#files.sent);
			this.#empty();
		} catch (error) {
			if (!(error instanceof RangeError)) throw error;
			this.complain(`${error.message} Shorten the question or send a smaller table.`);
		}
	}
	#edited() {
		this.#memory.set("draft", this.#question.value || null);
		$("offer").hidden = true;
		this.#fit();
	}
	#fit() {
		this.#question.style.height = "auto";
		this.#question.style.height = `${Math.min(this.#question.scrollHeight, TALLEST)}px`;
	}
	#paste(event) {
		if (!event.clipboardData) return;
		const { files } = event.clipboardData;
		const text = event.clipboardData.getData("text/plain");
		const found = TAKES_TABLES ? findTable(text) : null;
		if (!text && files.length) this.#attachFiles(files);
		else if (!TAKES_TABLES) return;
		else if (found) this.#attachPasted(found);
		else return void setTimeout(() => this.#offer(text));
		event.preventDefault();
	}
	#attachPasted({ words, table }) {
		if (words) this.#question.setRangeText(words, this.#question.selectionStart, this.#question.selectionEnd, "end");
		this.#edited();
		this.#attach("pasted table", async () => table);
	}
	/** Several lines that may be a table or not: the user decides. */
	#offer(text) {
		const question = this.#question, pasted = text.replace(/\r\n?/g, "\n");
		$("offer").hidden = pasted.trim().split("\n").length < 3 || isCode(pasted) || !question.value.includes(pasted);
		$("use-as-table").onclick = () => {
			question.value = question.value.replace(pasted, () => "").trim();
			this.#attachPasted({
				words: "",
				table: pasted
			});
		};
	}
	/** A table is for an agent that takes tables, any other file for one that takes files. */
	#attachFiles(files) {
		if (!TAKES_TABLES && !FILES) return this.complain("This agent takes no files: ask in words.");
		this.complain(null);
		const isTable = ({ name }) => TAKES_TABLES && (!FILES || TABLES.test(name));
		this.#attachTables([...files].filter(isTable));
		this.#files.add([...files].filter((file) => !isTable(file)), (words) => this.#complainMore(words));
		this.focus();
	}
	#complainMore(words) {
		this.#sendsOnceUp = false;
		this.complain([$("problem").textContent, words].filter(Boolean).join(" "));
	}
	#attachTables([file, ...others]) {
		if (file) this.#attach(file.name, () => readFile(file));
		if (file && others.length) this.complain(`Only one table goes with a question: ${file.name} was taken, ${others.map(({ name }) => name).join(", ")} not.`);
	}
	/** What is sent meanwhile waits for it; what is attached meanwhile takes its place. */
	async #attach(name, read) {
		const reading = this.#reading = {
			name,
			thenSend: false
		};
		this.complain(null);
		this.#setTable(null);
		let table = null;
		try {
			table = await packTable(name, await read());
		} catch (error) {
			if (reading === this.#reading) this.complain(error instanceof TableRefused ? error.message : `${name} could not be read.`);
		}
		if (reading !== this.#reading) return;
		this.#reading = null;
		this.#setTable(table);
		this.focus();
		if (table && reading.thenSend) this.#send();
	}
	#setTable(table) {
		this.#table = table;
		this.#memory.set("table", table);
		this.#drawChips();
	}
	#drawChips() {
		const name = this.#reading?.name ?? this.#table?.name;
		const chips = [...name === void 0 ? [] : [this.#chip(name, this.#table)], ...this.#files.chips(() => this.focus())];
		const held = $("chips").contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
		$("chips").hidden = chips.length === 0;
		$("chips").replaceChildren(...chips);
		if (held) $("chips").querySelector(`[aria-label="${CSS.escape(held)}"]`)?.focus();
	}
	#chip(name, table) {
		const remove = () => {
			this.#reading = null;
			this.#setTable(null);
			this.focus();
		};
		return element("span", {
			class: "chip",
			testid: table ? "chip" : "reading"
		}, icon(ICONS.table), element("span", { class: "chip-name" }, name), element("span", { class: "shape" }, table ? shapeText(table) : "Reading…"), element("button", {
			type: "button",
			"aria-label": `Remove ${name}`,
			onclick: remove
		}, icon(ICONS.failed)));
	}
	#acceptDrops() {
		const show = (depth) => {
			$("drop").hidden = (this.#depth = Math.max(0, depth)) === 0;
		};
		addEventListener("dragenter", (event) => {
			if (holdsFiles(event) && (TAKES_TABLES || FILES)) show(this.#depth + 1);
		});
		addEventListener("dragleave", (event) => {
			if (holdsFiles(event)) show(this.#depth - 1);
		});
		addEventListener("dragover", (event) => {
			if (holdsFiles(event)) event.preventDefault();
		});
		addEventListener("drop", (event) => {
			if (!holdsFiles(event)) return;
			event.preventDefault();
			show(0);
			this.#attachFiles(event.dataTransfer?.files ?? []);
		});
	}
};
const holdsFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files") ?? false;

//#endregion
//#region src/asked.ts
const TOP_BAR = 56;
const LONGEST$3 = 200;
var Asked = class {
	#answers = /* @__PURE__ */ new Map();
	#observer = new IntersectionObserver((entries) => {
		for (const { target, isIntersecting } of entries) this.#answers.get(target)?.showAsked(isIntersecting ? null : wordsIn(target));
	}, { rootMargin: `-${TOP_BAR}px 0px 0px` });
	watch(said, answer) {
		this.#answers.set(said, answer);
		this.#observer.observe(said);
	}
	clear() {
		this.#observer.disconnect();
		this.#answers.clear();
	}
};
const wordsIn = (said) => (said.querySelector(".prose") ?? said).textContent.trim().slice(0, LONGEST$3);

//#endregion
//#region src/bubble.ts
const MOST_CHARACTERS = 1200, MOST_LINES = 16;
function drawBubble(body, files = []) {
	const { text, table } = isObject(body) && "text" in body ? body : { text: body };
	const bubble = element("article", {
		class: "you",
		"aria-label": "You"
	});
	if (isObject(table)) bubble.append(element("p", { class: "table-name" }, icon(ICONS.table), `${table["name"] ?? "table"}${shapeOf$1(table)}`));
	for (const { name, size } of files) bubble.append(element("p", {
		class: "table-name",
		testid: "file-name"
	}, icon(ICONS.file), element("span", {}, element("bdi", {}, name), ` · ${sizeText(size)}`)));
	if (text !== "" && text !== void 0) bubble.append(...drawText(pretty(text)));
	return bubble;
}
/** A long one is folded. */
function drawText(text) {
	const prose = element("p", { class: "prose" }, text);
	if (text.length <= MOST_CHARACTERS && text.split("\n").length <= MOST_LINES) return [prose];
	const button = element("button", {
		type: "button",
		class: "link",
		"aria-expanded": "false",
		onclick: () => {
			const isOpen = !prose.classList.toggle("folded");
			button.setAttribute("aria-expanded", String(isOpen));
			put(button, isOpen ? "Show less" : "Show all");
		}
	}, "Show all");
	prose.classList.add("folded");
	return [prose, button];
}
function shapeOf$1({ rows, columns }) {
	return rows === void 0 ? "" : ` · ${Number(rows).toLocaleString("en")} × ${String(columns)}`;
}
function markUnsent(bubble) {
	bubble.classList.add("unsent");
	bubble.append(element("p", { class: "fate" }, element("span", { class: "online" }, "Sending…"), element("span", { class: "away" }, "Not sent yet: it goes once you are connected.")));
}
function markRefused(bubble, why) {
	bubble.classList.add("refused");
	const fate = bubble.querySelector(".fate");
	if (fate) fate.textContent = `Not sent: ${why.replace(/^say: /, "")}`;
}

//#endregion
//#region src/eyes.ts
var Eyes = class {
	#onShown;
	#waiting = /* @__PURE__ */ new Map();
	#inView = /* @__PURE__ */ new Set();
	#reported = /* @__PURE__ */ new WeakSet();
	#observer;
	constructor(onShown) {
		this.#onShown = onShown;
		this.#observer = new IntersectionObserver((entries) => {
			for (const { target, isIntersecting } of entries) isIntersecting ? this.#inView.add(target) : this.#inView.delete(target);
			this.#look();
		});
		document.addEventListener("visibilitychange", () => this.#look());
	}
	/** The event is seen where `target` is. */
	watch(target, event) {
		if (this.#reported.has(event)) return;
		const waiting = this.#waiting.get(target);
		if (waiting) waiting.push(event);
		else {
			this.#waiting.set(target, [event]);
			this.#observer.observe(target);
		}
		if (this.#inView.has(target)) this.#look();
	}
	forget(target) {
		this.#observer.unobserve(target);
		this.#waiting.delete(target);
		this.#inView.delete(target);
	}
	clear() {
		this.#observer.disconnect();
		this.#waiting.clear();
		this.#inView.clear();
	}
	#look() {
		if (document.hidden || !this.#inView.size) return;
		requestAnimationFrame(() => setTimeout(() => this.#report()));
	}
	#report() {
		if (document.hidden) return;
		const shown = [];
		for (const target of [...this.#inView]) {
			shown.push(...this.#waiting.get(target) ?? []);
			this.forget(target);
		}
		for (const event of shown) this.#reported.add(event);
		if (shown.length) this.#onShown(shown);
	}
};

//#endregion
//#region src/fields.ts
const labelOf = (value) => typeof value === "string" ? value : JSON.stringify(value);
const titled = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
const plain = (value) => typeof value === "string" || typeof value === "number" ? value : void 0;
/** An object has a field for each of its properties; any other value is one field. */
function fieldsOf(given) {
	const root = given ?? { type: "string" };
	const schema = resolved(root, root);
	if (schema.type !== "object" || !schema.properties) return [field(null, schema, true, root)];
	const required = new Set(schema.required ?? []);
	return Object.entries(schema.properties).map(([name, part]) => field(name, part, required.has(name), root));
}
function valueOf(fields) {
	const [only] = fields;
	if (only && fields.length === 1 && only.name === null) return only.read();
	const entries = fields.map(({ name, read }) => [name, read()]).filter(([, value]) => value !== void 0);
	return Object.fromEntries(entries);
}
function field(name, part, required, root) {
	const { schema, optional } = withoutNull(resolved(part, root), root);
	const must = required && !optional;
	const title = schema.title ?? (name === null ? "Your answer" : titled(name));
	const { control, read } = controlFor(schema, must, title, root);
	const text = element("span", {}, title, must ? null : element("small", {}, " (optional)"));
	const row = element("label", { class: schema.type === "boolean" ? "check" : null }, text, control);
	if (schema.description) row.append(element("small", {}, schema.description));
	return {
		name,
		row,
		read: () => optional && required ? read() ?? null : read()
	};
}
function controlFor(schema, required, title, root) {
	if (Array.isArray(schema.enum)) return choice(schema.enum, required);
	switch (schema.type) {
		case "boolean": return check(schema);
		case "integer":
		case "number": return number(schema, required);
		case "string": return line(schema, required);
	}
	if (isListOfTexts(schema, root)) return lines(schema, required);
	const control = element("textarea", {
		rows: "3",
		required,
		placeholder: "JSON",
		spellcheck: "false"
	});
	return {
		control,
		read: () => parsed(control.value, title)
	};
}
function check(schema) {
	const control = element("input", {
		type: "checkbox",
		checked: schema.default === true
	});
	return {
		control,
		read: () => control.checked
	};
}
function number(schema, required) {
	const control = element("input", {
		type: "number",
		step: schema.type === "integer" ? "1" : "any",
		required,
		min: schema.minimum,
		max: schema.maximum,
		value: plain(schema.default)
	});
	return {
		control,
		read: () => control.value === "" ? void 0 : Number(control.value)
	};
}
function line(schema, required) {
	const control = element("input", {
		type: "text",
		required,
		maxlength: schema.maxLength,
		value: plain(schema.default)
	});
	return {
		control,
		read: () => control.value === "" && !required ? void 0 : control.value
	};
}
function choice(values, required) {
	const control = element("select", { required }, required ? null : element("option", { value: "" }, "–"), ...values.map((value, index) => element("option", { value: String(index) }, labelOf(value))));
	return {
		control,
		read: () => control.value === "" ? void 0 : values[Number(control.value)]
	};
}
const isListOfTexts = ({ type, items, prefixItems }, root) => type === "array" && !prefixItems && items !== void 0 && resolved(items, root).type === "string";
/** A list of texts: one of them per line. Where the list may be empty, so may the box. */
function lines({ minItems = 0, default: given }, required) {
	const texts = Array.isArray(given) ? given.join("\n") : "";
	const control = element("textarea", {
		rows: "3",
		required: required && minItems > 0,
		placeholder: "One per line"
	}, texts);
	const read = () => control.value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
	return {
		control,
		read: () => control.value.trim() === "" && !required ? void 0 : read()
	};
}
function parsed(text, title) {
	if (text.trim() === "") return void 0;
	try {
		return JSON.parse(text);
	} catch {
		throw new Error(`“${title}” must be JSON, such as {"a": 1}.`);
	}
}
/** What a reference within the schema refers to. The server takes no other, and none that goes round. */
function resolved(part, root) {
	let found = part;
	while (typeof found?.$ref === "string") found = lookUp(found.$ref, root);
	return found ?? {};
}
function lookUp(ref, root) {
	return ref.slice(2).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")).reduce((inner, step) => inner?.[step], root);
}
/** `anyOf: [something, null]` is something that may be left empty. */
function withoutNull(schema, root) {
	const others = schema.anyOf?.map((each) => resolved(each, root)).filter(({ type }) => type !== "null");
	const [only] = others ?? [];
	return only && others?.length === 1 && schema.anyOf?.length === 2 ? {
		schema: only,
		optional: true
	} : {
		schema,
		optional: false
	};
}

//#endregion
//#region src/question.ts
const isToday = (then) => then.toDateString() === (/* @__PURE__ */ new Date()).toDateString();
const moment = (then) => isToday(then) ? then.toLocaleTimeString() : then.toLocaleString();
var Question = class {
	card;
	#answer;
	#controls;
	#fate = element("p", {
		class: "fate",
		role: "status"
	});
	/** answer: it rejects with the server's reason. */
	constructor({ prompt, options, schema, expires }, answer) {
		this.#answer = answer;
		this.#controls = options ? this.#buttons(options) : this.#form(fieldsOf(schema));
		const until = expires ? element("p", { class: "until" }, `Until ${moment(new Date(expires))}`) : null;
		this.card = element("section", {
			class: "question",
			testid: "question-asked",
			"data-state": "open",
			"aria-label": "Question"
		}, element("p", { class: "prose" }, pretty(prompt)), this.#controls, until, this.#fate);
	}
	/** Where its end is seen. */
	close(state, text) {
		this.card.dataset["state"] = state;
		this.#controls.remove();
		this.card.querySelector(".until")?.remove();
		this.#fate.classList.remove("error");
		this.#fate.textContent = text;
		return this.#fate;
	}
	#buttons(options) {
		const button = (value) => element("button", {
			type: "button",
			class: "quiet",
			testid: "option",
			onclick: () => void this.#send(value)
		}, labelOf(value));
		return element("div", {
			class: "row options",
			role: "group",
			"aria-label": "Answers"
		}, ...options.map(button));
	}
	#form(fields) {
		const submit = (event) => {
			event.preventDefault();
			this.#submit(fields);
		};
		return element("form", {
			class: "fields",
			onsubmit: submit
		}, ...fields.map(({ row }) => row), element("div", { class: "row" }, element("button", {
			class: "primary",
			testid: "answer-form"
		}, "Answer")));
	}
	#submit(fields) {
		try {
			this.#send(valueOf(fields));
		} catch (error) {
			this.#complain(wordsOf(error));
		}
	}
	async #send(value) {
		this.#enable(false);
		this.#fate.classList.remove("error");
		this.#fate.textContent = "Sending…";
		try {
			await this.#answer(value);
		} catch (error) {
			if (this.card.dataset["state"] !== "open") return;
			this.#complain(wordsOf(error));
			this.#enable(true);
		}
	}
	#complain(text) {
		this.#fate.classList.add("error");
		this.#fate.textContent = text;
	}
	#enable(is) {
		const controls = this.#controls.querySelectorAll("button, input, select, textarea");
		for (const control of controls) control.disabled = !is;
	}
};

//#endregion
//#region src/markdown.ts
const LINKS = /^(https?:|mailto:)/i;
const COPIED_MS = 1500;
const blocksOf = (text) => lexer(text, {
	gfm: true,
	breaks: true
});
/** A text that is whole. */
const drawMarkdown = (text) => element("div", { class: "prose" }, ...blocksOf(text).map((token) => drawBlock(token)));
/** Null for what is not seen, such as an empty line. */
function drawBlock(token) {
	const block = token;
	switch (block.type) {
		case "space":
		case "def": return null;
		case "heading": return element(HEADINGS[block["depth"]] ?? "h5", {}, ...inline(block));
		case "code": return drawCode(block["text"], block["lang"]);
		case "blockquote": return element("blockquote", {}, ...nested(block));
		case "list": return drawList(block);
		case "table": return drawTable$1(block);
		case "hr": return element("hr");
		default: return element("p", {}, ...inline(block));
	}
}
/** The page's own headings are h1 and h2. */
const HEADINGS = {
	1: "h3",
	2: "h4"
};
const nested = ({ tokens = [] }) => tokens.map((token) => drawBlock(token));
function inline({ tokens, text, raw }) {
	return tokens ? tokens.map((token) => drawInline(token)) : [String(text ?? raw)];
}
function drawInline(token) {
	switch (token.type) {
		case "strong": return element("strong", {}, ...inline(token));
		case "em": return element("em", {}, ...inline(token));
		case "del": return element("del", {}, ...inline(token));
		case "codespan": return element("code", {}, unescaped(token["text"]));
		case "br": return element("br");
		case "link":
		case "image": return drawLink(token);
		case "html": return token.raw;
		case "checkbox": return element("input", {
			type: "checkbox",
			disabled: true,
			checked: token["checked"] === true,
			"aria-label": "Done"
		});
		case "escape": return String(token["text"]);
		default: return token.tokens ? element("span", {}, ...inline(token)) : unescaped(String(token["text"] ?? token.raw));
	}
}
/** An image is a link as well: the page loads nothing from elsewhere. */
function drawLink(token) {
	const href = String(token["href"]);
	const words = token.type === "image" ? [String(token["text"]) || href] : inline(token);
	if (!LINKS.test(href)) return element("span", {}, ...words);
	return element("a", {
		href,
		target: "_blank",
		rel: "noopener noreferrer",
		title: token["title"]
	}, ...words);
}
/** The lexer's own escapes. */
const unescaped = (text) => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ({
	amp: "&",
	lt: "<",
	gt: ">",
	quot: "\"",
	"#39": "'"
})[name] ?? "");
function drawList({ ordered, start, items, loose }) {
	const list = ordered ? element("ol", { start: start || 1 }) : element("ul");
	list.append(...items.map((item) => element("li", { class: loose ? "loose" : null }, ...item.tokens.map((token) => drawItemPart(token)))));
	return list;
}
const drawItemPart = (token) => token.type === "text" || token.type === "checkbox" ? drawInline(token) : drawBlock(token);
function drawTable$1({ header, rows, align }) {
	const kind = (index) => align[index] === "right" ? "number" : null;
	const head = header.map((cell, i) => element("th", {
		scope: "col",
		class: kind(i)
	}, ...inline(cell)));
	const row = (cells) => element("tr", {}, ...cells.map((cell, i) => element("td", { class: kind(i) }, ...inline(cell))));
	return element("div", {
		class: "scroll",
		tabindex: "0",
		role: "region",
		"aria-label": "Table"
	}, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows.map(row))));
}
function drawCode(text, lang) {
	const copy = element("button", {
		type: "button",
		class: "copy",
		onclick: () => void copied(text, copy)
	}, "Copy");
	return element("div", { class: "code" }, element("div", { class: "code-bar" }, element("span", {}, lang ?? ""), navigator.clipboard ? copy : null), element("pre", { tabindex: "0" }, element("code", {}, text)));
}
async function copied(text, button) {
	put(button, await navigator.clipboard.writeText(text).then(() => true, () => false) ? "Copied" : "Not allowed");
	setTimeout(() => put(button, "Copy"), COPIED_MS);
}

//#endregion
//#region src/answer_view.ts
const EVERY_MS = 40;
var AnswerView = class {
	block = element("div", {
		class: "prose answer",
		testid: "answer",
		hidden: true
	});
	#eyes;
	#marks = element("div", { hidden: true });
	#pieces = [];
	#blocks = [];
	#drawnTo = 0;
	#timer;
	text = "";
	constructor(eyes) {
		this.#eyes = eyes;
		this.block.append(this.#marks);
	}
	/** A slow connection gets several pieces merged into one; history may have brought some of them already. Returns its mark. */
	add(event) {
		this.block.hidden = false;
		this.#forget(new Set(offsetsOf(event)));
		this.text += event.data.text;
		const mark = this.#marks.appendChild(element("span"));
		this.#pieces.push({
			event,
			mark,
			end: this.text.length
		});
		this.#timer ??= setTimeout(() => this.draw(), EVERY_MS);
		return mark;
	}
	#forget(offsets) {
		const kept = this.#pieces.filter(({ event }) => !offsets.has(event.offset));
		if (kept.length === this.#pieces.length) return;
		for (const { event, mark } of this.#pieces) if (offsets.has(event.offset)) mark.remove();
		for (const { drawn } of this.#blocks) this.#drop(drawn);
		[this.text, this.#blocks, this.#pieces, this.#drawnTo] = [
			"",
			[],
			[],
			0
		];
		for (const { event, mark } of kept) {
			this.text += event.data.text;
			this.#pieces.push({
				event,
				mark,
				end: this.text.length
			});
		}
	}
	draw() {
		clearTimeout(this.#timer);
		this.#timer = void 0;
		if (this.#drawnTo === this.text.length) return;
		const last = this.#blocks.pop();
		if (last) this.#drop(last.drawn);
		const start = last?.start ?? 0;
		this.#drawFrom(start);
		this.#drawnTo = this.text.length;
		for (const { event, end } of this.#pieces) if (end > start) this.#eyes.watch(this.#at(end), event);
	}
	#drawFrom(start) {
		let at = start;
		for (const token of blocksOf(this.text.slice(start))) {
			const drawn = drawBlock(token);
			const end = at + token.raw.length;
			if (drawn) {
				this.#marks.before(drawn);
				this.#blocks.push({
					start: at,
					end,
					drawn
				});
			}
			at = end;
		}
	}
	/** The block in which a piece ends, or the last one. */
	#at(end) {
		return (this.#blocks.find((block) => end <= block.end) ?? this.#blocks.at(-1))?.drawn ?? this.block;
	}
	#drop(drawn) {
		this.#eyes.forget(drawn);
		drawn.remove();
	}
};

//#endregion
//#region src/report.ts
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const hundredths = new Intl.NumberFormat("en", {
	minimumFractionDigits: 2,
	maximumFractionDigits: 2
});
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
function shown(cell, format = whole) {
	if (cell === null || cell === void 0) return "";
	if (typeof cell !== "number") return pretty(cell);
	return (cell !== 0 && Math.abs(cell) < .1 ? small : format).format(cell);
}
const isTable = (table) => isObject(table) && Array.isArray(table["columns"]) && Array.isArray(table["rows"]) && table["rows"].every(Array.isArray);
const isText = (value) => typeof value === "string";
/** The parts of a report that are drawn in a way of their own; whatever else it has is shown as facts. */
const UNDERSTOOD = {
	title: isText,
	summary: isText,
	table: isTable,
	chart: isChart,
	notes: Array.isArray,
	questions: Array.isArray
};
const summaryOf = (report) => {
	const summary = isObject(report) ? report["summary"] : report;
	return isText(summary) ? summary.trim() : null;
};
const questionsOf = (report) => {
	const questions = isObject(report) ? report["questions"] : null;
	return Array.isArray(questions) ? questions.filter(isText) : [];
};
/** `said` is what was streamed before: a summary that repeats it is not shown twice. */
function drawReport(report, said) {
	const card = element("section", {
		class: "report",
		testid: "report",
		"aria-label": "Report"
	});
	if (isObject(report)) fill(card, report, said);
	else if (Array.isArray(report)) card.append(element("pre", {}, pretty(report)));
	else if (pretty(report).trim() !== said) card.append(drawMarkdown(pretty(report)));
	return card;
}
function fill(card, report, said) {
	const { title, summary, chart, table, notes } = report;
	const name = isText(title) ? title : void 0;
	if (name !== void 0) card.append(element("h3", {}, name));
	if (isText(summary) && summary.trim() !== said) card.append(drawMarkdown(summary));
	if (isChart(chart)) card.append(drawChart(chart, name));
	if (isTable(table)) card.append(drawTable(table, name));
	if (Array.isArray(notes) && notes.length) card.append(element("ul", { class: "notes" }, ...notes.map((note) => element("li", {}, pretty(note)))));
	const rest = Object.entries(report).filter(([key, value]) => !UNDERSTOOD[key]?.(value));
	if (rest.length) card.append(facts(rest));
}
function drawTable({ columns, rows }, title) {
	const numeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => row[i] === null || typeof row[i] === "number"));
	const formats = columns.map((_, i) => numeric[i] && !rows.every((row) => Number.isInteger(row[i] ?? 0)) ? hundredths : whole);
	const kind = (i) => numeric[i] ? "number" : null;
	const cells = (row) => columns.map((_, i) => element("td", { class: kind(i) }, shown(row[i], formats[i])));
	const head = columns.map((name, i) => element("th", {
		scope: "col",
		class: kind(i)
	}, shown(name)));
	return element("div", {
		class: "scroll",
		tabindex: "0",
		role: "region",
		"aria-label": `Table: ${title ?? "report"}`
	}, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row))))));
}
/** {saving: "10%"}: short values side by side with their names, structures as JSON. */
function facts(entries) {
	const list = element("dl");
	for (const [name, value] of entries) {
		const isPlain = value === null || typeof value !== "object";
		list.append(element("dt", {}, name), element("dd", {}, isPlain ? shown(value) : element("pre", {}, pretty(value))));
	}
	return list;
}

//#endregion
//#region src/strip.ts
const STAGES = [
	{
		stage: "disk",
		words: "on disk",
		means: "The server wrote it to its journal before it sent it"
	},
	{
		stage: "received",
		words: "received",
		means: "This page has it, and has acknowledged it"
	},
	{
		stage: "seen",
		words: "seen",
		means: "It was in view, in a window that is shown, and was reported as displayed"
	}
];
const ORDER = [
	"disk",
	"received",
	"seen"
];
const LONGEST$2 = 500;
const reaches = (stage, wanted) => ORDER.indexOf(stage) >= ORDER.indexOf(wanted);
var Strip = class {
	block;
	#delivery;
	#events = [];
	#parts = STAGES.map(({ means, stage }) => element("span", {
		class: "stage",
		title: means,
		"data-stage": stage
	}));
	#list = element("tbody");
	constructor(delivery) {
		this.#delivery = delivery;
		const summary = element("summary", { testid: "delivery" }, element("span", { class: "unseen" }, "Delivery: "), ...this.#parts);
		const table = element("table", {}, element("thead", {}, element("tr", {}, ...[
			"Event",
			"Kind",
			...STAGES.map(({ words }) => words)
		].map((name) => element("th", { scope: "col" }, name)))), this.#list);
		this.block = element("details", {
			class: "strip",
			hidden: true,
			ontoggle: () => this.show()
		}, summary, element("div", {
			class: "scroll",
			tabindex: "0",
			role: "region",
			"aria-label": "Delivery of each event"
		}, table));
		const end = delivery.subscribe(() => {
			if (this.block.isConnected) this.show();
			else end();
		});
	}
	add(event) {
		this.#events.push(event);
		this.block.hidden = false;
	}
	show() {
		const stages = this.#events.map((event) => this.#delivery.stage(event));
		STAGES.forEach(({ stage, words }, index) => this.#count(this.#parts[index], stages, stage, words));
		if (this.block.open) this.#list.replaceChildren(...this.#events.slice(-LONGEST$2).map((event) => this.#row(event)));
	}
	/** `4 of 7 seen` while it is not all. */
	#count(part, stages, wanted, words) {
		if (!part) return;
		const reached = stages.filter((stage) => reaches(stage, wanted)).length;
		put(part, reached === stages.length ? words : `${reached} of ${stages.length} ${words}`);
		part.classList.toggle("whole", reached === stages.length);
	}
	#row(event) {
		const stage = this.#delivery.stage(event);
		const cell = (wanted) => element("td", { class: "mark" }, reaches(stage, wanted) ? "yes" : "–");
		return element("tr", {}, element("td", { class: "number" }, String(event.offset)), element("td", {}, element("code", {}, event.kind)), ...ORDER.map(cell));
	}
};

//#endregion
//#region src/tool_row.ts
const CANCELLED = "cancelled";
function brief$1(value) {
	const text = (typeof value === "object" && value !== null ? Object.entries(value) : []).map(([k, v]) => `${k}: ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ");
	return text.length > 90 ? `${text.slice(0, 89)}…` : text;
}
var ToolRow = class {
	name;
	row;
	/** Where its beginning is seen. */
	summary;
	#spent = element("span", { class: "spent" }, "running…");
	#body = element("div", { class: "inside" });
	constructor(tool_name, given) {
		this.name = tool_name;
		if (given !== void 0 && given !== null) this.#body.append(element("h4", {}, "Arguments"), element("pre", {}, pretty(given)));
		this.summary = element("summary", {}, element("span", {
			class: "spinner",
			"aria-hidden": "true"
		}), element("code", {}, tool_name), element("span", { class: "given" }, brief$1(given)), this.#spent);
		this.row = element("li", {
			class: "tool running",
			testid: "tool-call",
			"data-state": "running"
		}, element("details", {}, this.summary, this.#body));
	}
	/** Returns where its end is seen. */
	complete({ result, error, reference, duration_ms }) {
		const end = error === void 0 || error === null ? "done" : error === CANCELLED ? "stopped" : "failed";
		this.#end(end, `${end === "done" ? "" : `${end} · `}${seconds(duration_ms)}`);
		if (end === "failed") this.#fail(error, reference);
		else if (result !== void 0 && result !== null) this.#body.append(element("h4", {}, "Result"), element("pre", {}, pretty(result)));
		return this.#spent;
	}
	get isRunning() {
		return this.row.dataset["state"] === "running";
	}
	/** The run ended before it. */
	stop() {
		if (this.isRunning) this.#end("stopped", "stopped");
	}
	#fail(error, reference) {
		this.#body.append(element("h4", {}, "Error"), element("pre", { class: "error" }, pretty(error)));
		if (reference) this.#body.append(element("p", { class: "detail reference" }, `Reference: ${reference}`));
		const words = isObject(error) ? error["message"] ?? error : error;
		this.row.append(element("p", { class: "error" }, pretty(words)));
	}
	#end(state, words) {
		this.row.classList.replace("running", state);
		this.row.dataset["state"] = state;
		this.row.querySelector(".spinner")?.replaceWith(icon(ICONS[state], state));
		this.#spent.textContent = words;
	}
};

//#endregion
//#region src/run_view.ts
const WHY = {
	timeout: "It took too long and was ended.",
	lost: "The server stopped while it worked. Ask again to start over."
};
const WAITING = "Waiting for you";
const MOST_NAMED = 3;
const ASK_ENDS = {
	expired: "This question has expired.",
	withdrawn: "This question was withdrawn."
};
var RunView = class {
	id;
	parent;
	block;
	hasEnded = false;
	/** What its report offers to ask next; null until there is one. */
	questions = null;
	#parts;
	#begun = null;
	#tools = /* @__PURE__ */ new Map();
	#thoughts = /* @__PURE__ */ new Map();
	#asks = /* @__PURE__ */ new Map();
	#name = element("span", { class: "name" }, "Agent");
	#state = element("span", {
		class: "state",
		testid: "run-state"
	});
	#repeated = element("span", {
		class: "asked",
		testid: "asked",
		"aria-hidden": "true",
		hidden: true
	});
	#head = element("header", {}, this.#name, this.#state, this.#repeated);
	#steps = element("ol", { class: "steps" });
	#answer;
	#reports = element("div", { class: "reports" });
	#foot = element("div", { class: "foot" });
	#strip;
	constructor({ run, parent }, parts) {
		[this.id, this.parent, this.#parts] = [
			run,
			parent ?? null,
			parts
		];
		[this.#strip, this.#answer] = [new Strip(parts.delivery), new AnswerView(parts.eyes)];
		this.block = element("article", {
			class: "agent",
			"aria-label": "Agent",
			"data-run": run
		}, this.#head, this.#steps, this.#answer.block, this.#reports, this.#foot, this.#strip.block);
	}
	/** Repeats what it answers in the line that stays in view; null while the user's own words are in view. */
	showAsked(words) {
		put(this.#repeated, words ?? "");
		this.#repeated.hidden = words === null;
	}
	/** Where the blocks of its sub-agents are. */
	addNested(block) {
		this.#steps.append(element("li", { class: "nested" }, block));
	}
	draw(event) {
		this.#strip.add(event);
		const drawn = this.#drawn(event);
		return drawn instanceof HTMLElement ? {
			mark: drawn,
			seen: drawn
		} : drawn;
	}
	#drawn(event) {
		switch (event.kind) {
			case "agent_started": return this.#started(event);
			case "agent_thinking": return this.#thinking(event);
			case "tool_executing": return this.#executing(event);
			case "tool_completed": return this.#executed(event);
			case "partial_result": return this.#partial(event);
			case "input_requested": return this.#asked(event);
			case "input_answered": return this.#closeQuestion(event, "answered", `Answered: ${pretty(event.data.value)}`);
			case "input_closed": return this.#closeQuestion(event, event.data.reason, ASK_ENDS[event.data.reason] ?? "This question is closed.");
			case "final_report": return this.#report(event);
			case "agent_completed": return this.#completed(event);
			case "agent_failed": return this.#failed(event);
			default: return this.#other(event);
		}
	}
	/** What came together is drawn together, soon; this draws it now. */
	drawNow() {
		this.#answer.draw();
	}
	#started({ at, data }) {
		const isAgain = (data.attempt ?? 1) > 1;
		if (isAgain) this.#foldEarlier();
		this.#begun ??= at;
		this.#name.textContent = data.agent || "Agent";
		this.#show("working", isAgain ? "Interrupted, working again…" : "Working…");
		return this.#head;
	}
	/** What an attempt that was interrupted had said and done; the next one says it again. */
	#foldEarlier() {
		if (!this.#steps.childElementCount && !this.#answer.text) return;
		this.#answer.draw();
		const steps = element("ol", { class: "steps" }, ...this.#steps.children);
		const earlier = element("details", { class: "earlier-attempt" }, element("summary", {}, "Before the interruption"), steps, this.#answer.block);
		this.#answer = new AnswerView(this.#parts.eyes);
		this.#steps.before(earlier);
		this.#steps.after(this.#answer.block);
	}
	/** A thought comes whole, or in pieces that are one paragraph. */
	#thinking({ data: { text, thought, index, merges } }) {
		if (thought === void 0 || index === void 0) return this.#thought(pretty(text));
		const whole = this.#thoughts.get(thought) ?? this.#thought();
		this.#thoughts.set(thought, whole);
		return this.#piece(whole, text, merges);
	}
	#thought(...text) {
		const thought = element("p", {}, ...text);
		this.#thinkingNow().querySelector("div")?.append(thought);
		return thought;
	}
	#thinkingNow() {
		const last = this.#steps.lastElementChild;
		if (last?.classList.contains("thinking")) return last;
		const details = element("details", { open: !this.hasEnded }, element("summary", {}, "Thinking"), element("div"));
		return this.#steps.appendChild(element("li", { class: "thinking" }, details));
	}
	#executing({ data }) {
		const { summary } = this.#tool(data);
		this.#showTools();
		return summary;
	}
	#executed({ data }) {
		const seen = (this.#tools.get(data.tool_call) ?? this.#tool(data)).complete(data);
		this.#showTools();
		return seen;
	}
	/** What is at work, in the line that stays in view. */
	#showTools() {
		if (this.hasEnded || this.#state.textContent === WAITING) return;
		const running = [...this.#tools.values()].filter(({ isRunning }) => isRunning).map(({ name }) => name);
		put(this.#state, running.length ? `Running ${named(running)}…` : "Working…");
	}
	#tool({ tool_call, tool_name, ...data }) {
		const tool = new ToolRow(tool_name, "arguments" in data ? data.arguments : void 0);
		this.#tools.set(tool_call, tool);
		this.#steps.append(tool.row);
		return tool;
	}
	#partial(event) {
		this.#parts.merged(event.data.merges ?? []);
		return {
			mark: this.#answer.add(event),
			seen: null
		};
	}
	/** A slow connection gets several pieces merged into one; history may have brought some of them already. */
	#piece(whole, text, merges = []) {
		this.#parts.merged(merges);
		for (const offset of merges) this.#erase(whole.querySelector(`:scope > [data-offset="${offset}"]`));
		return whole.appendChild(element("span", {}, pretty(text, LONGEST$4 * (1 + merges.length))));
	}
	#erase(piece) {
		if (piece) this.#parts.eyes.forget(piece);
		piece?.remove();
	}
	#asked({ data }) {
		const question = new Question(data, (value) => this.#parts.answer(data.ask, value));
		this.#asks.set(data.ask, question);
		this.#answer.draw();
		this.#reports.append(question.card);
		this.#state.textContent = WAITING;
		return question.card;
	}
	/** A page of history may begin after the question. */
	#closeQuestion(event, state, words) {
		if (!this.hasEnded) this.#state.textContent = "Working…";
		return this.#asks.get(event.data.ask)?.close(state, words) ?? this.#other(event);
	}
	#report({ data: { report } }) {
		this.#answer.draw();
		const said = this.#answer.text.trim();
		const card = drawReport(report, said);
		if (said && summaryOf(report) === said) this.#takeUpAnswer(card);
		this.#reports.append(card);
		this.questions = questionsOf(report);
		const seen = element("span", { class: "eye" });
		card.prepend(seen);
		return seen;
	}
	/** The streamed answer was the report's summary: it takes its place in the report. */
	#takeUpAnswer(card) {
		const title = card.querySelector(":scope > h3");
		if (title) title.after(this.#answer.block);
		else card.prepend(this.#answer.block);
	}
	#completed({ at, data: { outcome, usage = {} } }) {
		const used = Object.entries(usage).map(([name, count]) => `${count.toLocaleString("en")} ${name.replaceAll("_", " ")}`);
		if (used.length) this.#foot.append(element("p", {
			class: "used",
			testid: "usage"
		}, used.join(" · ")));
		const took = this.#begun === null ? null : seconds(at - this.#begun);
		if (outcome === "cancelled") return this.#end("stopped", took ? `Stopped after ${took}` : "Stopped");
		return this.#end("done", took ? `Done in ${took}` : "Done");
	}
	/** An error without a name (`Error`) is one whose service does not show it. */
	#failed({ data: { error, message, reason, reference } }) {
		const said = [error === "Error" ? "" : error, message].filter(Boolean).join(": ");
		this.#foot.append(element("p", { class: "error" }, WHY[reason] ?? "The agent failed.", said ? element("span", { class: "detail" }, ` ${said}`) : null, reference ? element("span", { class: "detail reference" }, ` Reference: ${reference}`) : null));
		const again = this.parent ? null : this.#parts.askAgain(this.id);
		if (again) this.#foot.append(element("button", {
			type: "button",
			class: "quiet",
			testid: "ask-again",
			onclick: again
		}, "Ask again"));
		return this.#end("failed", reason === "timeout" ? "Timed out" : "Failed");
	}
	#other({ kind, data }) {
		return this.#steps.appendChild(element("li", { class: "other" }, element("code", {}, kind), element("pre", {}, pretty(data))));
	}
	#show(state, text) {
		this.block.dataset["state"] = state;
		this.#state.textContent = text;
	}
	#end(state, text) {
		this.hasEnded = true;
		this.#answer.draw();
		this.#show(state, text);
		for (const tool of this.#tools.values()) tool.stop();
		for (const details of this.#steps.querySelectorAll(":scope > .thinking > details")) details.open = false;
		return this.#state;
	}
};
function named(tools) {
	const more = tools.length - MOST_NAMED;
	return more > 0 ? `${tools.slice(0, MOST_NAMED).join(", ")} and ${more} more` : tools.join(", ");
}

//#endregion
//#region src/conversation.ts
const topOf = (shown) => shown?.getBoundingClientRect().top ?? null;
const OPEN_QUESTION = ".question[data-state=open]";
var Conversation = class {
	#root;
	#eyes;
	#asked = new Asked();
	#parts;
	#runs = /* @__PURE__ */ new Map();
	#drawn = /* @__PURE__ */ new Set();
	#unsent = /* @__PURE__ */ new Map();
	#spoken = /* @__PURE__ */ new Map();
	constructor(root, { onShown, again, answer, delivery }) {
		this.#root = root;
		this.#eyes = new Eyes(onShown);
		this.#parts = {
			eyes: this.#eyes,
			delivery,
			answer,
			askAgain: (run) => {
				const spoken = this.#spoken.get(run);
				return spoken === void 0 ? null : () => again({
					body: spoken.body,
					files: spoken.files
				});
			},
			merged: (offsets) => {
				for (const offset of offsets) this.#drawn.add(offset);
			}
		};
	}
	get isEmpty() {
		return this.#root.childElementCount === 0;
	}
	/** The latest top-level run that has begun and not ended. */
	get going() {
		return this.#topLevel.findLast(({ hasEnded }) => !hasEnded)?.id ?? null;
	}
	/** Whether a question waits for its user. */
	get isAsking() {
		return this.#root.querySelector(OPEN_QUESTION) !== null;
	}
	/** What the latest report offers to ask next. */
	get questions() {
		return this.#topLevel.findLast(({ questions }) => questions)?.questions ?? [];
	}
	get #topLevel() {
		return [...this.#runs.values()].filter(({ parent }) => !parent);
	}
	/** Where what is to be read begins, in px from the window's top: the agent's open question; what the user said, with the answer to it
	* no more than half a window below; or else that answer. Null while there is none. */
	get readingTop() {
		const last = this.#root.lastElementChild;
		const question = topOf(last?.querySelector(OPEN_QUESTION));
		if (question !== null) return question;
		const answer = topOf(last?.querySelector(":scope > .answer:not([hidden]), :scope > .reports > .report"));
		const said = topOf(last?.previousElementSibling?.closest(".you"));
		return said !== null && (answer ?? said) - said <= innerHeight / 2 ? said : answer;
	}
	clear() {
		this.#eyes.clear();
		this.#asked.clear();
		for (const each of [
			this.#runs,
			this.#drawn,
			this.#unsent,
			this.#spoken
		]) each.clear();
		this.#root.replaceChildren();
	}
	/** A message that the server has not answered yet. */
	addUnsent(say, { body, files }) {
		const bubble = drawBubble(body, files);
		markUnsent(bubble);
		this.#unsent.set(say, bubble);
		this.#root.append(bubble);
	}
	/** If it was taken after all, the event puts it right. */
	refuse(say, why) {
		const bubble = this.#unsent.get(say);
		if (bubble) markRefused(bubble, why);
	}
	/** Draw an event, unless it is drawn already: history and the live stream overlap. */
	add(event) {
		if (event.kind === "superseded" || this.#drawn.has(event.offset)) return false;
		this.#drawn.add(event.offset);
		const { mark, seen } = event.kind === "user_said" ? this.#said(event) : this.#run(event).draw(event);
		const own = mark.dataset["offset"] === void 0 ? mark : mark.appendChild(element("span", { hidden: true }));
		Object.assign(own.dataset, {
			testid: own.dataset["testid"] ?? "event",
			offset: event.offset,
			kind: event.kind
		});
		if (seen) this.#eyes.watch(seen, event);
		return true;
	}
	/** Leave nothing to be drawn later: where what stands below must not move. */
	drawNow() {
		for (const run of this.#runs.values()) run.drawNow();
	}
	#said({ run, data: { body, say, files } }) {
		this.#unsent.get(say)?.remove();
		this.#unsent.delete(say);
		const bubble = drawBubble(body, files), answer = this.#runs.get(run);
		this.#spoken.set(run, {
			body,
			files,
			bubble
		});
		if (answer) answer.block.before(bubble);
		else this.#root.append(bubble);
		if (answer) this.#asked.watch(bubble, answer);
		return {
			mark: bubble,
			seen: bubble
		};
	}
	#run(event) {
		const known = this.#runs.get(event.run);
		if (known) return known;
		const run = new RunView(event, this.#parts);
		const parent = run.parent && this.#runs.get(run.parent);
		if (parent) parent.addNested(run.block);
		else this.#root.append(run.block);
		this.#runs.set(event.run, run);
		const said = this.#spoken.get(event.run);
		if (said) this.#asked.watch(said.bubble, run);
		return run;
	}
};

//#endregion
//#region src/delivery.ts
var Delivery = class {
	#acked = 0;
	#seen = /* @__PURE__ */ new Set();
	#listeners = /* @__PURE__ */ new Set();
	#isDue = false;
	constructor(client) {
		client.on("frame", ({ isSent, frame }) => this.#take(isSent, frame));
		client.on("reset", () => this.#forget());
	}
	/** What holds for every event that this one stands for. */
	stage(event) {
		if (offsetsOf(event).every((offset) => this.#seen.has(offset))) return "seen";
		return event.offset <= this.#acked ? "received" : "disk";
	}
	/** Call `changed` after changes, at most once a frame of the screen. Returns what ends it. */
	subscribe(changed) {
		this.#listeners.add(changed);
		return () => void this.#listeners.delete(changed);
	}
	#take(isSent, { type, offset = 0, from = 0, offsets = [] }) {
		if (!isSent && type === "ready") this.#acked = Math.max(this.#acked, from);
		else if (isSent && type === "ack") this.#acked = Math.max(this.#acked, offset);
		else if (isSent && type === "displayed") for (const each of offsets) this.#seen.add(each);
		else return;
		this.#tell();
	}
	#forget() {
		this.#acked = 0;
		this.#seen.clear();
		this.#tell();
	}
	#tell() {
		if (this.#isDue) return;
		this.#isDue = true;
		setTimeout(() => {
			this.#isDue = false;
			for (const listener of [...this.#listeners]) listener();
		}, 50);
	}
};

//#endregion
//#region src/focus_keeper.ts
/** `fallBack` focuses another one. */
function keepFocus(fallBack) {
	let last = null;
	const check = () => {
		const active = document.activeElement;
		const held = active === document.body || active === null ? last : active;
		if (held && isGone(held)) fallBack();
	};
	addEventListener("focusin", ({ target }) => {
		last = target instanceof Element ? target : null;
	});
	addEventListener("focusout", () => setTimeout(() => {
		if (last && !isGone(last)) last = document.activeElement;
	}));
	new MutationObserver(check).observe(document.body, {
		subtree: true,
		childList: true,
		attributeFilter: ["hidden", "disabled"]
	});
}
const isGone = (element) => element !== document.body && (!element.isConnected || !element.checkVisibility() || element.matches(":disabled"));

//#endregion
//#region src/following.ts
const NEAR = 120;
const UNDER_TOP = 120;
var Following = class {
	is = true;
	#what;
	#lastY = 0;
	constructor(what) {
		this.#what = what;
		addEventListener("scroll", () => this.#scrolled(), { passive: true });
		const main = document.querySelector("main");
		if (main) new ResizeObserver(() => this.#grown()).observe(main);
		const bottom = document.querySelector(".bottom");
		if (bottom) new ResizeObserver(() => keepClear(bottom)).observe(bottom);
	}
	/** The end of the page, or the start of what is to be read when that is taller than the window. */
	get newest() {
		if (this.#what.isEmpty) return 0;
		const end = document.documentElement.scrollHeight - innerHeight;
		const start = this.#what.readingTop;
		return Math.max(0, start === null ? end : Math.min(end, start + scrollY - UNDER_TOP));
	}
	/** Scrolling by the page is not the user's: by the time of its event, more may have come below. */
	moveTo(top) {
		scrollTo({ top });
		this.#lastY = scrollY;
	}
	/** A user who has read on is not taken back. */
	#grown() {
		const { newest } = this;
		if (this.is && newest > scrollY) this.moveTo(newest);
	}
	#scrolled() {
		if (scrollY >= this.newest - NEAR) this.is = true;
		else if (scrollY < this.#lastY) this.is = false;
		this.#lastY = scrollY;
	}
};
/** What gets the focus is not moved behind what stands at the bottom. */
function keepClear({ offsetHeight }) {
	document.documentElement.style.scrollPaddingBottom = `${offsetHeight}px`;
}

//#endregion
//#region src/history.ts
const PAGE = 200;
/** Up to `pages` pages. */
async function latest(client, thread, pages) {
	let events = [], hasMore = thread !== null;
	for (let page = 0; thread !== null && hasMore && page < pages; page += 1) {
		const found = await client.history({
			thread,
			limit: PAGE,
			before: events[0]?.offset
		});
		events = [...found.events, ...events];
		hasMore = found.more && found.events.length > 0;
	}
	return {
		events,
		more: hasMore
	};
}

//#endregion
//#region src/memory.ts
var Memory = class {
	#storage;
	#prefix;
	#own = /* @__PURE__ */ new Map();
	constructor(open, prefix) {
		this.#prefix = prefix;
		this.#storage = opened(open);
	}
	/** What was set, which may be an older page's; null if nothing was. */
	get(name) {
		try {
			const text = this.#storage?.getItem(this.#prefix + name) ?? null;
			if (text !== null) return JSON.parse(text);
		} catch {}
		return structuredClone(this.#own.get(name) ?? null);
	}
	text(name) {
		const found = this.get(name);
		return typeof found === "string" ? found : null;
	}
	set(name, value) {
		if (!this.#storage) return void this.#own.set(name, value);
		try {
			if (value === null) this.#storage.removeItem(this.#prefix + name);
			else this.#storage.setItem(this.#prefix + name, JSON.stringify(value));
			this.#own.delete(name);
		} catch {
			this.#forget(name);
			this.#own.set(name, value);
		}
	}
	#forget(name) {
		try {
			this.#storage?.removeItem(this.#prefix + name);
		} catch {}
	}
};
function opened(open) {
	try {
		return open();
	} catch {
		return null;
	}
}

//#endregion
//#region src/admission.ts
const WITHIN_MS = 1e4;
const LONGEST$1 = 200;
/** Answers that do not change by waiting. */
const FINAL = new Set([
	400,
	403,
	413,
	414,
	431,
	494
]);
const ADVICE = {
	403: "Open the page at the address that the server allows.",
	429: "Close other tabs of this page.",
	431: "Ask for a smaller token, or clear the cookies of this site.",
	494: "Ask for a smaller token, or clear the cookies of this site."
};
const ask$1 = (path, token = null, method = "GET") => fetch(path, {
	method,
	headers: token ? { Authorization: `Bearer ${token}` } : {},
	cache: "no-store",
	signal: AbortSignal.timeout(WITHIN_MS)
});
/** Whose token this is, or without one whose cookies. */
async function whoami(token) {
	try {
		const response = await ask$1("whoami", token);
		const answer = response.ok ? await response.json().catch(() => ({})) : {};
		return {
			user: typeof answer.user === "string" ? answer.user : null,
			status: response.status,
			isSignedOut: isSignedOut(response)
		};
	} catch {
		return {
			user: null,
			status: null,
			isSignedOut: false
		};
	}
}
/** Null when the server cannot be reached, or refuses the token: the page asks for another one. */
async function askWhy(token) {
	try {
		const first = await ask$1("whoami", token);
		for (const answer of first.ok ? [first, await ask$1("readyz")] : [first]) {
			if (answer.status === 401) return token === null && isSignedOut(answer) ? SIGNED_OUT : null;
			if (!answer.ok) return await refusal(answer);
		}
		return isOurs$1(first) ? NO_WEBSOCKET : STRANGER;
	} catch {
		return null;
	}
}
const isOurs$1 = (response) => (response.headers.get("Content-Type") ?? "").startsWith("application/json");
/** A service with users of its own refuses a request without a token as it does a bad token (RFC 6750 §3.1), and does not ask for one. */
const isSignedOut = (response) => response.status === 401 && (response.headers.get("WWW-Authenticate") ?? "").includes("invalid_token");
const SIGNED_OUT = {
	status: 401,
	isFinal: false,
	words: "You are not signed in. Sign in to this service, then come back to this page."
};
const NO_WEBSOCKET = {
	status: 200,
	isFinal: false,
	words: "The server answers, but this page cannot connect to it. A proxy on the way may not let WebSocket through."
};
const STRANGER = {
	status: 200,
	isFinal: false,
	words: "Something else answers in the server's place. The network may ask you to sign in first: reload this page."
};
async function refusal(response) {
	const { status } = response;
	const said = await saidBy(response);
	const advice = status === 403 && said ? null : ADVICE[status];
	const words = [`The server does not let this page connect${said ? `: ${said}` : "."} (${status})`, advice];
	return {
		status,
		isFinal: FINAL.has(status),
		words: words.filter(Boolean).join(" ")
	};
}
/** One line of plain text; a proxy's page of HTML says nothing. */
async function saidBy(response) {
	if (!(response.headers.get("Content-Type") ?? "").startsWith("text/plain")) return "";
	return ((await response.text()).trim().split("\n", 1)[0] ?? "").slice(0, LONGEST$1);
}

//#endregion
//#region src/plug.ts
const COPIED = "This tab is a copy of another: it has begun a session of its own, at the same place. Ask in one, and watch the other.";
const OPENED = "A copy of this tab is open. Each has a session of its own: ask in one, and watch the other.";
/** The sockets of this page, so that they can be broken. */
var BreakableSocket = class BreakableSocket extends WebSocket {
	static #latest = null;
	constructor(url, protocols) {
		super(url, protocols);
		BreakableSocket.#latest = this;
	}
	/** As a network does: the page is not asked. Returns whether there was one. */
	static break() {
		const socket = BreakableSocket.#latest;
		if (socket?.readyState !== WebSocket.OPEN) return false;
		socket.close();
		return true;
	}
};
var Plug = class {
	#client;
	#tokens;
	#known = /* @__PURE__ */ new Set();
	#latest = 0;
	#break = null;
	constructor(client, tokens) {
		[this.#client, this.#tokens] = [client, tokens];
		for (const id of ["open-plug", "try-plug"]) $(id).addEventListener("click", () => this.#toggle(id === "try-plug"));
		$("drop-connection").addEventListener("click", () => this.#drop());
		$("duplicate-tab").addEventListener("click", () => this.#duplicate());
		$("kill-server").addEventListener("click", () => void this.#kill());
		client.on("events", (events) => this.#came(events));
		client.on("reset", ({ beyond }) => this.#forget(beyond));
		client.on("frame", ({ isSent, frame }) => this.#frame(isSent, frame));
	}
	#toggle(isShown = false) {
		$("plug").hidden = !isShown && !$("plug").hidden;
		$("open-plug").setAttribute("aria-expanded", String(!$("plug").hidden));
		if (!$("plug").hidden) $("drop-connection").focus({ preventScroll: true });
	}
	#drop() {
		this.#begin("Reconnected");
		if (!BreakableSocket.break()) this.#client.connect();
	}
	/** Copies sessionStorage, as the browser's own command does. */
	#duplicate() {
		window.open(location.href);
		this.#tell(OPENED);
	}
	async #kill() {
		this.#begin("The server was killed and started again; reconnected");
		const response = await ask$1("demo/kill", this.#tokens.kept, "POST").catch(() => null);
		if (response && !response.ok) this.#fail(`The server was not killed (${response.status}).`);
	}
	#begin(what) {
		this.#break = {
			what,
			at: performance.now(),
			until: null,
			took: 0,
			events: 0,
			twice: 0
		};
		this.#tell("Waiting for the connection to break…");
	}
	#fail(words) {
		this.#break = null;
		this.#tell(words);
	}
	#frame(isSent, frame) {
		if (isSent && frame.type === "hello" && frame.epoch && !frame.session) this.#tell(COPIED);
		if (!isSent && frame.type === "ready") this.#isBack(frame.from ?? 0, frame.offset ?? 0);
	}
	#isBack(from, newest) {
		this.#latest = Math.max(this.#latest, from);
		if (!this.#break) return;
		this.#break.took = performance.now() - this.#break.at;
		this.#break.until = newest;
		this.#conclude();
	}
	#came(events) {
		for (const { offset } of events) {
			const isMissed = this.#break?.until != null && offset <= this.#break.until;
			if (this.#break && isMissed) this.#break.events += 1;
			if (this.#break && this.#known.has(offset)) this.#break.twice += 1;
			this.#known.add(offset);
			this.#latest = Math.max(this.#latest, offset);
		}
		this.#conclude();
	}
	/** Once all that was missed is here. */
	#conclude() {
		const it = this.#break;
		if (!it || it.until === null || this.#latest < it.until) return;
		this.#break = null;
		const events = it.events === 0 ? "nothing was missed" : `${it.events} event${it.events === 1 ? "" : "s"} caught up, ${it.twice || "none"} twice`;
		this.#tell(`${it.what} in ${seconds(it.took)}: ${events}.`);
	}
	#forget(beyond) {
		for (const offset of this.#known) if (offset > beyond) this.#known.delete(offset);
	}
	#tell(words) {
		put($("plug-outcome"), words);
		$("plug-outcome").hidden = false;
	}
};

//#endregion
//#region src/tokens.ts
/** Whether a header can carry the text. Quotation marks copied from a mail are not ASCII. */
const canBeToken = (text) => /^[\x21-\x7e]+$/.test(text);
/** In place of a token, where the service has users of its own: the page's cookies say who the user is. */
const BY_COOKIE = "";
var Tokens = class {
	#memory;
	#options;
	#link = null;
	#considering = Promise.resolve(false);
	#isRejected = false;
	/** The user must give a token; `wasRefused`: the last one is no good. */
	needed = null;
	/** memory: kept over sessions. */
	constructor(memory, options) {
		[this.#memory, this.#options] = [memory, options];
	}
	/** A token, or `BY_COOKIE`; what is kept, unless it may be stale. Null when the user must give one, which `needed` says then. */
	async get(reason) {
		const kept = this.kept;
		if (kept && reason === "connect" && !this.#isRejected) return kept;
		const answer = await this.#demo(kept);
		if (answer === "unreachable") return kept ?? unreachable();
		this.#memory.set("demo", answer === "not a demo" ? null : { canKill: answer.can_kill === true });
		if (answer !== "not a demo") return this.keep(answer.token);
		const visitor = await whoami(null);
		if (visitor.status === 200 || visitor.isSignedOut) this.#memory.set("token", null);
		if (visitor.isSignedOut) throw new Error("you are not signed in");
		if (visitor.status === 200) return "";
		return this.#keptOrNeeded(kept, reason);
	}
	/** A live connection never asks its user. */
	async #keptOrNeeded(kept, reason) {
		const mayAsk = reason !== "refresh";
		if (kept !== null && !this.#isRejected && (!mayAsk || (await whoami(kept)).status !== 401)) return kept;
		if (mayAsk) this.needed = { wasRefused: kept !== null };
		return null;
	}
	/** The demo's server gave the token: its agent reads tables, and anyone may ask it. */
	get fromDemo() {
		return isObject(this.#memory.get("demo"));
	}
	/** The demo's server may be killed: it is started again. */
	get canKill() {
		const demo = this.#memory.get("demo");
		return isObject(demo) && demo["canKill"] === true;
	}
	get kept() {
		const kept = this.#memory.text("token");
		if (kept === null || canBeToken(kept)) return kept;
		this.#memory.set("token", null);
		return null;
	}
	keep(token) {
		this.#isRejected = false;
		this.needed = null;
		this.#memory.set("token", token);
		return token;
	}
	/** The server refused the kept token for good. */
	reject() {
		this.#isRejected = true;
	}
	/** This browser forgets the user. */
	signOut() {
		this.#memory.set("token", null);
		this.#isRejected = false;
	}
	/** Remove the token from the address and the history. Returns whether there was one. */
	takeLink() {
		const given = new URLSearchParams(location.hash.slice(1)).get("token");
		if (given === null) return false;
		history.replaceState(null, "", location.pathname + location.search);
		if (canBeToken(given.trim())) this.#link = given.trim();
		else this.#options.complain("The link that you followed has no token.");
		return this.#link !== null;
	}
	/** Keep the link's token in place of the kept one: another user's only if the user says so. Resolves to whether it is kept.
	*  One link at a time. */
	considerLink() {
		this.#considering = this.#considering.catch(() => false).then(() => this.#consider());
		return this.#considering;
	}
	async #consider() {
		const given = this.#link, kept = this.kept;
		this.#link = null;
		if (given === null || given === kept) return false;
		if (kept !== null && !await this.#mayReplace(kept, given)) return false;
		this.keep(given);
		return true;
	}
	async #mayReplace(kept, given) {
		const [now, then] = await Promise.all([whoami(kept), whoami(given)]);
		if (then.status === 401) {
			this.#options.complain("The link that you followed has no token that this server accepts.");
			return false;
		}
		const names = {
			now: now.user ?? claimedBy(kept),
			then: then.user ?? claimedBy(given)
		};
		return then.user !== null && then.user === names.now || this.#options.confirm(names);
	}
	async #demo(kept) {
		try {
			const response = await ask$1("demo/token", kept);
			if (response.ok) return await response.json();
			if (response.status === 401 && kept) return await this.#demo(null);
			return response.status === 404 ? "not a demo" : "unreachable";
		} catch {
			return "unreachable";
		}
	}
};
function unreachable() {
	throw new Error("the server cannot be reached");
}
/** The user that a JSON Web Token names, if the text is one. Not verified: for display only. */
function claimedBy(token) {
	try {
		const payload = token.split(".")[1] ?? "";
		const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
		const { sub } = JSON.parse(new TextDecoder().decode(bytes));
		return typeof sub === "string" ? sub : null;
	} catch {
		return null;
	}
}

//#endregion
//#region src/sign_in.ts
/** A link would sign in another user, and may come from somebody else. Resolves to whether the user agrees. */
function confirmUser({ now, then }) {
	const dialog = $("confirm-user");
	for (const name of dialog.querySelectorAll(".now")) name.textContent = now ?? "someone else";
	for (const name of dialog.querySelectorAll(".then")) name.textContent = then ?? "an unknown user";
	dialog.returnValue = "";
	dialog.showModal();
	return new Promise((resolve) => {
		dialog.onclose = () => resolve(dialog.returnValue === "switch");
	});
}
function complain(text) {
	put($("token-problem"), text);
	$("token-problem").hidden = !text;
}
/** There is a token. */
function endSignIn() {
	$("token-form").hidden = true;
	document.body.classList.remove("signs-in");
}
/** Ask until the text can be a token. The server decides whether it is valid. */
function askForToken({ wasRefused }) {
	complain(wasRefused ? "That token was not accepted, or has expired." : "");
	document.body.classList.add("signs-in");
	$("token-form").hidden = false;
	$("token").focus();
	return new Promise((resolve) => {
		$("token-form").onsubmit = (event) => {
			event.preventDefault();
			const token = $("token").value.trim();
			$("token").value = "";
			if (!canBeToken(token)) return complain("This cannot be a token: it has characters that no token has. Copy it again, without quotation marks.");
			endSignIn();
			resolve(token);
		};
	});
}

//#endregion
//#region src/status.ts
const ASK_WHY_AFTER = 2;
const STABLE_MS = 5e3;
const DISCONNECTED = 4509, NO_REASON = "disconnected by the service";
const BAD_TOKEN = 4500;
const CLOSED = {
	1009: ["This page sent a message that is larger than the server takes, and was disconnected.", "Connect"],
	4500: ["Your token was not accepted or has expired.", "Use another token"],
	4503: ["You are signed in as someone else now.", "Start again"],
	4506: ["Too many tabs are open for you. Close one, then connect again.", "Connect"],
	4507: ["This page sent too much at once and was disconnected.", "Connect"]
};
/** Shows each state of the client, and why it is not live, with what the user can do about it. */
var Status = class {
	#client;
	#tokens;
	#signIn;
	#failures = 0;
	#turn = 0;
	#countdown;
	#stable;
	#trouble = null;
	#final = null;
	/** signIn: the user must give a token. */
	constructor(client, tokens, signIn) {
		[this.#client, this.#tokens, this.#signIn] = [
			client,
			tokens,
			signIn
		];
		client.on("state", () => this.#show());
	}
	#show() {
		const { reason } = this.#client, shown = shownOf(this.#client);
		this.#turn += 1;
		clearInterval(this.#countdown);
		clearTimeout(this.#stable);
		document.querySelector(".connection")?.setAttribute("data-state", shown);
		put($("connection-text"), this.#words(shown));
		put($("connection-left"), shown === "waiting" ? this.#waitLeft() : "");
		document.body.classList.toggle("is-away", shown !== "live");
		if (reason?.retryAt !== void 0) this.#failures += 1;
		if (shown === "live") this.#stable = setTimeout(() => {
			this.#failures = 0;
		}, STABLE_MS);
		if (shown === "waiting") this.#countDown();
		if (shown === "live" || shown === "closed") this.#trouble = null;
		if (shown === "closed") this.#explain(reason);
		else if (this.#trouble === null) $("notice").hidden = true;
		if (shown === "waiting" && this.#failures >= ASK_WHY_AFTER) this.#explainWaiting(this.#turn);
	}
	#words(shown) {
		switch (shown) {
			case "live": return "Live";
			case "connecting": return "Connecting…";
			case "offline": return "Offline";
			case "closed": return this.#tokens.needed ? "Not signed in" : "Disconnected";
			case "waiting": return "Reconnecting";
		}
	}
	/** Beside the words, which a screen reader says once and not each second. */
	#waitLeft() {
		const left = Math.ceil(((this.#client.reason?.retryAt ?? 0) - Date.now()) / 1e3);
		return left > 0 ? ` in ${left} s` : "…";
	}
	#countDown() {
		this.#countdown = setInterval(() => put($("connection-left"), this.#waitLeft()), 500);
	}
	#explain(reason) {
		const final = this.#final;
		this.#final = null;
		if (this.#tokens.needed) {
			$("notice").hidden = true;
			return this.#signIn();
		}
		const [text, action] = final !== null ? [final, "Try again"] : closedWords(reason);
		this.#notify(text, action, () => {
			if (reason?.code === BAD_TOKEN) this.#tokens.reject();
			this.#client.connect();
		});
	}
	/** A browser hides why an upgrade was refused, so ask. The page retries meanwhile if waiting may help. */
	async #explainWaiting(turn) {
		const why = await askWhy(this.#tokens.kept);
		if (turn !== this.#turn) return;
		this.#trouble = why?.words ?? null;
		if (why?.isFinal) {
			this.#final = why.words;
			this.#client.close();
		} else if (why) this.#notify(why.words, "Try now", () => void this.#client.connect());
		else $("notice").hidden = true;
	}
	#notify(text, action, act) {
		put($("notice-text"), text);
		put($("notice-button"), action);
		$("notice-button").onclick = () => {
			$("notice").hidden = true;
			act();
		};
		$("notice").hidden = false;
	}
};
function shownOf({ state, reason }) {
	if (state === "ready") return "live";
	if (state === "closed") return "closed";
	if (reason?.offline || !navigator.onLine) return "offline";
	return state === "connecting" ? "connecting" : "waiting";
}
function closedWords(reason) {
	if (reason?.code === DISCONNECTED) return thrownOut(reason.message);
	return (reason && CLOSED[reason.code]) ?? [`The server closed the connection: ${reason?.message || "no reason given"} (${reason?.code}).`, "Connect again"];
}
function thrownOut(reason) {
	return [`The service has disconnected you${reason && reason !== NO_REASON ? `: ${reason}` : "."}`, "Connect again"];
}

//#endregion
//#region src/tab_locks.ts
const ANSWER_MS = 200;
/** Web Locks, or the tabs ask each other. */
const tabLocks = () => navigator.locks ?? { request };
/** As `LockManager.request` with a signal that aborts soon: calls `hold` until its promise ends, or rejects where another tab holds it. */
async function request(name, _, hold) {
	const channel = new BroadcastChannel(name);
	try {
		if (await isHeld(channel)) throw new DOMException("another tab holds it", "AbortError");
		await hold();
	} finally {
		channel.close();
	}
}
/** A tab that holds it, or asks for it, answers. Two tabs that ask at once both get none. */
function isHeld(channel) {
	const me = randomId();
	return new Promise((resolve) => {
		channel.onmessage = ({ data }) => {
			if (data.asks) channel.postMessage({ refuses: data.asks });
			if (data.refuses === me) resolve(true);
		};
		channel.postMessage({ asks: me });
		setTimeout(() => resolve(false), ANSWER_MS);
	});
}

//#endregion
//#region src/thread_row.ts
const UNTITLED = "Untitled conversation", LONGEST_TITLE = 200;
const DAY = 1440 * 60 * 1e3;
const ENDS = {
	agent_completed: "Finished",
	agent_failed: "Failed"
};
const stateOf = ({ kind }) => kind in ENDS ? "idle" : kind === "input_requested" ? "waiting" : "working";
function lastWords({ kind, text }) {
	if (kind === "input_requested") return `Asks: ${text ?? "a question"}`;
	return kind in ENDS ? text ?? ENDS[kind] ?? "" : "Working…";
}
/** The time today, the day in this week, the date before. */
function when(at) {
	const then = new Date(at), now = /* @__PURE__ */ new Date();
	if (then.toDateString() === now.toDateString()) return then.toLocaleTimeString([], {
		hour: "2-digit",
		minute: "2-digit"
	});
	if (now.getTime() - at < 6 * DAY) return then.toLocaleDateString([], { weekday: "short" });
	const year = then.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
	return then.toLocaleDateString([], {
		day: "numeric",
		month: "short",
		...year
	});
}
var ThreadRow = class {
	#title = element("span", { class: "title" });
	#last = element("span", { class: "last" });
	#time = element("time");
	#on;
	button;
	menuButton;
	item;
	#input = element("input");
	thread;
	isRenaming = false;
	constructor(thread, on) {
		[this.thread, this.#on] = [thread, on];
		this.button = element("button", {
			type: "button",
			class: "open",
			testid: "thread",
			onclick: () => on.onOpen()
		}, this.#title, this.#last, this.#time);
		this.menuButton = element("button", {
			type: "button",
			class: "menu",
			testid: "thread-menu",
			popovertarget: "thread-menu",
			onclick: () => on.onMenu(this)
		}, icon(ICONS.menu));
		this.item = element("li", {}, this.button, this.menuButton);
	}
	show(thread, { isOpen }) {
		const title = thread.title ?? UNTITLED, { last, updated } = thread;
		this.thread = thread;
		this.item.dataset["thread"] = thread.thread;
		this.item.dataset["state"] = stateOf(last);
		put(this.#title, title);
		this.#title.title = title;
		put(this.#last, lastWords(last));
		put(this.#time, when(updated));
		this.#time.dateTime = new Date(updated).toISOString();
		this.menuButton.setAttribute("aria-label", `Rename, archive or erase: ${title}`);
		if (isOpen) this.button.setAttribute("aria-current", "true");
		else this.button.removeAttribute("aria-current");
	}
	/** Where its menu's button is, in px from the window's top. */
	get top() {
		return this.menuButton.getBoundingClientRect().top;
	}
	/** A box in the title's place: Enter and leaving it keep what was typed, Escape does not. */
	rename() {
		this.isRenaming = true;
		this.#input = element("input", {
			class: "rename",
			testid: "rename",
			maxlength: LONGEST_TITLE,
			"aria-label": "Title",
			value: this.thread.title ?? "",
			onkeydown: (event) => this.#typed(event),
			onblur: () => this.#endRename({ keep: true })
		});
		this.item.classList.add("renaming");
		this.item.prepend(this.#input);
		this.#input.select();
		this.#input.focus();
	}
	#typed(event) {
		if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
		event.preventDefault();
		this.#endRename({ keep: event.key === "Enter" });
		this.button.focus();
	}
	#endRename({ keep }) {
		if (!this.isRenaming) return;
		this.isRenaming = false;
		const title = this.#input.value.trim();
		this.#input.remove();
		this.item.classList.remove("renaming");
		const isNew = keep && title !== "" && title !== (this.thread.title ?? "");
		if (isNew) put(this.#title, title);
		this.#on.onTitle(isNew ? title : null);
	}
};

//#endregion
//#region src/thread_list.ts
const ROOM = "(min-width: 60rem)";
const MENU = {
	width: 176,
	height: 140
};
const ACTS = [
	"rename",
	"archive",
	"erase"
];
var ThreadList = class {
	#threads;
	#on;
	#rows = /* @__PURE__ */ new Map();
	#wide = matchMedia(ROOM);
	#open = null;
	#chosen = null;
	#menuTop = null;
	constructor(threads, on) {
		[this.#threads, this.#on] = [threads, on];
		this.#listen();
		this.#listenToMenu();
		this.#place();
	}
	#listen() {
		$("open-threads").addEventListener("click", () => this.#drawer.showModal());
		$("close-threads").addEventListener("click", () => this.close());
		this.#drawer.addEventListener("click", ({ target }) => {
			if (target === this.#drawer) this.close();
		});
		$("archived-threads").addEventListener("click", () => this.#showArchived(!this.#threads.archived));
		$("more-threads").addEventListener("click", () => void this.#try("More could not be shown", () => this.#threads.showMore()));
		this.#wide.addEventListener("change", () => this.#place());
	}
	#listenToMenu() {
		$("thread-menu").addEventListener("beforetoggle", (event) => {
			if (event.newState === "open") this.#placeMenu();
		});
		$("thread-menu").addEventListener("focusout", ({ relatedTarget }) => this.#leaveMenu(relatedTarget));
		$("thread-list").addEventListener("scroll", () => {
			if (this.#menuTop !== this.#chosen?.top) this.#closeMenu();
		}, { passive: true });
		for (const act of ACTS) $(`${act}-thread`).addEventListener("click", () => this.#choose(act));
	}
	get #drawer() {
		return $("drawer");
	}
	close() {
		this.#drawer.close();
	}
	get isDrawer() {
		return !this.#wide.matches;
	}
	/** open: the thread on screen, or null. A title that is being typed is not disturbed: what came meanwhile is shown after it. */
	show(open = this.#open) {
		this.#open = open;
		const { found, more, archived, isKnown, problem } = this.#threads;
		if ([...this.#rows.values()].some((row) => row.isRenaming)) return;
		this.#order(found.map((thread) => this.#rowOf(thread)));
		$("threads-title").textContent = archived ? "Archived" : "Conversations";
		$("archived-threads").textContent = archived ? "Back to conversations" : "Show archived";
		$("more-threads").hidden = !more;
		$("no-threads").hidden = !isKnown || found.length > 0;
		$("no-threads").textContent = archived ? "Nothing is archived." : "What you ask is kept here.";
		this.#complain(problem);
		const waits = found.some(({ thread, last }) => thread !== open && stateOf(last) === "waiting");
		$("open-threads").classList.toggle("waits", waits);
		$("open-threads").setAttribute("aria-label", waits ? "Conversations: one waits for you" : "Conversations");
	}
	#rowOf(thread) {
		const row = this.#rows.get(thread.thread) ?? new ThreadRow(thread, {
			onOpen: () => this.#on.onOpen(thread.thread),
			onMenu: (chosen) => {
				this.#chosen = chosen;
			},
			onTitle: (title) => void this.#rename(thread.thread, title)
		});
		this.#rows.set(thread.thread, row);
		row.show(thread, { isOpen: thread.thread === this.#open });
		return row;
	}
	/** Rows move only where they must, and the one that has the focus keeps it: moving an element takes it away. */
	#order(rows) {
		const list = $("thread-list"), active = document.activeElement;
		const held = active instanceof HTMLElement && list.contains(active) ? active : null;
		const at = held ? [...list.children].findIndex((row) => row.contains(held)) : -1;
		rows.forEach(({ item }, index) => {
			if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
		});
		while (list.children.length > rows.length) list.lastElementChild?.remove();
		const kept = new Set(rows);
		for (const [thread, row] of this.#rows) if (!kept.has(row)) this.#rows.delete(thread);
		if (!held || document.activeElement === held) return;
		const neighbour = rows[Math.min(at, rows.length - 1)]?.button ?? $("archived-threads");
		(held.isConnected ? held : neighbour).focus({ preventScroll: held.isConnected });
	}
	#place() {
		this.close();
		(this.isDrawer ? this.#drawer : $("side")).append($("threads"));
	}
	#placeMenu() {
		if (!this.#chosen) return;
		const { right, top, bottom } = this.#chosen.menuButton.getBoundingClientRect();
		this.#menuTop = top;
		const below = bottom + MENU.height < innerHeight;
		Object.assign($("thread-menu").style, {
			left: `${Math.max(8, Math.min(right, innerWidth - 8) - MENU.width)}px`,
			top: below ? `${bottom + 4}px` : "auto",
			bottom: below ? "auto" : `${innerHeight - top + 4}px`
		});
		$("archive-thread").textContent = this.#threads.archived ? "Bring back" : "Archive";
	}
	#closeMenu() {
		if ($("thread-menu").matches(":popover-open")) $("thread-menu").hidePopover();
	}
	#leaveMenu(to) {
		if (to && !$("thread-menu").contains(to)) this.#closeMenu();
	}
	#choose(act) {
		const row = this.#chosen;
		this.#closeMenu();
		if (!row) return;
		if (act === "rename") row.rename();
		else if (act === "archive") this.#archive(row.thread);
		else this.#erase(row.thread);
	}
	async #rename(thread, title) {
		if (title !== null) await this.#try("It could not be renamed", () => this.#threads.change(thread, { title }));
		this.show();
	}
	async #archive({ thread, title }) {
		const archived = !this.#threads.archived;
		const what = archived ? "It could not be archived" : "It could not be brought back";
		if (await this.#try(what, () => this.#threads.change(thread, { archived }))) this.#on.say(`${archived ? "Archived" : "Brought back"}: ${title ?? "the conversation"}`);
	}
	async #erase({ thread, title }) {
		if (!await confirmErase(title) || !await this.#try("It could not be erased", () => this.#threads.erase(thread))) return;
		this.#on.onErased(thread);
		this.#on.say(`Erased: ${title ?? "the conversation"}`);
	}
	#showArchived(archived) {
		this.#threads.show({ archived });
		this.#threads.refresh();
	}
	/** Resolves to whether it was done; why not is said in the list. */
	async #try(what, act) {
		this.#complain(null);
		try {
			await act();
			return true;
		} catch (error) {
			this.#complain(`${what}: ${wordsOf(error)}`);
			return false;
		}
	}
	#complain(text) {
		put($("threads-problem"), text ?? "");
		$("threads-problem").hidden = !text;
	}
};
/** Resolves to whether the user means it. */
function confirmErase(title) {
	const dialog = $("confirm-erase");
	dialog.querySelector("bdi")?.replaceChildren(title ?? "this conversation");
	dialog.returnValue = "";
	dialog.showModal();
	return new Promise((resolve) => {
		dialog.onclose = () => resolve(dialog.returnValue === "erase");
	});
}

//#endregion
//#region src/user_menu.ts
/** mayLeave: not where the user signed in elsewhere, by a cookie of a service, or got a token of the demo. */
function showUser({ user }, mayLeave) {
	put($("user"), user ?? "");
	put($("user-name"), user ?? "");
	$("open-user").hidden = !user;
	$("sign-out").hidden = !mayLeave;
}

//#endregion
//#region src/wire.ts
const MOST = 200;
const LONGEST = 4e3;
const SECRET = "…";
var Wire = class {
	#frames = [];
	constructor(client) {
		client.on("frame", (it) => this.#take(it));
		$("show-wire").addEventListener("click", () => this.#toggle());
	}
	get #isShown() {
		return !$("wire").hidden;
	}
	#toggle() {
		$("wire").hidden = this.#isShown;
		$("show-wire").setAttribute("aria-expanded", String(this.#isShown));
		put($("show-wire"), this.#isShown ? "Hide the wire" : "Show the wire");
		$("wire-frames").replaceChildren(...this.#isShown ? this.#frames.map((frame) => row(frame)) : []);
		this.#follow();
	}
	#take(it) {
		const frame = {
			at: /* @__PURE__ */ new Date(),
			it
		};
		this.#frames.push(frame);
		if (this.#frames.length > MOST) this.#frames.shift();
		if (!this.#isShown) return;
		if ($("wire-frames").childElementCount >= MOST) $("wire-frames").firstElementChild?.remove();
		$("wire-frames").append(row(frame));
		this.#follow();
	}
	#follow() {
		$("wire").scrollTop = $("wire").scrollHeight;
	}
};
function row({ at, it: { isSent, frame } }) {
	const shown = "token" in frame ? {
		...frame,
		token: SECRET
	} : frame;
	const time = at.toLocaleTimeString("en", {
		hour12: false,
		hour: "2-digit",
		minute: "2-digit",
		second: "2-digit",
		fractionalSecondDigits: 3
	});
	const arrow = element("span", {
		class: "arrow",
		"aria-hidden": "true"
	}, isSent ? "↑" : "↓");
	const summary = element("summary", {}, element("time", {}, time), arrow, element("span", { class: "unseen" }, isSent ? "sent" : "received"), element("code", {}, frame.type), element("span", { class: "given" }, brief(shown)));
	return element("li", { class: isSent ? "sent" : "came" }, element("details", {}, summary, element("pre", {}, pretty(shown, LONGEST))));
}
function brief({ type: _, ...rest }) {
	const events = rest.events;
	const text = Array.isArray(events) ? events.map(({ offset, kind }) => `${offset} ${kind}`).join(", ") : JSON.stringify(rest).slice(1, -1);
	return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

//#endregion
//#region src/app.ts
const RELISTS = new Set([
	"user_said",
	"agent_completed",
	"agent_failed",
	"input_requested",
	"input_answered",
	"input_closed"
]);
const GONE = "This conversation is no longer kept: it was erased, or is older than what the server keeps.";
const ERASED = "This conversation was erased, in another tab or by the service.";
const NOT_GOING = 4502;
const memory = new Memory(() => sessionStorage, "greenroom.");
const tokens = new Tokens(new Memory(() => localStorage, "greenroom."), {
	confirm: confirmUser,
	complain: (words) => composer.complain(words)
});
const client = new Client({
	url: new URL("live", document.baseURI),
	getToken: ({ reason }) => tokens.get(reason),
	locks: tabLocks(),
	WebSocket: BreakableSocket
});
const conversation = new Conversation($("conversation"), {
	onShown: (events) => client.displayed(...events),
	answer: (ask, value) => client.answer(ask, value),
	again: (said) => sayAgain(said),
	delivery: new Delivery(client)
});
const composer = new Composer(memory, {
	onSend: send,
	onStop: stop,
	files: client
});
const threads = new Threads(client, () => showThreads());
const list = new ThreadList(threads, {
	onOpen: (thread) => void openThread(thread),
	onErased: (thread) => {
		if (thread === current()) leave(null);
	},
	say
});
const following = new Following(conversation);
let caughtUp = false;
let pages = 15;
let ahead = null;
let edition = 0;
let drawn = 0;
let stopping = null;
let begun = /* @__PURE__ */ new Set();
/** The thread on screen, which a new conversation has not. */
function current() {
	return memory.text("thread");
}
client.on("events", (events) => {
	if (ahead) ahead.push(...events);
	else draw(events);
	if (events.some(({ kind }) => RELISTS.has(kind))) relist();
});
client.on("state", ({ newState }) => {
	if (newState !== "closed") endSignIn();
	if (newState === "ready") becameReady();
});
async function becameReady() {
	welcome();
	memory.set("user", client.user ?? null);
	const asked = client.asks.at(-1);
	if (!caughtUp && !current() && asked) turnTo(asked.thread);
	relist();
	if (caughtUp) await lookWhetherKept();
	else await catchUp();
}
client.on("reset", ({ isOther }) => {
	if (!isOther) return outdate();
	const isSameUser = client.user === void 0 || memory.get("user") === client.user;
	const thread = isSameUser ? current() : null;
	switchTo(null);
	if (!isSameUser) composer.clear();
	threads.show({ archived: false });
	turnTo(thread);
	caughtUp = false;
});
client.on("erased", ({ thread }) => {
	if (threads.isErasing(thread)) return;
	threads.drop(thread);
	if (thread === current()) leave(ERASED);
});
client.on("error", ({ message }) => composer.complain(`The server refused something: ${message}`));
/** What is drawn, or being fetched, may no longer count: a journal was restored from a backup. */
function outdate() {
	edition += 1;
	caughtUp = false;
	if (ahead) ahead = [];
}
/** Fetch the thread's history, then what came meanwhile. Drawing twice is impossible: see `Conversation.add`. */
async function catchUp() {
	if (ahead) return;
	ahead = [];
	try {
		show(await latestOfNow());
	} catch (error) {
		if (client.state !== "closed") composer.complain(`The conversation so far could not be loaded: ${wordsOf(error)}`);
	} finally {
		const late = ahead ?? [];
		ahead = null;
		draw(late);
	}
}
function show({ events, more, of }) {
	if (drawn !== of) conversation.clear();
	if (drawn !== of) drawUnanswered();
	drawn = of;
	caughtUp = true;
	draw(events);
	conversation.drawNow();
	$("earlier").hidden = !more;
	if (current() && !events.length && !hasUnanswered()) leave(GONE);
}
/** The thread's latest events, all of one edition. */
async function latestOfNow() {
	for (;;) {
		const of = edition;
		const found = await latest(client, current(), pages);
		if (of === edition) return {
			...found,
			of
		};
	}
}
$("earlier").addEventListener("click", async () => {
	pages += 15;
	following.is = false;
	const below = document.documentElement.scrollHeight - scrollY;
	outdate();
	await catchUp();
	following.moveTo(document.documentElement.scrollHeight - below);
});
function draw(events) {
	for (const event of events) if (isOurs(event) && conversation.add(event)) announce(event);
	refresh();
}
/** Of this thread; a new thread is learnt from our own words in it, which may outrun the reply. */
function isOurs(event) {
	const isMine = event.kind === "user_said" && begun.has(event.data.say);
	if (!current() && isMine) turnTo(event.thread);
	return event.thread === current();
}
function refresh() {
	const { going } = conversation;
	if (stopping !== going) stopping = null;
	const busy = going !== null || hasUnanswered();
	composer.show({
		busy,
		canStop: going !== null,
		stopping: stopping !== null,
		isAsking: conversation.isAsking
	});
	const isLoading = current() !== null && !caughtUp && conversation.isEmpty;
	$("welcome").hidden = isLoading || !conversation.isEmpty;
	$("loading").hidden = !isLoading;
	$("new-thread").hidden = conversation.isEmpty && !isLoading;
	offerNext(busy ? [] : conversation.questions);
}
function send(text, table = null, files = []) {
	speak({
		body: table ? {
			text,
			table
		} : text,
		files: files.length ? files : void 0
	});
}
/** What failed, once more. */
function sayAgain(said) {
	if (conversation.going !== null || hasUnanswered()) return composer.complain(WORKING);
	speak(said);
	composer.focus();
}
function speak({ body, files }) {
	const id = randomId(), thread = current();
	const refusals = [];
	const end = client.on("refused", (each) => each.id === id && refusals.push(each.error.message));
	client.say(body, {
		id,
		thread: thread ?? void 0,
		files
	}).catch(() => {});
	end();
	const [refusal] = refusals;
	if (refusal) throw new RangeError(`${refusal.charAt(0).toUpperCase()}${refusal.slice(1)}.`);
	if (!thread) begun.add(id);
	conversation.addUnsent(id, {
		body,
		files
	});
	composer.complain(null);
	following.is = true;
	refresh();
	following.moveTo(following.newest);
}
client.on("said", ({ id, thread }) => {
	if (!current() && begun.has(id)) turnTo(thread);
	refresh();
});
client.on("refused", ({ id, error }) => {
	conversation.refuse(id, error.message);
	refresh();
});
function stop() {
	const run = conversation.going;
	if (run === null || stopping === run) return;
	stopping = run;
	refresh();
	client.cancel(run).catch((error) => {
		stopping = null;
		if (error.code !== NOT_GOING) composer.complain(`It could not be stopped: ${wordsOf(error)}`);
		refresh();
	});
}
$("new-thread").addEventListener("click", () => {
	if (conversation.going !== null && stopping === null && !isListed()) return composer.complain(WORKING);
	switchTo(null);
	composer.clear();
	composer.focus();
});
function isListed() {
	return client.features.includes("threads");
}
/** The conversation on screen has, or is to have, this thread. */
function turnTo(thread) {
	memory.set("thread", thread);
	showThreads();
}
/** Begin with an empty screen; `catchUp` draws the thread. */
function switchTo(thread) {
	turnTo(thread);
	begun = /* @__PURE__ */ new Set();
	outdate();
	[pages, caughtUp, following.is] = [
		15,
		thread === null,
		true
	];
	$("earlier").hidden = true;
	conversation.clear();
	composer.complain(null);
	refresh();
}
async function openThread(thread) {
	const title = threads.get(thread)?.title;
	list.close();
	if (thread !== current()) {
		switchTo(thread);
		drawUnanswered();
		await catchUp();
		if (thread === current() && title) say(`Opened: ${title}`);
	}
	if (!list.isDrawer) composer.focus();
}
/** The conversation on screen is no more. */
function leave(why) {
	switchTo(null);
	composer.complain(why);
}
/** It may have been erased while this tab was away. */
async function lookWhetherKept() {
	const thread = current();
	if (!thread || hasUnanswered()) return;
	if ((await client.history({
		thread,
		limit: 1
	}).catch(() => null))?.events.length === 0 && thread === current() && !hasUnanswered()) leave(GONE);
}
/** Ask for the list again; a hidden tab does so once it is looked at. */
function relist() {
	if (isListed() && !document.hidden) threads.refresh();
}
document.addEventListener("visibilitychange", relist);
addEventListener("focus", relist);
function showThreads() {
	const title = threads.get(current())?.title;
	document.title = title ? `${title} · greenroom` : "greenroom";
	list.show(current());
}
async function trySample(question) {
	send(question, await packTable("cloud-costs.csv", sampleTable()));
	composer.focus();
}
$("sample").addEventListener("click", () => void trySample("Total cost by service"));
for (const button of $("examples").querySelectorAll("button")) button.addEventListener("click", () => void trySample(button.textContent));
/** The button under the user's focus goes away. */
function ask(text) {
	send(text);
	composer.focus();
}
/** Buttons for the questions that the latest report offers. */
function offerNext(questions) {
	if ([...$("next").children].map(({ textContent }) => textContent).join("\n") === questions.join("\n")) return;
	$("next").hidden = questions.length === 0;
	const button = (text) => element("li", {}, element("button", {
		type: "button",
		class: "quiet",
		onclick: () => ask(text)
	}, text));
	$("next").replaceChildren(...questions.map(button));
}
/** What was said in the conversation on screen and not answered; in a new one, what was said without a thread. */
function unanswered() {
	const here = current();
	return client.unanswered.filter(({ id, thread }) => thread ? thread === here : begun.has(id));
}
function hasUnanswered() {
	return unanswered().length > 0;
}
function drawUnanswered() {
	for (const { id, ...said } of unanswered()) conversation.addUnsent(id, said);
}
/** What an earlier page of this tab said without a thread, or in one that it did not learn of in time, is said here. */
function takeUpUnanswered() {
	for (const { id, thread } of client.unanswered) if (thread) memory.set("thread", thread);
	else begun.add(id);
	drawUnanswered();
}
async function signIn() {
	const token = await askForToken(tokens.needed ?? { wasRefused: false });
	composer.focus();
	tokens.keep(token);
	client.connect();
}
/** Sample data is for the demo's agent; other agents say themselves what they can do. */
function welcome() {
	document.body.classList.toggle("is-demo", tokens.fromDemo);
	$("kill-server").hidden = !tokens.canKill;
	showUser(client, tokens.kept !== null && !tokens.fromDemo);
}
$("sign-out").addEventListener("click", () => {
	$("user-menu").hidePopover();
	tokens.signOut();
	switchTo(null);
	composer.clear();
	threads.show({ archived: false });
	client.connect();
});
/** The address may change without a reload: by a link to this very page. */
addEventListener("hashchange", async () => {
	if (tokens.takeLink() && await tokens.considerLink()) client.connect();
});
new Status(client, tokens, () => void signIn());
keepFocus(() => composer.focus());
new Wire(client);
new Plug(client, tokens);
takeUpUnanswered();
turnTo(current());
welcome();
refresh();
composer.focus();
tokens.takeLink();
tokens.considerLink().then(() => client.connect());

//#endregion