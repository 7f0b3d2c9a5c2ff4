import { ApiError, address, askTwice, element, link, nameOf, named, number, put, textBlock, time } from "./kit.js";

//#region src/views/letters.ts
const PAGE = 50;
const OUTCOMES = {
	dead_lettered: "not acknowledged",
	expired: "expired"
};
const letters = {
	title: "Dead letters",
	async show(place) {
		const desk = new Desk(place);
		place.root.append(desk.filter, desk.actions, desk.table, desk.nothing, desk.more);
		await desk.restart();
	}
};
var Desk = class {
	rows = [];
	after = null;
	user = element("input", {
		type: "text",
		name: "user",
		autocomplete: "off",
		spellcheck: "false",
		testid: "of-user"
	});
	outcome = element("select", {
		name: "outcome",
		testid: "of-outcome"
	}, element("option", { value: "" }, "any"), ...Object.entries(OUTCOMES).map(([value, text]) => element("option", { value }, text)));
	all = element("input", {
		type: "checkbox",
		"aria-label": "Choose all that are shown",
		testid: "choose-all",
		onchange: () => {
			for (const each of this.rows) each.box.checked = this.all.checked && !each.done;
			this.tell();
		}
	});
	body = element("tbody", { testid: "letters" });
	status = element("p", {
		class: "soft",
		role: "status",
		testid: "chosen"
	});
	buttons;
	filter = element("form", {
		class: "row filter",
		testid: "filter",
		onsubmit: (event) => {
			event.preventDefault();
			this.guarded(() => this.restart());
		}
	}, element("label", {}, "User ", this.user), element("label", {}, "Outcome ", this.outcome), element("button", {
		type: "submit",
		class: "quiet"
	}, "Show"));
	actions;
	table;
	nothing = element("p", {
		class: "soft",
		hidden: true,
		testid: "no-letters"
	}, "There are no dead letters.");
	more = element("button", {
		type: "button",
		class: "quiet",
		hidden: true,
		testid: "more",
		onclick: () => void this.guarded(() => this.next())
	}, "Show more");
	constructor(place) {
		this.place = place;
		const may = place.role === "act";
		this.buttons = [element("button", {
			type: "button",
			class: "quiet",
			disabled: true,
			testid: "requeue",
			onclick: () => void this.requeue()
		}, "Requeue"), element("button", {
			type: "button",
			class: "danger",
			disabled: true,
			testid: "drop",
			onclick: () => void this.drop()
		}, "Drop")];
		this.actions = element("div", {
			class: "row",
			hidden: !may
		}, ...this.buttons, this.status);
		const names = [
			"Event",
			"User",
			"Kind",
			"Outcome",
			"Given up",
			"Attempts",
			""
		];
		this.table = element("div", {
			class: "scroll",
			tabindex: 0,
			role: "region",
			"aria-label": "Dead letters"
		}, element("table", {}, element("thead", {}, element("tr", {}, may ? element("td", {}, this.all) : null, ...names.map((name) => name ? element("th", { scope: "col" }, name) : element("td")))), this.body));
	}
	async restart() {
		this.rows = [];
		this.after = null;
		this.all.checked = false;
		this.body.replaceChildren();
		await this.next();
	}
	async next() {
		const { user, outcome } = this, asked = new URLSearchParams({ limit: String(PAGE) });
		if (user.value.trim()) asked.set("user", user.value.trim());
		if (outcome.value) asked.set("outcome", outcome.value);
		if (this.after) asked.set("after", this.after);
		const page = await this.place.api.get(`dead-letters?${asked}`, this.place.signal);
		for (const letter of page.letters) this.add(letter);
		this.after = page.after;
		this.more.hidden = page.after === null;
		this.nothing.hidden = this.rows.length > 0 || page.after !== null;
		this.table.hidden = this.rows.length === 0;
		this.tell();
	}
	add(letter) {
		const box = element("input", {
			type: "checkbox",
			"aria-label": `Choose ${letter.event}`,
			testid: "choose",
			onchange: () => this.tell()
		});
		const said = element("td", {
			class: "said",
			testid: "said"
		}, this.place.role === "act" ? this.shower(letter) : null);
		const row = element("tr", {
			testid: "letter",
			"data-event": letter.event
		}, this.place.role === "act" ? element("td", {}, box) : null, element("td", {}, link(letter.event, "why", letter.event)), element("td", {}, link(letter.user, "users", letter.user)), element("td", {}, nameOf(letter.kind)), element("td", {}, OUTCOMES[letter.outcome] ?? named(letter.outcome)), element("td", {}, time(letter.at)), element("td", { class: "num" }, number(letter.attempts.length)), said);
		this.rows.push({
			letter,
			row,
			box,
			said,
			done: false
		});
		this.body.append(row);
	}
	shower({ event }) {
		const show = element("button", {
			type: "button",
			class: "quiet",
			testid: "show",
			"aria-label": `Show ${event}`,
			onclick: () => void this.guarded(async () => {
				const { letter } = await this.place.api.get(`dead-letters/${event}`, this.place.signal);
				const record = letter["record"];
				show.replaceWith(textBlock(record === null ? "The event itself was trimmed." : JSON.stringify(record, null, 1)));
			})
		}, "Show");
		return show;
	}
	get chosen() {
		return this.rows.filter(({ box, done }) => box.checked && !done);
	}
	tell() {
		const count = this.chosen.length;
		for (const button of this.buttons) button.disabled = count === 0;
		put(this.status, count ? `${number(count)} of ${number(this.rows.length)} chosen` : "");
	}
	async requeue() {
		await this.settle((api, event) => api.send("POST", `dead-letters/${event}`, this.place.signal), (answer) => ["requeued as ", element("a", { href: address("why", String(answer["event"])) }, nameOf(String(answer["event"])))]);
	}
	async drop() {
		const { length } = this.chosen;
		const text = `${length === 1 ? "This letter is" : `These ${number(length)} letters are`} forgotten for good. The events stay in their threads, and no client is sent them again.`;
		if (await askTwice({
			title: length === 1 ? "Drop a dead letter?" : `Drop ${number(length)} dead letters?`,
			text,
			act: "Drop"
		})) await this.settle((api, event) => api.send("DELETE", `dead-letters/${event}`, this.place.signal), () => ["dropped"]);
	}
	/** Settle what is chosen, one after the other, and say of each what became of it. */
	async settle(ask, words) {
		for (const each of this.chosen) {
			for (const button of this.buttons) button.disabled = true;
			try {
				each.said.replaceChildren(...words(await ask(this.place.api, each.letter.event)));
				each.done = true;
				each.box.disabled = true;
				each.row.classList.add("done");
			} catch (error) {
				if (this.place.signal.aborted) return;
				each.said.replaceChildren(element("span", { class: "error" }, error instanceof ApiError ? `${error.message}. ${error.advice}` : String(error)));
			}
			each.box.checked = false;
		}
		this.all.checked = false;
		this.tell();
	}
	async guarded(act) {
		try {
			await act();
		} catch (error) {
			if (!this.place.signal.aborted) put(this.status, error instanceof ApiError ? `${error.message} ${error.advice}` : String(error));
			this.actions.hidden = false;
		}
	}
};

//#endregion
export { letters };