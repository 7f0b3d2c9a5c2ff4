// The events of a run as chunks of an AI SDK message: https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Pure.

import type { UIMessage, UIMessageChunk } from "ai";
import type { EventData, GreenroomEvent, JSON, Usage } from "../protocol/events.js";
import type { Followed } from "../projection/follow.js";
import { CLOSED, isYes, QUESTION, yesOrNo } from "../projection/questions.js";
import { Texts, type TextStep } from "../projection/texts.js";
import { emptyRun, fold, type RunState } from "../views/run_state.js";

/** What is known of an answer beside its parts. */
export interface GreenroomMetadata {
  readonly run: string;
  readonly thread?: string;
  readonly agent?: string;
  /** 2 or more: the run goes on after its server was lost. */
  readonly attempt?: number;
  readonly outcome?: "ok" | "cancelled" | "failed";
  /** By which an operator finds the cause of a failure. */
  readonly reference?: string;
  readonly reason?: EventData["agent_failed"]["reason"];
  /** Tokens used, from agents that count them. */
  readonly usage?: Usage;
}

/** `useChat<GreenroomMessage>`. The answer's id is that of its run. */
export type GreenroomMessage = UIMessage<GreenroomMetadata, { report: JSON }>;

export type Chunk = UIMessageChunk<GreenroomMetadata, { report: JSON }>;

const TEXT = {
  text: { begin: "text-start", add: "text-delta", end: "text-end" },
  thought: { begin: "reasoning-start", add: "reasoning-delta", end: "reasoning-end" },
} as const;

const OURS = { dynamic: true, providerExecuted: true } as const; // the tools are the server's: the page calls none of them

export class Chunks {
  readonly #run: string;
  #texts = new Texts();
  #calls = new Set<string>(); // tools, questions and sub-runs
  #approvals = new Set<string>();
  #subRuns = new Map<string, RunState>();

  constructor(run: string) {
    this.#run = run;
  }

