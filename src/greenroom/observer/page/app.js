import { $, ApiError, address, adminUrl, element, isObject, put } from "./kit.js";
import { crash, crashes } from "./crashes.js";
import { letters } from "./letters.js";
import { overview } from "./overview.js";
import { runs } from "./runs.js";
import { node, tree } from "./tree.js";
import { usage } from "./usage.js";
import { userList, users } from "./users.js";
import { why } from "./why.js";

//#region src/api.ts
var HttpApi = class {
	csrf = "";
	/** Called when the server no longer knows the session. */
	onSignedOut = () => void 0;
	/** The session of the cookie; null without one. */
	async session() {
		const answer = await ask("GET", "session");
		return answer.status === 401 ? null : this.enter(await read(answer));
	}
	async signIn(token) {
		return this.enter(await read(await ask("POST", "session", { Authorization: `Bearer ${token}` })));
	}
	async signOut() {
		await this.send("DELETE", "session");
	}
	async get(path, signal) {
		return this.answered(await ask("GET", path, {}, signal));
	}
	async text(path, signal) {
		const answer = await ask("GET", path, {}, signal);
		return answer.ok ? answer.text() : this.answered(answer);
	}
	async send(method, path, signal) {
		return this.answered(await ask(method, path, { "X-Greenroom-CSRF": this.csrf }, signal));
	}
	enter(session) {
		this.csrf = session.csrf;
		return session;
	}
	answered(answer) {
		if (answer.status === 401) this.onSignedOut();
		return read(answer);
	}
};
async function ask(method, path, headers = {}, signal) {
	try {
		return await fetch(adminUrl(path), {
			method,
			headers,
			credentials: "same-origin",
			cache: "no-store",
			signal: signal ?? null
		});
	} catch (error) {
		if (signal?.aborted) throw error;
		throw new ApiError(0, "The server does not answer.", "Is it running, and is the tunnel to it open?");
	}
}
/** The answer's JSON. A refusal is JSON with `error` and `advice`, or a sentence. */
async function read(answer) {
	const text = await answer.text();
	const said = parsed(text);
	if (answer.ok && isObject(said)) return said;
	if (isObject(said)) throw new ApiError(answer.status, String(said["error"] ?? answer.statusText), String(said["advice"] ?? ""), said);
	throw new ApiError(answer.status, text.slice(0, 500).trim() || `The server answered with status ${answer.status}.`);
}
function parsed(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

//#endregion
//#region src/views.ts
const VIEWS = {
	"": overview,
	tree,
	"tree/*": node,
	crashes,
	"crashes/*": crash,
	letters,
	usage,
	users: userList,
	"users/*": users,
	"runs/*": runs,
	"why/*": why
};
/** Those of the navigation, in order. */
const NAVIGATION = [
	"",
	"tree",
	"users",
	"crashes",
	"letters",
	"usage"
];

//#endregion
//#region src/router.ts
const LOST = {
	title: "Not here",
	show: ({ root }) => root.append(element("p", {}, "The observer has no such page."))
};
var Router = class {
	shown = new AbortController();
	constructor(api, role) {
		this.api = api;
		this.role = role;
		addEventListener("hashchange", () => {
			this.show();
			$("view-title").focus();
		});
		$("navigation").append(...NAVIGATION.map((name) => element("a", {
			href: address(name),
			"data-view": name
		}, VIEWS[name]?.title)));
	}
	/** Show what the address says. */
	async show() {
		this.leave();
		const { signal } = this.shown;
		const { name, parts, view } = chosen(location.hash);
		const root = element("div", {
			class: `view view-${name || "overview"}`,
			testid: "view"
		});
		$("view").replaceChildren(root);
		put($("view-title"), view.title);
		document.title = `${view.title} · observer`;
		for (const each of $("navigation").querySelectorAll("a")) each.toggleAttribute("aria-current", each.dataset["view"] === name);
		try {
			await view.show({
				root,
				parts,
				api: this.api,
				signal,
				role: this.role()
			});
			if (!signal.aborted) root.dataset["state"] = "shown";
		} catch (error) {
			if (!signal.aborted) root.append(complaint(error));
		}
	}
	/** End what the present view does. */
	leave() {
		this.shown.abort();
		this.shown = new AbortController();
		$("view").replaceChildren();
	}
};
function chosen(hash) {
	const [name = "", ...parts] = hash.replace(/^#?\/?/, "").split("/").map(decoded);
	const known = parts.length ? `${name}/*` : name;
	return {
		name,
		parts,
		view: Object.hasOwn(VIEWS, known) ? VIEWS[known] ?? LOST : LOST
	};
}
function decoded(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}
function complaint(error) {
	return element("div", {
		class: "error",
		role: "alert",
		testid: "problem"
	}, ...(error instanceof ApiError ? [error.message, error.advice] : [String(error)]).filter(Boolean).map((text) => element("p", {}, text)));
}

//#endregion
//#region src/search.ts
const CRASH = /^[a-z0-9]{8}$/;
const BY_PREFIX = {
	evt: "why",
	run: "runs"
};
/** The parts of the address; a sentence if there is no page. */
async function placeOf(text, api) {
	const kind = /^([a-z]+)_[0-9a-z]{26}$/.exec(text)?.[1] ?? "";
	const view = Object.hasOwn(BY_PREFIX, kind) ? BY_PREFIX[kind] : void 0;
	if (view) return [view, text];
	if (kind === "thread") return ["users", (await api.get(`threads/${text}`)).user];
	if (kind === "sess") return "This is the id of a session: it is on the page of its user. Search for the user, or for a run of theirs.";
	if (text.startsWith("greenroom/")) return ["tree", text];
	return CRASH.test(text) && await isCrash(text, api) ? ["crashes", text] : ["users", text];
}
async function isCrash(id, api) {
	try {
		await api.get(`crashes/${id}`);
		return true;
	} catch (error) {
		if (error instanceof ApiError && error.status === 404) return false;
		throw error;
	}
}
/** The search box; "/" leads to it from anywhere but a field. */
function openSearch(api) {
	const box = $("sought");
	const say = (words) => {
		put($("search-problem"), words);
		$("search-problem").hidden = !words;
	};
	const search = async () => {
		const text = box.value.trim();
		if (!text) return;
		try {
			const place = await placeOf(text, api);
			say(typeof place === "string" ? place : "");
			if (typeof place === "string") return;
			box.value = "";
			location.hash = address(...place);
		} catch (error) {
			say(error instanceof ApiError ? `${error.message}${error.advice && `: ${error.advice}`}` : String(error));
		}
	};
	$("search").addEventListener("submit", (event) => {
		event.preventDefault();
		search();
	});
	addEventListener("hashchange", () => say(""));
	addEventListener("keydown", (event) => {
		if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
		event.preventDefault();
		box.focus();
	});
}
const isField = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));

