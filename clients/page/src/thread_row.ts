// A conversation in the list: its title, its last words and when they were.

import type { ThreadInfo } from "greenroom";
import { element, icon, ICONS, put } from "./dom.js";

const UNTITLED = "Untitled conversation", LONGEST_TITLE = 200; // characters: the server's limit
const DAY = 24 * 60 * 60 * 1_000; // ms
const ENDS: Readonly<Record<string, string>> = { agent_completed: "Finished", agent_failed: "Failed" };

type Last = ThreadInfo["last"];

export const stateOf = ({ kind }: Last): "working" | "waiting" | "idle" =>
  kind in ENDS ? "idle" : kind === "input_requested" ? "waiting" : "working";

function lastWords({ kind, text }: Last): string {
  if (kind === "input_requested") return `Asks: ${text ?? "a question"}`;
  return kind in ENDS ? text ?? ENDS[kind] ?? "" : "Working…";
}

/** The time today, the day in this week, the date before. */
function when(at: number): string {
  const then = new Date(at), now = new Date();
  if (then.toDateString() === now.toDateString()) return then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (now.getTime() - at < 6 * DAY) return then.toLocaleDateString([], { weekday: "short" });
  const year = then.getFullYear() === now.getFullYear() ? {} : ({ year: "numeric" } as const);
  return then.toLocaleDateString([], { day: "numeric", month: "short", ...year });
}

export interface ThreadRowEvents {
  onOpen(): void;
  /** Its menu is about to open. */
  onMenu(row: ThreadRow): void;
  /** After `rename`; null: unchanged. */
  onTitle(title: string | null): void;
}

export class ThreadRow {
  readonly #title = element("span", { class: "title" });
  readonly #last = element("span", { class: "last" });
  readonly #time = element("time");
  readonly #on: ThreadRowEvents;
  readonly button: HTMLButtonElement;
  readonly menuButton: HTMLButtonElement;
  readonly item: HTMLLIElement;
  #input = element("input");
  thread: ThreadInfo;
  isRenaming = false;

  constructor(thread: ThreadInfo, on: ThreadRowEvents) {
    [this.thread, this.#on] = [thread, on];
    this.button = element("button", { type: "button", class: "open", testid: "thread", onclick: () => on.onOpen() }, this.#title, this.#last, this.#time);
    this.menuButton = element("button", { type: "button", class: "menu", testid: "thread-menu", popovertarget: "thread-menu", onclick: () => on.onMenu(this) }, icon(ICONS.menu));
    this.item = element("li", {}, this.button, this.menuButton);
  }

  show(thread: ThreadInfo, { isOpen }: { isOpen: boolean }): void {
    const title = thread.title ?? UNTITLED, { last, updated } = thread;
    this.thread = thread;
    this.item.dataset["thread"] = thread.thread;
    this.item.dataset["state"] = stateOf(last);
    put(this.#title, title);
    this.#title.title = title; // which may be cut off
    put(this.#last, lastWords(last));
    put(this.#time, when(updated));
    this.#time.dateTime = new Date(updated).toISOString();
    this.menuButton.setAttribute("aria-label", `Rename, archive or erase: ${title}`);
    if (isOpen) this.button.setAttribute("aria-current", "true");
    else this.button.removeAttribute("aria-current");
  }

  /** Where its menu's button is, in px from the window's top. */
  get top(): number { return this.menuButton.getBoundingClientRect().top; }

  /** A box in the title's place: Enter and leaving it keep what was typed, Escape does not. */
  rename(): void {
    this.isRenaming = true;
    this.#input = element("input", { class: "rename", testid: "rename", maxlength: LONGEST_TITLE, "aria-label": "Title", value: this.thread.title ?? "",
      onkeydown: (event: KeyboardEvent) => this.#typed(event), onblur: () => this.#endRename({ keep: true }) });
    this.item.classList.add("renaming");
    this.item.prepend(this.#input);
    this.#input.select();
    this.#input.focus();
  }

  #typed(event: KeyboardEvent): void {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    this.#endRename({ keep: event.key === "Enter" });
    this.button.focus();
  }

  #endRename({ keep }: { keep: boolean }): void {
    if (!this.isRenaming) return; // removing a box that has the focus is leaving it
    this.isRenaming = false;
    const title = this.#input.value.trim();
    this.#input.remove();
    this.item.classList.remove("renaming");
    const isNew = keep && title !== "" && title !== (this.thread.title ?? "");
    if (isNew) put(this.#title, title);
    this.#on.onTitle(isNew ? title : null);
  }
}
