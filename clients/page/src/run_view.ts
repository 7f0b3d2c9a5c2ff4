// A run on screen: each of its events is drawn by its kind.

import type { GreenroomEvent, JSON, Kind } from "greenroom";
import { element, LONGEST, pretty, put, seconds } from "./dom.js";
import type { Eyes } from "./eyes.js";
import { Question } from "./question.js";
import { AnswerView } from "./answer_view.js";
import type { Delivery } from "./delivery.js";
import { drawReport, questionsOf, summaryOf } from "./report.js";
import { Strip } from "./strip.js";
import { ToolRow } from "./tool_row.js";

const WHY: Readonly<Record<string, string>> = {
  timeout: "It took too long and was ended.",
  lost: "The server stopped while it worked. Ask again to start over.",
};
const WAITING = "Waiting for you";
const MOST_NAMED = 3; // tools at work
const ASK_ENDS: Readonly<Record<string, string>> = { expired: "This question has expired.", withdrawn: "This question was withdrawn." };

/** An event on screen. */
export interface Drawn {
  /** What tests and tools can count. */
  readonly mark: HTMLElement;
  /** Where it is seen; null: that is watched already. */
  readonly seen: HTMLElement | null;
}

export interface RunViewParts {
  readonly eyes: Eyes;
  readonly delivery: Delivery;
  /** To a question of the agent. */
  answer(ask: string, value: JSON): Promise<unknown>;
  /** What the user said is to be said again; null where it is not known. */
  askAgain(run: string): (() => void) | null;
  /** These events are drawn as a part of another one. */
  merged(offsets: readonly number[]): void;
}

export class RunView {
  readonly id: string;
  readonly parent: string | null;
  readonly block: HTMLElement;
  hasEnded = false;
  /** What its report offers to ask next; null until there is one. */
  questions: readonly string[] | null = null;

  readonly #parts: RunViewParts;
  #begun: number | null = null;
  readonly #tools = new Map<string, ToolRow>();
  readonly #thoughts = new Map<number, HTMLElement>();
  readonly #asks = new Map<string, Question>();
  readonly #name = element("span", { class: "name" }, "Agent");
  readonly #state = element("span", { class: "state", testid: "run-state" });
  readonly #repeated = element("span", { class: "asked", testid: "asked", "aria-hidden": "true", hidden: true });
  readonly #head = element("header", {}, this.#name, this.#state, this.#repeated);
  readonly #steps = element("ol", { class: "steps" });
  #answer: AnswerView;
  readonly #reports = element("div", { class: "reports" });
  readonly #foot = element("div", { class: "foot" });
  readonly #strip: Strip;

