// The events of a run as events of AG-UI 1: https://docs.ag-ui.com/concepts/events. Pure.

import { type AGUIEvent, EventType } from "@ag-ui/client";
import { Texts, type TextStep } from "../projection/texts.js";
import type { EventData, GreenroomEvent, JSON as Json } from "../protocol/events.js";
import { interruptOf } from "./interrupts.js";

const TEXT = {
  text: { begin: [EventType.TEXT_MESSAGE_START], add: [EventType.TEXT_MESSAGE_CONTENT], end: [EventType.TEXT_MESSAGE_END] },
  thought: {
    begin: [EventType.REASONING_START, EventType.REASONING_MESSAGE_START],
    add: [EventType.REASONING_MESSAGE_CONTENT],
    end: [EventType.REASONING_MESSAGE_END, EventType.REASONING_END],
  },
} as const;

/** The AG-UI run as which a run is shown. */
export interface Shown {
  readonly threadId: string;
  readonly runId: string;
}

interface SubRun {
  readonly name: string;
  readonly parent: string | undefined;
}

export class AgUiEvents {
  /** The questions that are open. */
  readonly asks = new Map<string, GreenroomEvent<"input_requested">>();
  thread: string | undefined;
  readonly #run: string;
  readonly #shown: Shown;
  readonly #texts = new Map<string, Texts>(); // by run
  readonly #tools = new Set<string>();
  readonly #subRuns = new Map<string, SubRun>(); // those that go on
  #report: Json | undefined;

