// The box to ask in: question, attached table and files, keys, paste and drop.

import type { SentFile } from "greenroom";
import { Attachments, FILES, type FileStore } from "./attachments.js";
import { $, element, icon, ICONS } from "./dom.js";
import type { Memory } from "./memory.js";
import { type Found, findTable, isCode } from "./paste.js";
import { packTable, readFile, shapeText, type Table, TableRefused } from "./table.js";

const TALLEST = 200; // px, then the question scrolls
const TAKES_TABLES = (document.body.dataset["takes"] ?? "").split(" ").includes("table"); // the agent says so
const TABLES = /\.(csv|tsv)$/i;
const CLOSED_BY_ESCAPE = "dialog[open], :popover-open"; // a run goes on
const LEFT_BY_ESCAPE = "dialog, [popover], .rename";
export const WORKING = "The agent is still working: wait, or stop it first.";
export const ASKING = "The agent waits for your answer: give it above, or stop the agent first.";
const HINDRANCES: readonly string[] = [WORKING, ASKING];

export interface ComposerEvents {
  /** Raises RangeError when it is larger than the server takes. */
  onSend(text: string, table: Table | null, files: readonly SentFile[]): void;
  onStop(): void;
  files: FileStore;
}

export interface Doing {
  readonly busy: boolean;
  readonly canStop: boolean;
  readonly stopping: boolean;
  readonly isAsking: boolean;
}

/** A table that is being read. */
interface Reading {
  readonly name: string;
  thenSend: boolean;
}

export class Composer {
  readonly #on: ComposerEvents;
  readonly #memory: Memory;
  readonly #question = $<HTMLTextAreaElement>("question");
  readonly #files: Attachments;
  #table: Table | null = null;
  #sendsOnceUp = false; // the files are on their way
  #reading: Reading | null = null;
  #busy = false;
  #canStop = false;
  #hindrance = WORKING;
  #depth = 0; // of what a file is dragged over

  /** memory: what is not sent yet is kept there over a reload. */
  constructor(memory: Memory, on: ComposerEvents) {
    [this.#memory, this.#on] = [memory, on];
    this.#files = new Attachments(on.files, memory, () => this.#filesChanged());
    this.#offerFiles();
    this.#listen();
    this.#acceptDrops();
    this.#question.value = memory.text("draft") ?? "";
    if (TAKES_TABLES) this.#question.placeholder = "Ask a question, or paste a table";
    this.#setTable(TAKES_TABLES ? (memory.get("table") as Table | null) : null);
    this.#fit();
    this.complain(this.#files.dropUnfinished());
  }

  #offerFiles(): void {
    if (!FILES) return;
    const input = $<HTMLInputElement>("file");
    if (!TAKES_TABLES || !FILES.types.length) input.accept = FILES.types.join();
    else input.accept += `,${FILES.types.join()}`;
    input.multiple = FILES.most > 1;
    $("attach").textContent = FILES.most > 1 ? "Attach files" : "Attach a file";
    $("drop-words").textContent = "Drop files here";
  }

  #filesChanged(): void {
    this.#drawChips();
    if (!this.#sendsOnceUp || this.#files.isSending) return;
    this.#sendsOnceUp = false;
    this.#send();
  }

  #listen(): void {
    $("composer").addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
    this.#question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.#question.addEventListener("input", () => this.#edited());
    this.#question.addEventListener("paste", (event) => this.#paste(event));
    addEventListener("keydown", (event) => { if (this.#isToStop(event)) this.#on.onStop(); });
    $("stop").addEventListener("click", () => this.#on.onStop());
    $("attach").addEventListener("click", () => $("file").click());
    $<HTMLInputElement>("file").addEventListener("change", ({ currentTarget }) => {
      const input = currentTarget as HTMLInputElement;
      this.#attachFiles(input.files ?? []);
      input.value = "";
    });
  }

  #isToStop({ key, defaultPrevented, target }: KeyboardEvent): boolean {
    return key === "Escape" && this.#canStop && !defaultPrevented && !document.querySelector(CLOSED_BY_ESCAPE) &&
      !(target instanceof Element && target.closest(LEFT_BY_ESCAPE));
  }

  show({ busy, canStop, stopping, isAsking }: Doing): void {
    [this.#busy, this.#canStop, this.#hindrance] = [busy, canStop && !stopping, isAsking ? ASKING : WORKING];
    const stop = $<HTMLButtonElement>("stop"), send = $<HTMLButtonElement>("send");
    const held = document.activeElement === stop && !canStop;
    stop.hidden = !canStop;
    stop.disabled = stopping;
    if (stop.firstChild) stop.firstChild.nodeValue = stopping ? "Stopping… " : "Stop ";
    send.hidden = canStop;
    send.disabled = busy;
    if (HINDRANCES.includes($("problem").textContent)) this.complain(busy ? this.#hindrance : null);
    if (held) this.focus(); // the button under the user's focus went away
  }

  focus(): void { this.#question.focus({ preventScroll: true }); }

  clear(): void {
    this.#files.discard();
    this.#empty();
  }

  #empty(): void {
    this.#question.value = "";
    this.#reading = null;
    this.#sendsOnceUp = false;
    this.#files.clear();
    this.#setTable(null);
    this.complain(null);
    this.#edited();
  }

  complain(text: string | null): void {
    $("problem").textContent = text ?? "";
    $("problem").hidden = !text;
  }

  #send(): void {
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

  #edited(): void {
    this.#memory.set("draft", this.#question.value || null);
    $("offer").hidden = true;
    this.#fit();
  }

  #fit(): void {
    this.#question.style.height = "auto";
    this.#question.style.height = `${Math.min(this.#question.scrollHeight, TALLEST)}px`;
  }

  // ── tables ──

  #paste(event: ClipboardEvent): void {
    if (!event.clipboardData) return;
    const { files } = event.clipboardData;
    const text = event.clipboardData.getData("text/plain");
    const found = TAKES_TABLES ? findTable(text) : null;
    if (!text && files.length) this.#attachFiles(files);
    else if (!TAKES_TABLES) return;
    else if (found) this.#attachPasted(found);
    else return void setTimeout(() => this.#offer(text)); // once it stands in the box
    event.preventDefault();
  }

  #attachPasted({ words, table }: Found): void {
    if (words) this.#question.setRangeText(words, this.#question.selectionStart, this.#question.selectionEnd, "end");
    this.#edited();
    void this.#attach("pasted table", async () => table);
  }

  /** Several lines that may be a table or not: the user decides. */
  #offer(text: string): void {
    const question = this.#question, pasted = text.replace(/\r\n?/g, "\n");
    $("offer").hidden = pasted.trim().split("\n").length < 3 || isCode(pasted) || !question.value.includes(pasted);
    $("use-as-table").onclick = () => {
      question.value = question.value.replace(pasted, () => "").trim();
      this.#attachPasted({ words: "", table: pasted });
    };
  }

  /** A table is for an agent that takes tables, any other file for one that takes files. */
  #attachFiles(files: Iterable<File>): void {
    if (!TAKES_TABLES && !FILES) return this.complain("This agent takes no files: ask in words.");
    this.complain(null);
    const isTable = ({ name }: File) => TAKES_TABLES && (!FILES || TABLES.test(name));
    this.#attachTables([...files].filter(isTable));
    this.#files.add([...files].filter((file) => !isTable(file)), (words) => this.#complainMore(words));
    this.focus();
  }