  constructor({ run, parent }: GreenroomEvent, parts: RunViewParts) {
    [this.id, this.parent, this.#parts] = [run, parent ?? null, parts];
    [this.#strip, this.#answer] = [new Strip(parts.delivery), new AnswerView(parts.eyes)];
    this.block = element("article", { class: "agent", "aria-label": "Agent", "data-run": run },
      this.#head, this.#steps, this.#answer.block, this.#reports, this.#foot, this.#strip.block);
  }

  /** Repeats what it answers in the line that stays in view; null while the user's own words are in view. */
  showAsked(words: string | null): void {
    put(this.#repeated, words ?? "");
    this.#repeated.hidden = words === null;
  }

  /** Where the blocks of its sub-agents are. */
  addNested(block: HTMLElement): void {
    this.#steps.append(element("li", { class: "nested" }, block));
  }

  draw(event: GreenroomEvent): Drawn {
    this.#strip.add(event);
    const drawn = this.#drawn(event);
    return drawn instanceof HTMLElement ? { mark: drawn, seen: drawn } : drawn;
  }

  #drawn(event: GreenroomEvent): HTMLElement | Drawn {
    switch (event.kind) {
      case "agent_started": return this.#started(event);
      case "agent_thinking": return this.#thinking(event);
      case "tool_executing": return this.#executing(event);
      case "tool_completed": return this.#executed(event);
      case "partial_result": return this.#partial(event);
      case "input_requested": return this.#asked(event);
      case "input_answered": return this.#closeQuestion(event, "answered", `Answered: ${pretty(event.data.value)}`);
      case "input_closed": return this.#closeQuestion(event, event.data.reason, ASK_ENDS[event.data.reason] ?? "This question is closed.");
      case "final_report": return this.#report(event);
      case "agent_completed": return this.#completed(event);
      case "agent_failed": return this.#failed(event);
      default: return this.#other(event);
    }
  }

  /** What came together is drawn together, soon; this draws it now. */
  drawNow(): void { this.#answer.draw(); }

  #started({ at, data }: GreenroomEvent<"agent_started">): HTMLElement {
    const isAgain = (data.attempt ?? 1) > 1;
    if (isAgain) this.#foldEarlier();
    this.#begun ??= at;
    this.#name.textContent = data.agent || "Agent";
    this.#show("working", isAgain ? "Interrupted, working again…" : "Working…");
    return this.#head;
  }

  /** What an attempt that was interrupted had said and done; the next one says it again. */
  #foldEarlier(): void {
    if (!this.#steps.childElementCount && !this.#answer.text) return;
    this.#answer.draw();
    const steps = element("ol", { class: "steps" }, ...this.#steps.children);
    const earlier = element("details", { class: "earlier-attempt" }, element("summary", {}, "Before the interruption"), steps, this.#answer.block);
    this.#answer = new AnswerView(this.#parts.eyes);
    this.#steps.before(earlier);
    this.#steps.after(this.#answer.block);
  }

  /** A thought comes whole, or in pieces that are one paragraph. */
  #thinking({ data: { text, thought, index, merges } }: GreenroomEvent<"agent_thinking">): HTMLElement {
    if (thought === undefined || index === undefined) return this.#thought(pretty(text));
    const whole = this.#thoughts.get(thought) ?? this.#thought();
    this.#thoughts.set(thought, whole);
    return this.#piece(whole, text, merges);
  }

  #thought(...text: string[]): HTMLElement {
    const thought = element("p", {}, ...text);
    this.#thinkingNow().querySelector("div")?.append(thought);
    return thought;
  }

  #thinkingNow(): Element {
    const last = this.#steps.lastElementChild;
    if (last?.classList.contains("thinking")) return last;
    const details = element("details", { open: !this.hasEnded }, element("summary", {}, "Thinking"), element("div"));
    return this.#steps.appendChild(element("li", { class: "thinking" }, details));
  }

  #executing({ data }: GreenroomEvent<"tool_executing">): HTMLElement {
    const { summary } = this.#tool(data);
    this.#showTools();
    return summary;
  }

  #executed({ data }: GreenroomEvent<"tool_completed">): HTMLElement {
    const seen = (this.#tools.get(data.tool_call) ?? this.#tool(data)).complete(data);
    this.#showTools();
    return seen;
  }

  /** What is at work, in the line that stays in view. */
  #showTools(): void {
    if (this.hasEnded || this.#state.textContent === WAITING) return;
    const running = [...this.#tools.values()].filter(({ isRunning }) => isRunning).map(({ name }) => name);
    put(this.#state, running.length ? `Running ${named(running)}…` : "Working…");
  }

  #tool({ tool_call, tool_name, ...data }: GreenroomEvent<"tool_executing" | "tool_completed">["data"]): ToolRow {
    const tool = new ToolRow(tool_name, "arguments" in data ? data.arguments : undefined);
    this.#tools.set(tool_call, tool);
    this.#steps.append(tool.row);
    return tool;
  }

  #partial(event: GreenroomEvent<"partial_result">): Drawn {
    this.#parts.merged(event.data.merges ?? []);
    return { mark: this.#answer.add(event), seen: null };
  }

  /** A slow connection gets several pieces merged into one; history may have brought some of them already. */
  #piece(whole: HTMLElement, text: string, merges: readonly number[] = []): HTMLElement {
    this.#parts.merged(merges);
    for (const offset of merges) this.#erase(whole.querySelector(`:scope > [data-offset="${offset}"]`));
    return whole.appendChild(element("span", {}, pretty(text, LONGEST * (1 + merges.length))));
  }

  #erase(piece: Element | null): void {
    if (piece) this.#parts.eyes.forget(piece);
    piece?.remove();
  }