  /** What an earlier stream of this run put into the message is taken out of it. */
  begin(): Chunk[] {
    return [{ type: "start", messageId: this.#run, messageMetadata: { run: this.#run } }, { type: "reset-step" }];
  }

  of(event: Followed): Chunk[] {
    if (event.kind === "restart") return this.#restart();
    if (event.kind === "input_requested" || event.kind === "input_answered" || event.kind === "input_closed") return [...this.#endsText(event), ...this.#question(event)];
    return event.run === this.#run ? [...this.#endsText(event), ...this.#own(event)] : this.#subRun(event);
  }

  #restart(): Chunk[] {
    this.#texts = new Texts();
    this.#calls = new Set();
    this.#approvals = new Set();
    this.#subRuns = new Map();
    return this.begin();
  }

  #endsText(event: GreenroomEvent): Chunk[] {
    return this.#texts.take(event).map(textChunk);
  }

  #own({ kind, data, thread, run, offset }: GreenroomEvent): Chunk[] {
    switch (kind) {
      case "agent_started": return [metadata({ run, thread, agent: data.agent, ...(data.attempt && { attempt: data.attempt }) })];
      case "tool_executing": return this.#call(data.tool_call, data.tool_name, data.arguments ?? {});
      case "tool_completed": return [...this.#call(data.tool_call, data.tool_name, {}), ...result(data)];
      case "final_report": return this.#report(data.report, offset);
      case "agent_completed": return this.#completed(data);
      case "agent_failed": return this.#failed(data);
      default: return [];
    }
  }

  /** A call that is not in the message yet. */
  #call(toolCallId: string, toolName: string, input: JSON, title?: string): Chunk[] {
    if (this.#calls.has(toolCallId)) return [];
    this.#calls.add(toolCallId);
    return [{ type: "tool-input-available", toolCallId, toolName, input, ...OURS, ...(title !== undefined && { title }) }];
  }

  /** A report that is the whole answer is its text. */
  #report(report: JSON, offset: number): Chunk[] {
    if (typeof report === "string" && !this.#texts.hasText) return this.#texts.whole("text", `report-${offset}`, report).map(textChunk);
    return [{ type: "data-report", id: this.#run, data: report }];
  }

  #completed({ outcome, ...more }: EventData["agent_completed"]): Chunk[] {
    const messageMetadata = { run: this.#run, ...more, outcome };
    if (outcome === "cancelled") return [metadata(messageMetadata), { type: "abort", reason: "The run was stopped." }];
    return [{ type: "finish", finishReason: "stop", messageMetadata }];
  }

  #failed({ reason, reference, message }: EventData["agent_failed"]): Chunk[] {
    return [metadata({ run: this.#run, outcome: "failed", reason, reference }), { type: "error", errorText: withReference(message, reference) }];
  }

  #question(event: GreenroomEvent<"input_requested" | "input_answered" | "input_closed">): Chunk[] {
    const toolCallId = event.data.ask;
    if (event.kind === "input_requested") return this.#asked(event.data);
    if (!this.#calls.has(toolCallId)) return [];
    if (event.kind === "input_closed") return [{ type: "tool-output-error", toolCallId, errorText: CLOSED[event.data.reason], ...OURS }];
    return this.#answered(toolCallId, event.data.value);
  }

  #asked({ ask, prompt, options, ...more }: EventData["input_requested"]): Chunk[] {
    const asked = this.#call(ask, QUESTION, { prompt, ...(options && { options }), ...more }, prompt);
    if (!yesOrNo(options)) return asked;
    this.#approvals.add(ask);
    return [...asked, { type: "tool-approval-request", approvalId: ask, toolCallId: ask }];
  }

  #answered(toolCallId: string, value: JSON): Chunk[] {
    const approved = isYes(value);
    const response: Chunk[] = this.#approvals.has(toolCallId) ? [{ type: "tool-approval-response", approvalId: toolCallId, approved }] : [];
    const isDenied = response.length && !approved;
    return [...response, isDenied ? { type: "tool-output-denied", toolCallId } : { type: "tool-output-available", toolCallId, output: value, ...OURS }];
  }

  /** A sub-run is a tool, whose output so far is its `RunState`. */
  #subRun(event: GreenroomEvent): Chunk[] {
    const state = fold(this.#subRuns.get(event.run) ?? emptyRun(event.run), event);
    this.#subRuns.set(event.run, state);
    const input = event.kind === "agent_started" ? (event.data.input ?? {}) : {};
    const call = this.#call(event.run, state.agent ?? "agent", input);
    return [...(call.length ? this.#texts.end().map(textChunk) : []), ...call, subRunOutput(event, state)];
  }
}

function subRunOutput({ kind, data, run }: GreenroomEvent, output: RunState): Chunk {
  if (kind === "agent_failed") return { type: "tool-output-error", toolCallId: run, errorText: withReference(data.message, data.reference), ...OURS };
  const isOver = kind === "agent_completed";
  return { type: "tool-output-available", toolCallId: run, output, ...OURS, ...(!isOver && { preliminary: true }) };
}

function result({ tool_call, result: output, error, reference, duration_ms }: EventData["tool_completed"]): Chunk[] {
  const toolMetadata = { duration_ms, ...(reference !== undefined && { reference }) };
  if (error === undefined) return [{ type: "tool-output-available", toolCallId: tool_call, output: output ?? null, toolMetadata, ...OURS }];
  return [{ type: "tool-output-error", toolCallId: tool_call, errorText: withReference(error, reference), toolMetadata, ...OURS }];
}

function textChunk({ step, as, id, text }: TextStep): Chunk {
  const type = TEXT[as][step];
  return (step === "add" ? { type, id, delta: text } : { type, id }) as Chunk;
}

const metadata = (messageMetadata: GreenroomMetadata): Chunk => ({ type: "message-metadata", messageMetadata });

const withReference = (message: string, reference: string | undefined): string => (reference ? `${message} Reference: ${reference}` : message);
