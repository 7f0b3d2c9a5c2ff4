// A run as its events tell it, folded one by one. Pure.

import type { GreenroomEvent, JSON, Usage } from "../protocol/events.js";

export interface ToolCall {
  readonly tool_call: string;
  readonly tool_name: string;
  readonly arguments?: JSON | undefined;
  readonly status: "executing" | "completed" | "failed";
  readonly result?: JSON | undefined;
  readonly error?: string | undefined;
}

export interface Question {
  readonly ask: string;
  readonly prompt: string;
  readonly options?: readonly JSON[] | undefined;
  readonly schema?: JSON | undefined;
  readonly expires?: number | undefined;
  readonly status: "open" | "answered" | "expired" | "withdrawn";
  readonly value?: JSON | undefined;
}

export interface RunState {
  readonly run: string;
  /** Unknown (undefined) until an event of the run came. */
  readonly thread?: string | undefined;
  /** The run that this one is a part of. */
  readonly parent?: string | undefined;
  readonly agent?: string | undefined;
  /** `waiting` until the agent started. */
  readonly status: "waiting" | "running" | "ok" | "cancelled" | "failed";
  readonly attempt: number;
  /** What the user said. */
  readonly said?: JSON | undefined;
  /** The partial results, as one text. Another attempt begins anew. */
  readonly text: string;
  /** What attempts that were interrupted had written, if they had. */
  readonly earlier?: readonly string[] | undefined;
  /** Thoughts that come in pieces, by their number; a whole thought stands in `thinking`, the newest only. */
  readonly thoughts: readonly string[];
  readonly thinking?: string | undefined;
  readonly tools: readonly ToolCall[];
  readonly questions: readonly Question[];
  readonly report?: JSON | undefined;
  readonly error?: GreenroomEvent<"agent_failed">["data"] | undefined;
  /** What it used, from agents that count it: tokens, requests. */
  readonly usage?: Usage | undefined;
}

export const emptyRun = (run: string): RunState => ({ run, status: "waiting", attempt: 0, text: "", thoughts: [], tools: [], questions: [] });

export const hasEnded = ({ status }: RunState): boolean => status !== "waiting" && status !== "running";

export function fold(run: RunState, event: GreenroomEvent): RunState {
  return { ...run, thread: event.thread, parent: event.parent ?? undefined, ...change(run, event) };
}

function change(run: RunState, { kind, data }: GreenroomEvent): Partial<RunState> {
  switch (kind) {
    case "user_said": return { said: data.body };
    case "agent_started": return { ...anew(run), agent: data.agent, status: "running", attempt: data.attempt ?? 1 };
    case "agent_thinking": return think(run, data);
    case "partial_result": return { text: run.text + data.text };
    case "tool_executing": return { tools: [...run.tools, { ...data, status: "executing" }] };
    case "tool_completed": return { tools: run.tools.map((tool) => (tool.tool_call === data.tool_call ? completed(tool, data) : tool)) };
    case "input_requested": return { questions: [...run.questions, { ...data, status: "open" }] };
    case "input_answered": return settled(run, data.ask, { status: "answered", value: data.value });
    case "input_closed": return settled(run, data.ask, { status: data.reason });
    case "final_report": return { report: data.report };
    case "agent_completed": return { status: data.outcome, usage: data.usage };
    case "agent_failed": return { status: "failed", error: data };
    case "superseded": return {};
  }
}

/** The attempt that was interrupted has said what this one says again. */
const anew = ({ text, earlier = [] }: RunState) => text && { text: "", earlier: [...earlier, text] };

function think(run: RunState, { text, thought, index }: GreenroomEvent<"agent_thinking">["data"]): Partial<RunState> {
  if (thought === undefined || index === undefined) return { thinking: text };
  const thoughts = [...run.thoughts];
  while (thoughts.length <= thought) thoughts.push("");
  thoughts[thought] += text;
  return { thoughts };
}

const completed = (tool: ToolCall, { result, error }: GreenroomEvent<"tool_completed">["data"]): ToolCall => ({
  ...tool, result, error, status: error === undefined ? "completed" : "failed",
});

const settled = ({ questions }: RunState, ask: string, change: Partial<Question>): Partial<RunState> => ({
  questions: questions.map((question) => (question.ask === ask ? { ...question, ...change } : question)),
});
