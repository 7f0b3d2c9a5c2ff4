// The list of conversations: beside the page where there is room, in a drawer where there is not.

import { stateOf, ThreadRow } from "./thread_row.js";

const ROOM = "(min-width: 60rem)"; // as in style.css
const MENU = { width: 176, height: 140 }; // px

const $ = (id) => document.getElementById(id);

export class ThreadList {
  #threads; #onOpen; #onErased; #say; #rows = new Map(); #open = null; #chosen = null; #menuTop = null; #wide = matchMedia(ROOM);

  /** threads: see threads.js; onOpen: (thread), when the user chose one; onErased: (thread); say: (words), to who cannot see the list. */
  constructor({ threads, onOpen, onErased, say }) {
    [this.#threads, this.#onOpen, this.#onErased, this.#say] = [threads, onOpen, onErased, say];
    $("open-threads").addEventListener("click", () => $("drawer").showModal());
    $("close-threads").addEventListener("click", () => $("drawer").close());
    $("drawer").addEventListener("click", ({ target }) => { if (target === $("drawer")) target.close(); });
    $("archived-threads").addEventListener("click", () => this.#showArchived(!threads.archived));
    $("more-threads").addEventListener("click", () => this.#try("More could not be shown", () => threads.showMore()));
    $("thread-menu").addEventListener("beforetoggle", ({ newState }) => { if (newState === "open") this.#placeMenu(); });
    $("thread-menu").addEventListener("focusout", ({ relatedTarget }) => this.#leaveMenu(relatedTarget));
    $("thread-list").addEventListener("scroll", () => { if (this.#menuTop !== this.#chosen?.top) this.#closeMenu(); }, { passive: true });
    for (const [id, act] of [["rename-thread", "rename"], ["archive-thread", "archive"], ["erase-thread", "erase"]])
      $(id).addEventListener("click", () => this.#choose(act));
    this.#wide.addEventListener("change", () => this.#place());
    this.#place();
  }

  close() { $("drawer").close(); }
  get isDrawer() { return !this.#wide.matches; }

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
    const known = this.#rows.get(thread.thread);
    const row = known ?? new ThreadRow({
      onOpen: () => this.#onOpen(thread.thread),
      onMenu: (chosen) => { this.#chosen = chosen; },
      onTitle: (title) => this.#rename(thread.thread, title),
    });
    this.#rows.set(thread.thread, row);
    row.show(thread, { isOpen: thread.thread === this.#open });
    return row;
  }

  /** Rows move only where they must, and who had the focus keeps it: moving an element takes it away. */
  #order(rows) {
    const list = $("thread-list"), held = list.contains(document.activeElement) ? document.activeElement : null;
    const at = held ? [...list.children].findIndex((row) => row.contains(held)) : -1;
    rows.forEach(({ item }, index) => {
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    while (list.children.length > rows.length) list.lastElementChild.remove();
    const kept = new Set(rows);
    for (const [thread, row] of this.#rows) if (!kept.has(row)) this.#rows.delete(thread);
    if (!held || document.activeElement === held) return;
    const neighbour = rows[Math.min(at, rows.length - 1)]?.button ?? $("archived-threads");
    (held.isConnected ? held : neighbour).focus({ preventScroll: held.isConnected });
  }

  #place() {
    $("drawer").close();
    (this.isDrawer ? $("drawer") : $("side")).append($("threads"));
  }

  // ── what can be done with one ──

  #placeMenu() {
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

  #closeMenu() { if ($("thread-menu").matches(":popover-open")) $("thread-menu").hidePopover(); }
  #leaveMenu(to) { if (to && !$("thread-menu").contains(to)) this.#closeMenu(); }

  #choose(act) {
    const row = this.#chosen;
    this.#closeMenu();
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
    if (await this.#try(what, () => this.#threads.change(thread, { archived }))) this.#say(`${archived ? "Archived" : "Brought back"}: ${title ?? "the conversation"}`);
  }

  async #erase({ thread, title }) {
    if (!(await confirmErase(title)) || !(await this.#try("It could not be erased", () => this.#threads.erase(thread)))) return;
    this.#onErased(thread);
    this.#say(`Erased: ${title ?? "the conversation"}`);
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
      this.#complain(`${what}: ${error.message}`);
      return false;
    }
  }

  #complain(text) {
    if ($("threads-problem").textContent !== (text ?? "")) $("threads-problem").textContent = text ?? "";
    $("threads-problem").hidden = !text;
  }
}

/** Resolves to whether the user means it. */
function confirmErase(title) {
  const dialog = $("confirm-erase");
  dialog.querySelector("bdi").replaceChildren(title ?? "this conversation");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { dialog.onclose = () => resolve(dialog.returnValue === "erase"); });
}