//#endregion
//#region src/app.ts
const ROLES = {
	look: "may look",
	act: "may act"
};
const api = new HttpApi();
let role = "look";
const router = new Router(api, () => role);
openSearch(api);
api.onSignedOut = () => askForToken("Your session has ended: sign in again.");
function askForToken(problem = "") {
	router.leave();
	document.body.dataset["state"] = "signed-out";
	put($("sign-in-problem"), problem);
	$("sign-in-page").hidden = false;
	$("frame").hidden = true;
	$("token").focus();
}
function enter(session) {
	role = session.role;
	document.body.dataset["role"] = role;
	document.body.dataset["state"] = "signed-in";
	put($("role"), ROLES[role]);
	$("sign-in-page").hidden = true;
	$("frame").hidden = false;
	router.show();
}
async function signIn(event) {
	event.preventDefault();
	const box = $("token"), token = box.value.trim();
	box.value = "";
	try {
		if (!/^[\x20-\x7e]+$/.test(token)) throw new ApiError(0, "This cannot be a token: it has characters that no header may have.");
		enter(await api.signIn(token));
	} catch (error) {
		askForToken(wordsOf(error));
	}
}
function wordsOf(error) {
	if (!(error instanceof ApiError)) return String(error);
	return error.status === 401 ? "The server does not know this token." : error.message;
}
async function signOut() {
	try {
		await api.signOut();
	} catch (error) {
		if (!(error instanceof ApiError && error.status === 401)) return askForToken(wordsOf(error));
	}
	askForToken();
}
$("sign-in").addEventListener("submit", (event) => void signIn(event));
$("sign-out").addEventListener("click", () => void signOut());
api.session().then((session) => session ? enter(session) : askForToken(), (error) => askForToken(wordsOf(error)));

//#endregion