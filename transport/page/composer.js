// The box to ask in: question, attached table, keys, paste and drop.

import { element, icon, ICONS } from "./dom.js";
import { findTable, isCode } from "./paste.js";
import { packTable, readFile, shapeText, TableRefused } from "./table.js";

const $ = (id) => document.getElementById(id);
const TALLEST = 200; // px, then the question scrolls
const TAKES_TABLES = (document.body.dataset.takes ?? "").split(" ").includes("table"); // the agent says so
const CLOSED_BY_ESCAPE = "dialog, [popover]"; // a run goes on
export const WORKING = "The agent is still working: wait, or stop it first.";
export const ASKING = "The agent waits for your answer: give it above, or stop the agent first.";
const HINDRANCES = [WORKING, ASKING];

export class Composer {
  #onSend; #memory; #table = null; #busy = false; #canStop = false; #hindrance = WORKING; #depth = 0;
  #reading = null; // the table that is being read: {name, thenSend}

  /** memory: what is not sent yet is kept there over a reload. */
  constructor({ onSend, onStop, memory }) {
    [this.#onSend, this.#memory] = [onSend, memory];
    const question = $("question");
    $("composer").addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
    question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    question.addEventListener("input", () => this.#edited());
    question.addEventListener("paste", (event) => this.#paste(event));
    addEventListener("keydown", (event) => { if (event.key === "Escape" && this.#canStop && !event.defaultPrevented && !event.target.closest?.(CLOSED_BY_ESCAPE)) onStop(); });
    $("stop").addEventListener("click", () => onStop());
    $("attach").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => { this.#attachFiles($("file").files); $("file").value = ""; });
    this.#acceptDrops();
    question.value = memory.get("draft") ?? "";
    if (TAKES_TABLES) question.placeholder = "Ask a question, or paste a table";
    this.#setTable(TAKES_TABLES ? memory.get("table") : null);
    this.#fit();
  }

  show({ busy, canStop, stopping, isAsking }) {
    [this.#busy, this.#canStop, this.#hindrance] = [busy, canStop && !stopping, isAsking ? ASKING : WORKING];
    const held = document.activeElement === $("stop") && !canStop;
    $("stop").hidden = !canStop;
    $("stop").disabled = stopping;
    $("stop").firstChild.data = stopping ? "Stopping… " : "Stop ";
    $("send").hidden = canStop;
    $("send").disabled = busy;
    if (HINDRANCES.includes($("problem").textContent)) this.complain(busy ? this.#hindrance : null);
    if (held) this.focus(); // the button under the user's focus went away
  }

  focus() { $("question").focus({ preventScroll: true }); }

  clear() {
    $("question").value = "";
    this.#reading = null;
    this.#setTable(null);
    this.complain(null);
    this.#edited();
  }

  complain(text) {
    $("problem").textContent = text ?? "";
    $("problem").hidden = !text;
  }

  #send() {
    const text = $("question").value.trim();
    if (this.#busy) return this.complain(this.#canStop ? this.#hindrance : null);
    if (this.#reading) return void (this.#reading.thenSend = true);
    if (!text && !this.#table) return this.focus();
    try {
      this.#onSend(text, this.#table);
      this.clear();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.complain(`${error.message} Shorten the question or send a smaller table.`);
    }
  }

  #edited() {
    this.#memory.set("draft", $("question").value || null);
    $("offer").hidden = true;
    this.#fit();
  }

  #fit() {
    const question = $("question");
    question.style.height = "auto";
    question.style.height = `${Math.min(question.scrollHeight, TALLEST)}px`;
  }

  // ── tables ──

  #paste(event) {
    if (!TAKES_TABLES) return;
    const { files } = event.clipboardData;
    const text = event.clipboardData.getData("text/plain");
    const found = findTable(text);
    if (!text && files.length) this.#attachFiles(files);
    else if (found) this.#attachPasted(found);
    else return void setTimeout(() => this.#offer(text)); // once it stands in the box
    event.preventDefault();
  }

  #attachPasted({ words, table }) {
    if (words) $("question").setRangeText(words, $("question").selectionStart, $("question").selectionEnd, "end");
    this.#edited();
    this.#attach("pasted table", async () => table);
  }

  /** Several lines that may be a table or not: the user decides. */
  #offer(text) {
    const question = $("question"), pasted = text.replace(/\r\n?/g, "\n");
    $("offer").hidden = pasted.trim().split("\n").length < 3 || isCode(pasted) || !question.value.includes(pasted);
    $("use-as-table").onclick = () => {
      question.value = question.value.replace(pasted, () => "").trim();
      this.#attachPasted({ words: "", table: pasted });
    };
  }

  #attachFiles([file, ...others]) {
    if (!TAKES_TABLES) return this.complain("This agent takes no files: ask in words.");
    if (file) this.#attach(file.name, () => readFile(file));
    if (others.length) this.complain(`Only one table goes with a question: ${file.name} was taken, ${others.map(({ name }) => name).join(", ")} not.`);
  }

  /** What is sent meanwhile waits for it; what is attached meanwhile takes its place. */
  async #attach(name, read) {
    const reading = (this.#reading = { name, thenSend: false });
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
    const name = this.#reading?.name ?? table?.name;
    $("chips").hidden = name === undefined;
    $("chips").replaceChildren();
    if (name === undefined) return;
    const remove = () => { this.#reading = null; this.#setTable(null); this.focus(); };
    $("chips").append(element("span", { class: "chip", testid: table ? "chip" : "reading" }, icon(ICONS.table),
      element("span", { class: "chip-name" }, name),
      element("span", { class: "shape" }, table ? shapeText(table) : "Reading…"),
      element("button", { type: "button", "aria-label": `Remove ${name}`, onclick: remove }, icon(ICONS.failed))));
  }

  #acceptDrops() {
    const show = (shown) => { $("drop").hidden = !shown; };
    const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => { if (holdsFiles(event) && TAKES_TABLES) { this.#depth += 1; show(true); } });
    addEventListener("dragleave", (event) => { if (holdsFiles(event)) show((this.#depth = Math.max(0, this.#depth - 1)) > 0); });
    addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
    addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.#depth = 0;
      show(false);
      this.#attachFiles(event.dataTransfer.files);
    });
  }
}
