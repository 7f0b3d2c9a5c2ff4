// The list of conversations: beside the page where there is room, in a drawer where there is not.

import type { ThreadInfo } from "greenroom";
import { $, put } from "./dom.js";
import { stateOf, ThreadRow } from "./thread_row.js";
import { type Threads, wordsOf } from "./threads.js";

const ROOM = "(min-width: 60rem)"; // as in style.css
const MENU = { width: 176, height: 140 }; // px
const ACTS = ["rename", "archive", "erase"] as const;

export interface ThreadListEvents {
  /** The user chose one. */
  onOpen(thread: string): void;
  onErased(thread: string): void;
  /** To users who cannot see the list. */
  say(words: string): void;
}

export class ThreadList {
  readonly #threads: Threads;
  readonly #on: ThreadListEvents;
  readonly #rows = new Map<string, ThreadRow>();
  readonly #wide = matchMedia(ROOM);
  #open: string | null = null;
  #chosen: ThreadRow | null = null;
  #menuTop: number | null = null;

  constructor(threads: Threads, on: ThreadListEvents) {
    [this.#threads, this.#on] = [threads, on];
    this.#listen();
    this.#listenToMenu();
    this.#place();
  }

  #listen(): void {
    $("open-threads").addEventListener("click", () => this.#drawer.showModal());
    $("close-threads").addEventListener("click", () => this.close());
    this.#drawer.addEventListener("click", ({ target }) => { if (target === this.#drawer) this.close(); });
    $("archived-threads").addEventListener("click", () => this.#showArchived(!this.#threads.archived));
    $("more-threads").addEventListener("click", () => void this.#try("More could not be shown", () => this.#threads.showMore()));
    this.#wide.addEventListener("change", () => this.#place());
  }

  #listenToMenu(): void {
    $("thread-menu").addEventListener("beforetoggle", (event) => { if ((event as ToggleEvent).newState === "open") this.#placeMenu(); });
    $("thread-menu").addEventListener("focusout", ({ relatedTarget }) => this.#leaveMenu(relatedTarget));
    $("thread-list").addEventListener("scroll", () => { if (this.#menuTop !== this.#chosen?.top) this.#closeMenu(); }, { passive: true });
    for (const act of ACTS) $(`${act}-thread`).addEventListener("click", () => this.#choose(act));
  }

  get #drawer(): HTMLDialogElement { return $<HTMLDialogElement>("drawer"); }
  close(): void { this.#drawer.close(); }
  get isDrawer(): boolean { return !this.#wide.matches; }

  /** open: the thread on screen, or null. A title that is being typed is not disturbed: what came meanwhile is shown after it. */
  show(open: string | null = this.#open): void {
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

  #rowOf(thread: ThreadInfo): ThreadRow {
    const row = this.#rows.get(thread.thread) ?? new ThreadRow(thread, {
      onOpen: () => this.#on.onOpen(thread.thread),
      onMenu: (chosen) => { this.#chosen = chosen; },
      onTitle: (title) => void this.#rename(thread.thread, title),
    });
    this.#rows.set(thread.thread, row);
    row.show(thread, { isOpen: thread.thread === this.#open });
    return row;
  }

  /** Rows move only where they must, and the one that has the focus keeps it: moving an element takes it away. */
  #order(rows: readonly ThreadRow[]): void {
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

  #place(): void {
    this.close();
    (this.isDrawer ? this.#drawer : $("side")).append($("threads"));
  }

  // ── what can be done with one ──

  #placeMenu(): void {
    if (!this.#chosen) return;
    const { right, top, bottom } = this.#chosen.menuButton.getBoundingClientRect();
    this.#menuTop = top;
    const below = bottom + MENU.height < innerHeight;
    Object.assign($("thread-menu").style, {
      left: `${Math.max(8, Math.min(right, innerWidth - 8) - MENU.width)}px`,
      top: below ? `${bottom + 4}px` : "auto",
      bottom: below ? "auto" : `${innerHeight - top + 4}px`,
    });
    $("archive-thread").textContent = this.#threads.archived ? "Bring back" : "Archive";
  }

  #closeMenu(): void { if ($("thread-menu").matches(":popover-open")) $("thread-menu").hidePopover(); }
  #leaveMenu(to: EventTarget | null): void { if (to && !$("thread-menu").contains(to as Node)) this.#closeMenu(); }

  #choose(act: (typeof ACTS)[number]): void {
    const row = this.#chosen;
    this.#closeMenu();
    if (!row) return;
    if (act === "rename") row.rename();
    else if (act === "archive") void this.#archive(row.thread);
    else void this.#erase(row.thread);
  }

  async #rename(thread: string, title: string | null): Promise<void> {
    if (title !== null) await this.#try("It could not be renamed", () => this.#threads.change(thread, { title }));
    this.show();
  }

  async #archive({ thread, title }: ThreadInfo): Promise<void> {
    const archived = !this.#threads.archived;
    const what = archived ? "It could not be archived" : "It could not be brought back";
    const isDone = await this.#try(what, () => this.#threads.change(thread, { archived }));
    if (isDone) this.#on.say(`${archived ? "Archived" : "Brought back"}: ${title ?? "the conversation"}`);
  }

  async #erase({ thread, title }: ThreadInfo): Promise<void> {
    if (!(await confirmErase(title)) || !(await this.#try("It could not be erased", () => this.#threads.erase(thread)))) return;
    this.#on.onErased(thread);
    this.#on.say(`Erased: ${title ?? "the conversation"}`);
  }

  #showArchived(archived: boolean): void {
    this.#threads.show({ archived });
    this.#threads.refresh();
  }

  /** Resolves to whether it was done; why not is said in the list. */
  async #try(what: string, act: () => Promise<void>): Promise<boolean> {
    this.#complain(null);
    try {
      await act();
      return true;
    } catch (error) {
      this.#complain(`${what}: ${wordsOf(error)}`);
      return false;
    }
  }

  #complain(text: string | null): void {
    put($("threads-problem"), text ?? "");
    $("threads-problem").hidden = !text;
  }
}

/** Resolves to whether the user means it. */
function confirmErase(title: string | null): Promise<boolean> {
  const dialog = $<HTMLDialogElement>("confirm-erase");
  dialog.querySelector("bdi")?.replaceChildren(title ?? "this conversation");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { dialog.onclose = () => resolve(dialog.returnValue === "erase"); });
}
