// The messages that AG-UI events add up to, and those of a thread. Pure.

import { type AGUIEvent, type AssistantMessage, EventType, type Message, type ReasoningMessage } from "@ag-ui/client";
import { familyEvents } from "../projection/family.js";
import { textOf } from "../projection/said.js";
import type { GreenroomEvent } from "../protocol/events.js";
import type { EventLog } from "../views/event_log.js";
import { AgUiEvents } from "./events.js";

type Text = AssistantMessage | ReasoningMessage;

/** As `@ag-ui/client` adds them up: a snapshot is the same as the events before it. */
function added(messages: readonly Message[], events: readonly AGUIEvent[]): Message[] {
  const all = [...messages];
  for (const event of events) add(all, event);
  return all;
}

function add(messages: Message[], event: AGUIEvent): void {
  const by = "subagentRunId" in event && event.subagentRunId !== undefined ? { subagentRunId: event.subagentRunId } : {};
  const update = (id: string, change: (message: Message) => Message) => messages.splice(0, messages.length, ...messages.map((each) => (each.id === id ? change(each) : each)));
  switch (event.type) {
    case EventType.TEXT_MESSAGE_START: return void messages.push({ id: event.messageId, role: "assistant", content: "", ...by });
    case EventType.REASONING_MESSAGE_START: return void messages.push({ id: event.messageId, role: "reasoning", content: "", ...by });
    case EventType.TEXT_MESSAGE_CONTENT:
    case EventType.REASONING_MESSAGE_CONTENT: return void update(event.messageId, (message) => ({ ...message, content: (message as Text).content + event.delta }) as Text);
    case EventType.TOOL_CALL_START: return void messages.push({ id: event.toolCallId, role: "assistant", toolCalls: [{ id: event.toolCallId, type: "function", function: { name: event.toolCallName, arguments: "" } }], ...by });
    case EventType.TOOL_CALL_ARGS: return void update(event.toolCallId, (message) => withArguments(message as AssistantMessage, event.delta));
    case EventType.TOOL_CALL_RESULT: return void insertResult(messages, { id: event.messageId, role: "tool", toolCallId: event.toolCallId, content: event.content, ...(event.metadata && { metadata: event.metadata }), ...by });
    default: return;
  }
}

const withArguments = (message: AssistantMessage, delta: string): AssistantMessage => ({
  ...message, toolCalls: (message.toolCalls ?? []).map((call) => ({ ...call, function: { ...call.function, arguments: call.function.arguments + delta } })),
});

function insertResult(messages: Message[], result: Message & { role: "tool" }): void {
  const call = messages.findIndex(({ id }) => id === result.toolCallId);
  messages.splice(call < 0 ? messages.length : call + 1, 0, result);
}

/** A page's messages, with those of a thread's runs as they are known. Of the run that is followed, what was read of it counts. */
export function threadMessages(log: EventLog, thread: string, messages: readonly Message[], followed?: { run: string; events: readonly GreenroomEvent[] }): Message[] {
  const runs = log.thread(thread).state.runs.filter(({ parent }) => !parent).map(({ run }) => run);
  const ours = runs.flatMap((run) => messagesOf(run, run === followed?.run ? followed.events : familyEvents(log, run)));
  const ids = new Set(ours.map(({ id }) => id));
  return [...messages.filter(({ id }) => !ids.has(id) && !runs.some((run) => id.startsWith(run))), ...ours];
}

/** What the user said that began a run. */
const userMessages = (events: readonly GreenroomEvent[]): Message[] =>
  events.flatMap((event) => (event.kind === "user_said" ? [{ id: event.data.say, role: "user" as const, content: textOf(event.data.body) }] : []));

/** The messages of a run and its sub-runs. */
function messagesOf(run: string, events: readonly GreenroomEvent[]): Message[] {
  const face = new AgUiEvents(run, { threadId: "", runId: "" });
  return [...userMessages(events), ...added([], events.flatMap((event) => face.of(event)))];
}