  constructor(run: string, shown: Shown) {
    [this.#run, this.#shown] = [run, shown];
  }

  begin(): AGUIEvent[] {
    return [{ type: EventType.RUN_STARTED, ...this.#shown, protocolVersion: "1.0", metadata: { greenroom: { run: this.#run } } }];
  }

  of(event: GreenroomEvent): AGUIEvent[] {
    this.thread = event.thread;
    const begun = event.run === this.#run ? [] : this.#beginSubRun(event);
    const texts = this.#textsOf(event.run).take(event).flatMap((step) => this.#text(event.run, step));
    return [...begun, ...texts, ...this.#other(event)];
  }

  /** What was open when the messages so far were handed over as a whole. */
  reopened(): AGUIEvent[] {
    const subRuns = [...this.#subRuns].map(([run, subRun]) => this.#started(run, subRun));
    const texts = [...this.#texts].flatMap(([run, each]) => each.open.flatMap((step) => this.#text(run, step)));
    return [...subRuns, ...texts];
  }

  /** Leave the run, which goes on: until its questions are answered, or because the page stopped it. */
  left(outcome: "interrupt" | "cancelled"): AGUIEvent[] {
    const interrupts = [...this.asks.values()].map((ask) => interruptOf(ask, this.#run));
    const ended = outcome === "interrupt" ? ({ type: "interrupt", interrupts } as const) : ({ type: "cancelled" } as const);
    return [...this.#suspended(interrupts.map(({ id }) => id)), { type: EventType.RUN_FINISHED, ...this.#shown, outcome: ended }];
  }

  #suspended(interruptIds: string[]): AGUIEvent[] {
    const texts = [...this.#texts].flatMap(([run, each]) => each.end().flatMap((step) => this.#text(run, step)));
    const subRuns = [...this.#subRuns.keys()].reverse().map((subagentRunId): AGUIEvent => ({ type: EventType.SUBAGENT_FINISHED, subagentRunId, outcome: { type: "suspended", interruptIds } }));
    return [...texts, ...subRuns];
  }

  #textsOf(run: string): Texts {
    const texts = this.#texts.get(run) ?? new Texts();
    this.#texts.set(run, texts);
    return texts;
  }

  #text(run: string, { step, as, id, text }: TextStep): AGUIEvent[] {
    if (step === "add" && !text) return [];
    const fields = { messageId: `${run}-${id}`, ...this.#by(run), ...(step === "add" && { delta: text }), ...(step === "begin" && as === "text" && { role: "assistant" }) };
    return TEXT[as][step].map((type) => ({ ...fields, type, ...(type === EventType.REASONING_MESSAGE_START && { role: "reasoning" }) }) as AGUIEvent);
  }

  /** Whose event it is, where it is a sub-run's. */
  #by(run: string): { subagentRunId?: string } {
    return run === this.#run ? {} : { subagentRunId: run };
  }

  #beginSubRun({ run, parent, kind, data }: GreenroomEvent): AGUIEvent[] {
    if (this.#texts.has(run)) return [];
    const subRun = { name: kind === "agent_started" ? data.agent : "agent", parent: parent && parent !== this.#run ? parent : undefined };
    this.#subRuns.set(run, subRun);
    return [this.#started(run, subRun)];
  }

  #started(subagentRunId: string, { name, parent }: SubRun): AGUIEvent {
    return { type: EventType.SUBAGENT_STARTED, subagentRunId, name, ...(parent && { parentSubagentRunId: parent }) };
  }

  #other(event: GreenroomEvent): AGUIEvent[] {
    const { kind, data, run, offset } = event;
    switch (kind) {
      case "tool_executing": return this.#tool(run, data.tool_call, data.tool_name, data.arguments ?? {});
      case "tool_completed": return [...this.#tool(run, data.tool_call, data.tool_name, {}), this.#result(run, data)];
      case "input_requested": return this.#asked(event as GreenroomEvent<"input_requested">);
      case "input_answered":
      case "input_closed": return void this.asks.delete(data.ask), [];
      case "final_report": return this.#reported(run, data.report, offset);
      case "agent_completed": return run === this.#run ? [this.#completed(data)] : this.#endSubRun(run, data.outcome === "ok" ? undefined : { message: "The run was stopped.", code: "cancelled" });
      case "agent_failed": return this.#failed(run, data);
      default: return [];
    }
  }

  #tool(run: string, toolCallId: string, toolCallName: string, input: Json): AGUIEvent[] {
    if (this.#tools.has(toolCallId)) return [];
    this.#tools.add(toolCallId);
    const by = this.#by(run);
    return [
      { type: EventType.TOOL_CALL_START, toolCallId, toolCallName, ...by },
      { type: EventType.TOOL_CALL_ARGS, toolCallId, delta: JSON.stringify(input), ...by },
      { type: EventType.TOOL_CALL_END, toolCallId, ...by },
    ];
  }

  #result(run: string, { tool_call, result, error, reference, duration_ms }: EventData["tool_completed"]): AGUIEvent {
    const greenroom = { duration_ms, ...(error !== undefined && { error }), ...(reference !== undefined && { reference }) };
    const content = error === undefined ? asText(result ?? null) : withReference(error, reference);
    return { type: EventType.TOOL_CALL_RESULT, messageId: `${run}-${tool_call}-result`, toolCallId: tool_call, role: "tool", content, metadata: { greenroom }, ...this.#by(run) };
  }

  #asked(event: GreenroomEvent<"input_requested">): AGUIEvent[] {
    this.asks.set(event.data.ask, event);
    return [];
  }

  /** A report that is the whole answer is its text, too. */
  #reported(run: string, report: Json, offset: number): AGUIEvent[] {
    if (run === this.#run) this.#report = report;
    const texts = this.#textsOf(run);
    const isText = typeof report === "string" && !texts.hasText;
    const text = isText ? texts.whole("text", `report-${offset}`, report).flatMap((step) => this.#text(run, step)) : [];
    return [...text, { type: EventType.CUSTOM, name: "final_report", value: report, ...this.#by(run) }];
  }

  #completed({ outcome, ...more }: EventData["agent_completed"]): AGUIEvent {
    const result = this.#report === undefined ? {} : { result: this.#report };
    const metadata = Object.keys(more).length ? { metadata: { greenroom: more } } : {};
    return { type: EventType.RUN_FINISHED, ...this.#shown, ...result, ...metadata, outcome: { type: outcome === "ok" ? "success" : "cancelled" } };
  }

  #failed(run: string, { message, reason, reference }: EventData["agent_failed"]): AGUIEvent[] {
    const failure = { message: withReference(message, reference), code: reason };
    return run === this.#run ? [{ type: EventType.RUN_ERROR, ...failure }] : this.#endSubRun(run, failure);
  }

  #endSubRun(subagentRunId: string, failure?: { message: string; code: string }): AGUIEvent[] {
    if (!this.#subRuns.delete(subagentRunId)) return [];
    if (failure) return [{ type: EventType.SUBAGENT_ERROR, subagentRunId, ...failure }];
    return [{ type: EventType.SUBAGENT_FINISHED, subagentRunId, outcome: { type: "success" } }];
  }
}

const asText = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));

const withReference = (message: string, reference: string | undefined): string => (reference ? `${message} Reference: ${reference}` : message);
