// The box to ask in: question, attached table, keys, paste and drop.

import { element, icon, ICONS } from "./dom.js";
import { looksLikeTable, packTable, readFile, TableRefused } from "./table.js";

const $ = (id) => document.getElementById(id);
const TALLEST = 200; // px, then the question scrolls

export class Composer {
  #onSend; #onStop; #table = null; #busy = false; #canStop = false; #depth = 0;
  online = false;

  constructor({ onSend, onStop }) {
    [this.#onSend, this.#onStop] = [onSend, onStop];
    const question = $("question");
    $("composer").addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
    question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    question.addEventListener("input", () => this.#fit());
    question.addEventListener("paste", (event) => this.#paste(event));
    addEventListener("keydown", (event) => { if (event.key === "Escape" && this.#canStop) onStop(); });
    $("stop").addEventListener("click", () => onStop());
    $("attach").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => { this.#attachFile($("file").files[0]); $("file").value = ""; });
    this.#acceptDrops();
  }

  show({ busy, canStop, stopping }) {
    [this.#busy, this.#canStop] = [busy, canStop && !stopping];
    const held = document.activeElement === $("stop") && !canStop;
    $("stop").hidden = !canStop;
    $("stop").disabled = stopping;
    $("stop").firstChild.data = stopping ? "Stopping… " : "Stop ";
    $("send").hidden = canStop;
    $("send").disabled = busy;
    if (held) this.focus(); // the button under the user's focus went away
  }

  focus() { $("question").focus({ preventScroll: true }); }

  clear() {
    $("question").value = "";
    this.#setTable(null);
    this.complain(null);
    this.#fit();
  }

  complain(text) {
    $("problem").textContent = text ?? "";
    $("problem").hidden = !text;
  }

  #send() {
    const text = $("question").value.trim();
    if (this.#busy) return this.complain(this.#canStop ? "The agent is still working: wait, or stop it first." : null);
    if (!text && !this.#table) return this.focus();
    try {
      this.#onSend(text, this.#table);
      this.clear();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.complain("That is too much for one message. Shorten the question or send a smaller table.");
    }
  }

  #fit() {
    const question = $("question");
    question.style.height = "auto";
    question.style.height = `${Math.min(question.scrollHeight, TALLEST)}px`;
  }

  // ── tables ──

  #paste(event) {
    const [file] = event.clipboardData.files;
    const text = event.clipboardData.getData("text/plain");
    if (!text && file) this.#attachFile(file);
    else if (looksLikeTable(text)) this.#attach("pasted table", async () => text);
    else return;
    event.preventDefault();
  }

  #attachFile(file) {
    if (file) this.#attach(file.name, () => readFile(file));
  }

  async #attach(name, read) {
    this.complain(null);
    try {
      this.#setTable(await packTable(name, await read()));
      this.focus();
    } catch (error) {
      this.complain(error instanceof TableRefused ? error.message : `${name} could not be read.`);
    }
  }

  #setTable(table) {
    this.#table = table;
    $("chips").hidden = !table;
    $("chips").replaceChildren();
    if (!table) return;
    const remove = () => { this.#setTable(null); this.focus(); };
    $("chips").append(element("span", { class: "chip", testid: "chip" }, icon(ICONS.table),
      element("span", { class: "chip-name" }, table.name),
      element("span", { class: "shape" }, `${table.rows.toLocaleString("en")} rows × ${table.columns} columns`),
      element("button", { type: "button", "aria-label": `Remove ${table.name}`, onclick: remove }, icon(ICONS.failed))));
  }

  #acceptDrops() {
    const show = (shown) => { $("drop").hidden = !shown; };
    const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => { if (holdsFiles(event)) { this.#depth += 1; show(true); } });
    addEventListener("dragleave", (event) => { if (holdsFiles(event)) show((this.#depth = Math.max(0, this.#depth - 1)) > 0); });
    addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
    addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.#depth = 0;
      show(false);
      this.#attachFile(event.dataTransfer.files[0]);
    });
  }
}