  #complainMore(words: string): void {
    this.#sendsOnceUp = false;
    this.complain([$("problem").textContent, words].filter(Boolean).join(" "));
  }

  #attachTables([file, ...others]: readonly File[]): void {
    if (file) void this.#attach(file.name, () => readFile(file));
    if (file && others.length) this.complain(`Only one table goes with a question: ${file.name} was taken, ${others.map(({ name }) => name).join(", ")} not.`);
  }

  /** What is sent meanwhile waits for it; what is attached meanwhile takes its place. */
  async #attach(name: string, read: () => Promise<string>): Promise<void> {
    const reading: Reading = (this.#reading = { name, thenSend: false });
    this.complain(null);
    this.#setTable(null);
    let table: Table | null = null;
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

  #setTable(table: Table | null): void {
    this.#table = table;
    this.#memory.set("table", table);
    this.#drawChips();
  }

  #drawChips(): void {
    const name = this.#reading?.name ?? this.#table?.name;
    const chips = [...(name === undefined ? [] : [this.#chip(name, this.#table)]), ...this.#files.chips(() => this.focus())];
    const held = $("chips").contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    $("chips").hidden = chips.length === 0;
    $("chips").replaceChildren(...chips);
    if (held) $("chips").querySelector<HTMLElement>(`[aria-label="${CSS.escape(held)}"]`)?.focus(); // a chip that only went on
  }

  #chip(name: string, table: Table | null): HTMLElement {
    const remove = () => { this.#reading = null; this.#setTable(null); this.focus(); };
    return element("span", { class: "chip", testid: table ? "chip" : "reading" }, icon(ICONS.table),
      element("span", { class: "chip-name" }, name),
      element("span", { class: "shape" }, table ? shapeText(table) : "Reading…"),
      element("button", { type: "button", "aria-label": `Remove ${name}`, onclick: remove }, icon(ICONS.failed)));
  }

  #acceptDrops(): void {
    const show = (depth: number) => { $("drop").hidden = (this.#depth = Math.max(0, depth)) === 0; };
    addEventListener("dragenter", (event) => { if (holdsFiles(event) && (TAKES_TABLES || FILES)) show(this.#depth + 1); });
    addEventListener("dragleave", (event) => { if (holdsFiles(event)) show(this.#depth - 1); });
    addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
    addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      show(0);
      this.#attachFiles(event.dataTransfer?.files ?? []);
    });
  }
}

const holdsFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes("Files") ?? false;