  #asked({ data }: GreenroomEvent<"input_requested">): HTMLElement {
    const question = new Question(data, (value) => this.#parts.answer(data.ask, value));
    this.#asks.set(data.ask, question);
    this.#answer.draw();
    this.#reports.append(question.card);
    this.#state.textContent = WAITING;
    return question.card;
  }

  /** A page of history may begin after the question. */
  #closeQuestion(event: GreenroomEvent<"input_answered" | "input_closed">, state: string, words: string): HTMLElement {
    if (!this.hasEnded) this.#state.textContent = "Working…";
    return this.#asks.get(event.data.ask)?.close(state, words) ?? this.#other(event);
  }

  #report({ data: { report } }: GreenroomEvent<"final_report">): HTMLElement {
    this.#answer.draw();
    const said = this.#answer.text.trim();
    const card = drawReport(report, said);
    if (said && summaryOf(report) === said) this.#takeUpAnswer(card);
    this.#reports.append(card);
    this.questions = questionsOf(report);
    const seen = element("span", { class: "eye" });
    card.prepend(seen);
    return seen;
  }

  /** The streamed answer was the report's summary: it takes its place in the report. */
  #takeUpAnswer(card: HTMLElement): void {
    const title = card.querySelector(":scope > h3");
    if (title) title.after(this.#answer.block);
    else card.prepend(this.#answer.block);
  }

  #completed({ at, data: { outcome, usage = {} } }: GreenroomEvent<"agent_completed">): HTMLElement {
    const used = Object.entries(usage).map(([name, count]) => `${count.toLocaleString("en")} ${name.replaceAll("_", " ")}`);
    if (used.length) this.#foot.append(element("p", { class: "used", testid: "usage" }, used.join(" · ")));
    const took = this.#begun === null ? null : seconds(at - this.#begun);
    if (outcome === "cancelled") return this.#end("stopped", took ? `Stopped after ${took}` : "Stopped");
    return this.#end("done", took ? `Done in ${took}` : "Done");
  }

  /** An error without a name (`Error`) is one whose service does not show it. */
  #failed({ data: { error, message, reason, reference } }: GreenroomEvent<"agent_failed">): HTMLElement {
    const said = [error === "Error" ? "" : error, message].filter(Boolean).join(": ");
    this.#foot.append(element("p", { class: "error" }, WHY[reason] ?? "The agent failed.",
      said ? element("span", { class: "detail" }, ` ${said}`) : null,
      reference ? element("span", { class: "detail reference" }, ` Reference: ${reference}`) : null));
    const again = this.parent ? null : this.#parts.askAgain(this.id);
    if (again) this.#foot.append(element("button", { type: "button", class: "quiet", testid: "ask-again", onclick: again }, "Ask again"));
    return this.#end("failed", reason === "timeout" ? "Timed out" : "Failed");
  }

  #other({ kind, data }: GreenroomEvent<Kind>): HTMLElement {
    return this.#steps.appendChild(element("li", { class: "other" }, element("code", {}, kind), element("pre", {}, pretty(data))));
  }

  #show(state: string, text: string): void {
    this.block.dataset["state"] = state;
    this.#state.textContent = text;
  }

  #end(state: string, text: string): HTMLElement {
    this.hasEnded = true;
    this.#answer.draw(); // "Done" stands above a whole answer
    this.#show(state, text);
    for (const tool of this.#tools.values()) tool.stop();
    for (const details of this.#steps.querySelectorAll<HTMLDetailsElement>(":scope > .thinking > details")) details.open = false;
    return this.#state;
  }
}

function named(tools: readonly string[]): string {
  const more = tools.length - MOST_NAMED;
  return more > 0 ? `${tools.slice(0, MOST_NAMED).join(", ")} and ${more} more` : tools.join(", ");
}
