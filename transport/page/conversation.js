// The conversation on screen. Each event is drawn once, by its kind, into its run's block; which
// events are really visible to the user is reported to `onShown`.

import { element, icon, ICONS, LONGEST, pretty, seconds } from "./dom.js";
import { Question } from "./question.js";
import { drawReport } from "./report.js";

const brief = (value) => {
  const text = value === undefined || value === null ? "" : Object.entries(value).map(([k, v]) =>
    `${k}: ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ");
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
};
const OPEN_QUESTION = ".question[data-state=open]";

export class Conversation {
  #root; #onShown; #answer; #runs = new Map(); #drawn = new Set(); #unsent = new Map(); #eyes; #waiting = new Map();
  #screen = new Set();
  #questions = []; // that the latest report offers to ask next

  /** answer: async (ask, value), to a question of an agent. */
  constructor(root, onShown, answer) {
    [this.#root, this.#onShown, this.#answer] = [root, onShown, answer];
    this.#eyes = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries)
        isIntersecting ? this.#screen.add(target) : this.#screen.delete(target);
      this.#look();
    });
    document.addEventListener("visibilitychange", () => this.#look());
  }

  get isEmpty() { return this.#root.childElementCount === 0; }
  /** The latest top-level run that has begun and not ended. */
  get going() { return [...this.#runs.values()].findLast((run) => !run.ended && !run.parent)?.id ?? null; }

  /** Whether a question waits for its user. */
  get isAsking() { return this.#root.querySelector(OPEN_QUESTION) !== null; }

  get questions() { return this.#questions; }

  /** Where the first open question or else the latest answer begins, in px from the window's top; null while there is none. */
  get answerTop() {
    const last = this.#root.lastElementChild;
    const question = last?.querySelector(OPEN_QUESTION);
    const answer = question ?? last?.querySelector(":scope > .answer:not([hidden]), :scope > .reports > .report");
    return answer?.getBoundingClientRect().top ?? null;
  }

  clear() {
    this.#eyes.disconnect();
    this.#questions = [];
    for (const one of [this.#runs, this.#drawn, this.#unsent, this.#waiting, this.#screen]) one.clear();
    this.#root.replaceChildren();
  }

  /** A message that the server has not answered yet. */
  addUnsent(say, body) {
    const bubble = this.#bubble(body);
    bubble.classList.add("unsent");
    bubble.append(element("p", { class: "fate" }, "Sending…"));
    this.#unsent.set(say, bubble);
    this.#root.append(bubble);
  }

  refuse(say, why) {
    const bubble = this.#unsent.get(say); // if it was taken after all, the event puts it right
    if (!bubble) return;
    bubble.classList.add("refused");
    bubble.querySelector(".fate").textContent = `Not sent: ${why}`;
  }

  /** Draw an event, unless it is drawn already: history and the live stream overlap. */
  add(event) {
    if (event.kind === "superseded" || this.#drawn.has(event.offset)) return false;
    this.#drawn.add(event.offset);
    const target = (this[`draw_${event.kind}`] ?? this.draw_other).call(this, event, this.#run(event), event.data ?? {});
    if (!target) return true;
    // `target` is where the event is seen; its own mark is what tests and tools can count.
    const mark = target.dataset.offset === undefined ? target : element("span", { hidden: true });
    if (mark !== target) target.append(mark);
    Object.assign(mark.dataset, { testid: mark.dataset.testid ?? "event", offset: event.offset, kind: event.kind });
    for (const offset of [...(event.data?.merges ?? []), event.offset]) this.#watch(target, offset);
    return true;
  }

  // ── one method for each kind: returns the element in which the event is seen ──

  draw_user_said(event, _run, { body, say }) {
    this.#unsent.get(say)?.remove();
    this.#unsent.delete(say);
    const bubble = this.#bubble(body);
    const block = this.#runs.get(event.run)?.block;
    if (block) block.before(bubble);
    else this.#root.append(bubble);
    return bubble;
  }

  draw_agent_started(event, run, { agent, attempt }) {
    run.begun = event.at;
    run.name.textContent = agent || "Agent";
    this.#state(run, "working", attempt > 1 ? "Interrupted, working again…" : "Working…");
    return run.head;
  }

  /** A thought comes whole, or in pieces that are one paragraph. */
  draw_agent_thinking(_event, run, { text, thought, index, merges = [] }) {
    if (thought === undefined || index === undefined) return this.#thought(run, pretty(text));
    if (!run.thoughts.has(thought)) run.thoughts.set(thought, this.#thought(run));
    return this.#piece(run.thoughts.get(thought), text, merges);
  }

  draw_tool_executing(_event, run, { tool_call, tool_name, arguments: given }) {
    const spent = element("span", { class: "spent" }, "running…");
    const body = element("div", { class: "inside" });
    if (given !== undefined && given !== null) body.append(element("h4", {}, "Arguments"), element("pre", {}, pretty(given)));
    const row = element("li", { class: "tool running", testid: "tool-call", "data-state": "running" },
      element("details", {},
        element("summary", {}, element("span", { class: "spinner", "aria-hidden": "true" }),
          element("code", {}, tool_name), element("span", { class: "given" }, brief(given)), spent),
        body));
    run.steps.append(row);
    run.tools.set(tool_call, { row, spent, body });
    const seen = row.querySelector("summary");
    return seen;
  }

  draw_tool_completed(event, run, { tool_call, tool_name, result, error, reference, duration_ms }) {
    if (!run.tools.has(tool_call)) this.draw_tool_executing(event, run, { tool_call, tool_name });
    const { row, spent, body } = run.tools.get(tool_call);
    const failed = error !== undefined && error !== null;
    this.#endTool(row, failed ? "failed" : "done");
    spent.textContent = `${failed ? "failed · " : ""}${seconds(duration_ms)}`;
    if (failed) {
      body.append(element("h4", {}, "Error"), element("pre", { class: "error" }, pretty(error)));
      if (reference) body.append(element("p", { class: "detail reference" }, `Reference: ${reference}`));
      row.append(element("p", { class: "error" }, typeof error === "string" ? error : error.message ?? pretty(error)));
    } else if (result !== undefined && result !== null) body.append(element("h4", {}, "Result"), element("pre", {}, pretty(result)));
    return spent;
  }

  draw_partial_result(_event, run, { text, merges = [] }) {
    run.answer.hidden = false;
    return this.#piece(run.answer, text, merges);
  }

  draw_input_requested(_event, run, data) {
    const question = new Question(data, (value) => this.#answer(data.ask, value));
    run.asks.set(data.ask, question);
    run.reports.append(question.card);
    run.state.textContent = "Waiting for you";
    return question.card;
  }

  draw_input_answered(event, run, { ask, value }) {
    return this.#closeQuestion(event, run, ask, "answered", `Answered: ${pretty(value)}`);
  }

  draw_input_closed(event, run, { ask, reason }) {
    const words = { expired: "This question has expired.", withdrawn: "This question was withdrawn." };
    return this.#closeQuestion(event, run, ask, reason, words[reason] ?? "This question is closed.");
  }

  draw_final_report(_event, run, { report }) {
    const said = run.answer.textContent.trim();
    const card = drawReport(report, said);
    const summary = typeof report === "string" ? report : report?.summary;
    // The streamed answer was the report's summary: it takes its place in the report.
    if (said && typeof summary === "string" && summary.trim() === said) {
      const title = card.querySelector(":scope > h3");
      if (title) title.after(run.answer);
      else card.prepend(run.answer);
    }
    run.reports.append(card);
    if (!run.parent) this.#questions = Array.isArray(report?.questions) ? report.questions.filter((each) => typeof each === "string") : [];
    const seen = element("span", { class: "eye" });
    card.prepend(seen);
    return seen;
  }

  draw_agent_completed(event, run, { outcome }) {
    const took = run.begun ? ` in ${seconds(event.at - run.begun)}` : "";
    if (outcome === "cancelled") return this.#end(run, "stopped", `Stopped${took && ` after ${took.slice(4)}`}`);
    return this.#end(run, "done", `Done${took}`);
  }

  /** An error without a name (`Error`) is one whose service does not show it. */
  draw_agent_failed(_event, run, { error, message, reason, reference }) {
    const why = { timeout: "It took too long and was ended.", lost: "The server stopped while it worked. Ask again to start over." };
    const said = [error === "Error" ? "" : error, message].filter(Boolean).join(": ");
    run.foot.append(element("p", { class: "error" }, why[reason] ?? "The agent failed.",
      said ? element("span", { class: "detail" }, ` ${said}`) : null,
      reference ? element("span", { class: "detail reference" }, ` Reference: ${reference}`) : null));
    return this.#end(run, "failed", reason === "timeout" ? "Timed out" : "Failed");
  }

  draw_other(event, run, data) {
    const row = element("li", { class: "other" }, element("code", {}, event.kind), element("pre", {}, pretty(data)));
    run.steps.append(row);
    return row;
  }

  // ── blocks ──

  #bubble(body) {
    const { text, table } = typeof body === "object" && body !== null && "text" in body ? body : { text: body };
    const bubble = element("article", { class: "you", "aria-label": "You" });
    if (table && typeof table === "object") {
      const shape = table.rows === undefined ? "" : ` · ${table.rows.toLocaleString("en")} × ${table.columns}`;
      bubble.append(element("p", { class: "table-name" }, icon(ICONS.table), `${table.name ?? "table"}${shape}`));
    }
    if (text !== "" && text !== undefined) bubble.append(element("p", { class: "prose" }, pretty(text)));
    return bubble;
  }

  #run(event) {
    if (event.kind === "user_said") return null;
    const known = this.#runs.get(event.run);
    if (known) return known;
    const run = { id: event.run, parent: event.parent ?? null, ended: false, begun: null, tools: new Map(), thoughts: new Map(), asks: new Map(),
                  name: element("span", { class: "name" }, "Agent"), state: element("span", { class: "state", testid: "run-state" }),
                  steps: element("ol", { class: "steps" }), answer: element("p", { class: "prose answer", testid: "answer", hidden: true }),
                  reports: element("div", { class: "reports" }), foot: element("div", {}) };
    run.head = element("header", {}, run.name, run.state);
    run.block = element("article", { class: "agent", "aria-label": "Agent", "data-run": event.run }, run.head, run.steps, run.answer, run.reports, run.foot);
    const parent = run.parent && this.#runs.get(run.parent);
    if (parent) parent.steps.append(element("li", { class: "nested" }, run.block));
    else this.#root.append(run.block);
    this.#runs.set(event.run, run);
    return run;
  }

  /** A page of history may begin after the question. */
  #closeQuestion(event, run, ask, state, words) {
    if (!run.ended) run.state.textContent = "Working…";
    return run.asks.get(ask)?.close(state, words) ?? this.draw_other(event, run, event.data);
  }

  #thought(run, ...text) {
    let open = run.steps.lastElementChild;
    if (!open?.classList.contains("thinking")) {
      open = element("li", { class: "thinking" },
        element("details", { open: !run.ended }, element("summary", {}, "Thinking"), element("div", {})));
      run.steps.append(open);
    }
    const thought = element("p", {}, ...text);
    open.querySelector("div").append(thought);
    return thought;
  }

  /** A slow connection gets several pieces merged into one; history may have brought some of them already. */
  #piece(whole, text, merges) {
    for (const offset of merges) {
      this.#drawn.add(offset);
      this.#erase(whole.querySelector(`:scope > [data-offset="${offset}"]`));
    }
    const piece = element("span", {}, pretty(text, LONGEST * (1 + merges.length)));
    whole.append(piece);
    return piece;
  }

  #state(run, state, text) {
    run.block.dataset.state = state;
    run.state.textContent = text;
  }

  #end(run, state, text) {
    run.ended = true;
    this.#state(run, state, text);
    for (const { row, spent } of run.tools.values())
      if (row.dataset.state === "running") {
        this.#endTool(row, "failed");
        spent.textContent = "not finished";
      }
    for (const details of run.steps.querySelectorAll(":scope > .thinking > details")) details.open = false;
    return run.state;
  }

  #endTool(row, state) {
    row.classList.replace("running", state);
    row.dataset.state = state;
    row.querySelector(".spinner")?.replaceWith(icon(ICONS[state], state));
  }

  // ── what is visible to the user ──

  #watch(target, offset) {
    if (this.#waiting.has(target)) this.#waiting.get(target).push(offset);
    else {
      this.#waiting.set(target, [offset]);
      this.#eyes.observe(target);
    }
    if (this.#screen.has(target)) this.#look();
  }

  #erase(target) {
    if (!target) return;
    this.#eyes.unobserve(target);
    this.#waiting.delete(target);
    this.#screen.delete(target);
    target.remove();
  }

  #look() {
    if (document.hidden || !this.#screen.size) return;
    requestAnimationFrame(() => setTimeout(() => { // painted
      if (document.hidden) return;
      const offsets = [];
      for (const target of this.#screen) {
        offsets.push(...(this.#waiting.get(target) ?? []));
        this.#waiting.delete(target);
        this.#screen.delete(target);
        this.#eyes.unobserve(target);
      }
      if (offsets.length) this.#onShown(offsets);
    }));
  }
}
