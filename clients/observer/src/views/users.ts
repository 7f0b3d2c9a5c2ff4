// Users: a list of them, and one.

import { ApiError, element, FreshParts, link, number, type Place, refreshing, time, type View } from "../kit.js";
import * as shown from "./account.js";
import { section, tableOf } from "./columns.js";
import { UserActions } from "./user_actions.js";

const SECONDS = 5;

interface Line {
  readonly user: string;
  readonly active: boolean;
  readonly connections: number;
  readonly runs: number;
  readonly behind: number;
  readonly banned_until: number | null;
}

interface Page {
  readonly users: readonly Line[];
  readonly more: boolean;
}

/** Pages, each after the last user of the one before. */
class UserList {
  private readonly begins = element("input", { id: "begins", type: "search", testid: "begins", autocomplete: "off", spellcheck: "false", oninput: () => this.search() });
  private readonly active = element("input", { type: "checkbox", testid: "active", onchange: () => this.search() });
  private readonly back = element("button", { type: "button", class: "quiet", testid: "back", onclick: () => this.turn(-1) }, "Back");
  private readonly next = element("button", { type: "button", class: "quiet", testid: "next", onclick: () => this.turn(1) }, "Next");
  private readonly parts: FreshParts;
  /** The last users of the pages before this one. */
  private readonly ends: string[] = [];
  private last = "";
  private asked = 0;

  constructor(private readonly place: Place) {
    const list = element("div", { testid: "users" });
    place.root.append(
      element("form", { class: "row", role: "search", "aria-label": "Users by their ids", onsubmit: (event: Event) => event.preventDefault() },
        element("label", { for: "begins" }, "The id begins with"), this.begins,
        element("label", { class: "check" }, this.active, "only those served now")),
      list, element("p", { class: "row" }, this.back, this.next));
    this.parts = new FreshParts(list);
  }

  async look(): Promise<void> {
    const asked = ++this.asked;
    const query = new URLSearchParams({ begins: this.begins.value.trim(), after: this.ends.at(-1) ?? "", active: this.active.checked ? "yes" : "" });
    const page = await this.place.api.get<Page>(`users?${query}`, this.place.signal);
    if (asked !== this.asked) return; // a later question is under way
    this.last = page.users.at(-1)?.user ?? "";
    this.back.disabled = this.ends.length === 0;
    this.next.disabled = !page.more;
    this.parts.put("list", page.users.length ? listOf(page.users) : element("p", { class: "soft", testid: "none" }, "No user's id begins so."));
  }

  private search(): void {
    this.ends.length = 0;
    this.lookNow();
  }

  private turn(by: 1 | -1): void {
    if (by > 0) this.ends.push(this.last);
    else this.ends.pop();
    this.lookNow();
  }

  private lookNow(): void {
    this.look().catch((error: unknown) => {
      if (!this.place.signal.aborted) this.parts.put("list", element("p", { class: "error", role: "alert" }, error instanceof ApiError ? error.message : String(error)));
    });
  }
}

const listOf = (lines: readonly Line[]): HTMLElement => tableOf<Line>("Users", [
  { title: "User", of: ({ user }) => link(user, "users", user) },
  { title: "Connections", is: "num", of: ({ connections }) => number(connections) },
  { title: "Live runs", is: "num", of: ({ runs }) => number(runs) },
  { title: "Events behind", is: "num", of: ({ behind }) => number(behind) },
  { title: "State", of: ({ active, banned_until }) => (banned_until === null ? (active ? "served" : "away") : element("span", { class: "error" }, "refused until ", time(banned_until))) },
], lines);

export const userList: View = {
  title: "Users",
  async show(place) {
    const list = new UserList(place);
    await refreshing(place, SECONDS, () => list.look());
  },
};

export const users: View = {
  title: "User",
  async show(place) {
    const page = new UserPage(place, place.parts[0] ?? "");
    await refreshing(place, SECONDS, () => page.look());
  },
};

class UserPage {
  private readonly head = element("div");
  private readonly body = element("div", { class: "view" });
  private readonly top = new FreshParts(this.head);
  private readonly parts = new FreshParts(this.body);
  private readonly actions: UserActions | null;
  private readonly texts = element("input", { type: "checkbox", testid: "texts", onchange: () => void this.look().catch(() => undefined) });
  private before: number | null = null;

  constructor(private readonly place: Place, private readonly user: string) {
    const mayAct = place.role === "act";
    this.actions = mayAct ? new UserActions(place, user, () => this.look()) : null;
    place.root.append(this.head);
    if (this.actions) place.root.append(element("details", { class: "card", testid: "actions" }, element("summary", {}, "Disconnect, export, erase"), this.actions.root));
    if (mayAct) place.root.append(element("label", { class: "check" }, this.texts, "Show the titles of threads"));
    place.root.append(this.body);
  }

  async look(): Promise<void> {
    const query = new URLSearchParams();
    if (this.before !== null) query.set("before", String(this.before));
    if (this.texts.checked) query.set("texts", "yes");
    const account = await this.place.api.get<shown.Account>(`users/${encodeURIComponent(this.user)}?${query}`, this.place.signal);
    this.actions?.show(account);
    this.top.put("headline", shown.headline(account));
    this.parts.put("connections", shown.connections(account));
    this.parts.put("open", shown.openRuns(account));
    this.parts.put("runs", this.runs(account));
    this.parts.put("letters", shown.letters(account));
    this.parts.put("crashes", shown.crashes(account));
    this.parts.put("threads", shown.threads(account));
    this.parts.put("sessions", shown.sessions(account));
    this.parts.put("past", shown.past(account));
  }

  private runs(account: shown.Account): HTMLElement {
    const turn = (before: number | null) => (): void => {
      this.before = before;
      void this.look().catch(() => undefined);
    };
    return section("Recent runs", shown.RUNS, account.runs, "There are none.", element("p", { class: "row" },
      element("button", { type: "button", class: "quiet", testid: "newest-runs", disabled: this.before === null, onclick: turn(null) }, "Newest"),
      element("button", { type: "button", class: "quiet", testid: "older-runs", disabled: account.older === null, onclick: turn(account.older) }, "Older")));
  }
}

