// A run on screen: each of its events is drawn by its kind.

import type { GreenroomEvent, JSON, Kind } from "greenroom";
import { element, LONGEST, pretty, seconds } from "./dom.js";
import type { Eyes } from "./eyes.js";
import { Question } from "./question.js";
import { drawReport, questionsOf, summaryOf } from "./report.js";
import { ToolRow } from "./tool_row.js";

const WHY: Readonly<Record<string, string>> = {
  timeout: "It took too long and was ended.",
  lost: "The server stopped while it worked. Ask again to start over.",
};
const ASK_ENDS: Readonly<Record<string, string>> = { expired: "This question has expired.", withdrawn: "This question was withdrawn." };

export interface RunViewParts {
  readonly eyes: Eyes;
  /** To a question of the agent. */
  answer(ask: string, value: JSON): Promise<unknown>;
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
  readonly #head = element("header", {}, this.#name, this.#state);
  readonly #steps = element("ol", { class: "steps" });
  readonly #answer = element("p", { class: "prose answer", testid: "answer", hidden: true });
  readonly #reports = element("div", { class: "reports" });
  readonly #foot = element("div");

  constructor({ run, parent }: GreenroomEvent, parts: RunViewParts) {
    [this.id, this.parent, this.#parts] = [run, parent ?? null, parts];
    this.block = element("article", { class: "agent", "aria-label": "Agent", "data-run": run },
      this.#head, this.#steps, this.#answer, this.#reports, this.#foot);
  }

  /** Where the blocks of its sub-agents are. */
  addNested(block: HTMLElement): void {
    this.#steps.append(element("li", { class: "nested" }, block));
  }

  /** Returns the element in which the event is seen. */
  draw(event: GreenroomEvent): HTMLElement {
    switch (event.kind) {
      case "agent_started": return this.#started(event);
      case "agent_thinking": return this.#thinking(event);
      case "tool_executing": return this.#tool(event.data).summary;
      case "tool_completed": return (this.#tools.get(event.data.tool_call) ?? this.#tool(event.data)).complete(event.data);
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

  #started({ at, data }: GreenroomEvent<"agent_started">): HTMLElement {
    this.#begun = at;
    this.#name.textContent = data.agent || "Agent";
    this.#show("working", (data.attempt ?? 1) > 1 ? "Interrupted, working again…" : "Working…");
    return this.#head;
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

  #tool({ tool_call, tool_name, ...data }: GreenroomEvent<"tool_executing" | "tool_completed">["data"]): ToolRow {
    const tool = new ToolRow(tool_name, "arguments" in data ? data.arguments : undefined);
    this.#tools.set(tool_call, tool);
    this.#steps.append(tool.row);
    return tool;
  }

  #partial({ data: { text, merges } }: GreenroomEvent<"partial_result">): HTMLElement {
    this.#answer.hidden = false;
    return this.#piece(this.#answer, text, merges);
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
    this.#reports.append(question.card);
    this.#state.textContent = "Waiting for you";
    return question.card;
  }

  /** A page of history may begin after the question. */
  #closeQuestion(event: GreenroomEvent<"input_answered" | "input_closed">, state: string, words: string): HTMLElement {
    if (!this.hasEnded) this.#state.textContent = "Working…";
    return this.#asks.get(event.data.ask)?.close(state, words) ?? this.#other(event);
  }

  #report({ data: { report } }: GreenroomEvent<"final_report">): HTMLElement {
    const said = this.#answer.textContent.trim();
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
    if (title) title.after(this.#answer);
    else card.prepend(this.#answer);
  }

  #completed({ at, data: { outcome } }: GreenroomEvent<"agent_completed">): HTMLElement {
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
    this.#show(state, text);
    for (const tool of this.#tools.values()) tool.stop();
    for (const details of this.#steps.querySelectorAll<HTMLDetailsElement>(":scope > .thinking > details")) details.open = false;
    return this.#state;
  }
}
