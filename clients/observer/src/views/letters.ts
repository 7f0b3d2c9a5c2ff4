// Dead letters: a page at a time, chosen by user and outcome, settled one by one or together.

import { address, type Api, ApiError, askTwice, element, type Fields, link, named, nameOf, number, type Place, put, textBlock, time, type View } from "../kit.js";

interface Letter {
  readonly event: string; readonly user: string; readonly offset: number; readonly kind: string; readonly outcome: string; readonly at: number; readonly attempts: readonly unknown[];
}
interface Page { readonly letters: readonly Letter[]; readonly after: string | null }
interface Row { readonly letter: Letter; readonly row: HTMLElement; readonly box: HTMLInputElement; readonly said: HTMLElement; done: boolean }

const PAGE = 50;
const OUTCOMES: Readonly<Record<string, string>> = { dead_lettered: "not acknowledged", expired: "expired" };

export const letters: View = {
  title: "Dead letters",
  async show(place) {
    const desk = new Desk(place);
    place.root.append(desk.filter, desk.actions, desk.table, desk.nothing, desk.more);
    await desk.restart();
  },
};

class Desk {
  private rows: Row[] = [];
  private after: string | null = null;
  private readonly user = element("input", { type: "text", name: "user", autocomplete: "off", spellcheck: "false", testid: "of-user" });
  private readonly outcome = element("select", { name: "outcome", testid: "of-outcome" }, element("option", { value: "" }, "any"),
    ...Object.entries(OUTCOMES).map(([value, text]) => element("option", { value }, text)));
  private readonly all = element("input", { type: "checkbox", "aria-label": "Choose all that are shown", testid: "choose-all", onchange: () => {
    for (const each of this.rows) each.box.checked = this.all.checked && !each.done;
    this.tell();
  } });
  private readonly body = element("tbody", { testid: "letters" });
  private readonly status = element("p", { class: "soft", role: "status", testid: "chosen" });
  private readonly buttons: readonly HTMLButtonElement[];
  readonly filter = element("form", { class: "row filter", testid: "filter", onsubmit: (event: Event) => {
    event.preventDefault();
    void this.guarded(() => this.restart());
  } }, element("label", {}, "User ", this.user), element("label", {}, "Outcome ", this.outcome), element("button", { type: "submit", class: "quiet" }, "Show"));
  readonly actions: HTMLElement;
  readonly table: HTMLElement;
  readonly nothing = element("p", { class: "soft", hidden: true, testid: "no-letters" }, "There are no dead letters.");
  readonly more = element("button", { type: "button", class: "quiet", hidden: true, testid: "more", onclick: () => void this.guarded(() => this.next()) }, "Show more");

  constructor(private readonly place: Place) {
    const may = place.role === "act";
    this.buttons = [
      element("button", { type: "button", class: "quiet", disabled: true, testid: "requeue", onclick: () => void this.requeue() }, "Requeue"),
      element("button", { type: "button", class: "danger", disabled: true, testid: "drop", onclick: () => void this.drop() }, "Drop"),
    ];
    this.actions = element("div", { class: "row", hidden: !may }, ...this.buttons, this.status);
    const names = ["Event", "User", "Kind", "Outcome", "Given up", "Attempts", ""];
    this.table = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Dead letters" }, element("table", {},
      element("thead", {}, element("tr", {}, may ? element("td", {}, this.all) : null, ...names.map((name) => (name ? element("th", { scope: "col" }, name) : element("td"))))), this.body));
  }

  async restart(): Promise<void> {
    this.rows = [];
    this.after = null;
    this.all.checked = false;
    this.body.replaceChildren();
    await this.next();
  }

  async next(): Promise<void> {
    const { user, outcome } = this, asked = new URLSearchParams({ limit: String(PAGE) });
    if (user.value.trim()) asked.set("user", user.value.trim());
    if (outcome.value) asked.set("outcome", outcome.value);
    if (this.after) asked.set("after", this.after);
    const page = await this.place.api.get<Page & Fields>(`dead-letters?${asked}`, this.place.signal);
    for (const letter of page.letters) this.add(letter);
    this.after = page.after;
    this.more.hidden = page.after === null;
    this.nothing.hidden = this.rows.length > 0 || page.after !== null;
    this.table.hidden = this.rows.length === 0;
    this.tell();
  }

  private add(letter: Letter): void {
    const box = element("input", { type: "checkbox", "aria-label": `Choose ${letter.event}`, testid: "choose", onchange: () => this.tell() });
    const said = element("td", { class: "said", testid: "said" }, this.place.role === "act" ? this.shower(letter) : null);
    const row = element("tr", { testid: "letter", "data-event": letter.event }, this.place.role === "act" ? element("td", {}, box) : null,
      element("td", {}, link(letter.event, "why", letter.event)), element("td", {}, link(letter.user, "users", letter.user)), element("td", {}, nameOf(letter.kind)),
      element("td", {}, OUTCOMES[letter.outcome] ?? named(letter.outcome)), element("td", {}, time(letter.at)), element("td", { class: "num" }, number(letter.attempts.length)), said);
    this.rows.push({ letter, row, box, said, done: false });
    this.body.append(row);
  }

  private shower({ event }: Letter): HTMLElement {
    const show = element("button", { type: "button", class: "quiet", testid: "show", "aria-label": `Show ${event}`, onclick: () => void this.guarded(async () => {
      const { letter } = await this.place.api.get<{ readonly letter: Fields }>(`dead-letters/${event}`, this.place.signal);
      const record = letter["record"];
      show.replaceWith(textBlock(record === null ? "The event itself was trimmed." : JSON.stringify(record, null, 1)));
    }) }, "Show");
    return show;
  }

  private get chosen(): readonly Row[] {
    return this.rows.filter(({ box, done }) => box.checked && !done);
  }

  private tell(): void {
    const count = this.chosen.length;
    for (const button of this.buttons) button.disabled = count === 0;
    put(this.status, count ? `${number(count)} of ${number(this.rows.length)} chosen` : "");
  }

  private async requeue(): Promise<void> {
    await this.settle((api, event) => api.send("POST", `dead-letters/${event}`, this.place.signal), (answer) => ["requeued as ", element("a", { href: address("why", String(answer["event"])) }, nameOf(String(answer["event"])))]);
  }

  private async drop(): Promise<void> {
    const { length } = this.chosen;
    const text = `${length === 1 ? "This letter is" : `These ${number(length)} letters are`} forgotten for good. The events stay in their threads, and no client is sent them again.`;
    if (await askTwice({ title: length === 1 ? "Drop a dead letter?" : `Drop ${number(length)} dead letters?`, text, act: "Drop" }))
      await this.settle((api, event) => api.send("DELETE", `dead-letters/${event}`, this.place.signal), () => ["dropped"]);
  }

  /** Settle what is chosen, one after the other, and say of each what became of it. */
  private async settle(ask: (api: Api, event: string) => Promise<Fields>, words: (answer: Fields) => readonly (Node | string)[]): Promise<void> {
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

  private async guarded(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!this.place.signal.aborted) put(this.status, error instanceof ApiError ? `${error.message} ${error.advice}` : String(error));
      this.actions.hidden = false;
    }
  }
}
