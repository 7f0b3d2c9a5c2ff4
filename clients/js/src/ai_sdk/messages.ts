// Messages of the AI SDK: what they say to the agent, what they answer, and those of a thread.

import { readUIMessageStream, type UIMessage } from "ai";
import type { Client } from "../client.js";
import type { GreenroomEvent, JSON } from "../protocol/events.js";
import { familyEvents } from "../projection/family.js";
import { QUESTION, yesOrNo } from "../projection/questions.js";
import { textOf } from "../projection/said.js";
import { eventLog } from "../views/event_log.js";
import { type Chunk, Chunks, type GreenroomMessage } from "./chunks.js";

/** The text of a message; with files `{text, files}`. */
export function bodyOf({ parts }: UIMessage): JSON {
  const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  const files = parts.flatMap((part) => (part.type === "file" ? [fileOf(part)] : []));
  return files.length ? { text, files } : text;
}

const fileOf = ({ url, mediaType, filename }: { url: string; mediaType: string; filename?: string }): JSON => ({ url, mediaType, ...(filename !== undefined && { filename }) });

export interface Answer {
  readonly ask: string;
  readonly value: JSON;
}

/** What a message has as answers to questions that are still open. */
export function answersIn(message: UIMessage | undefined, open: readonly GreenroomEvent<"input_requested">[]): Answer[] {
  const parts = (message?.parts ?? []).filter((part) => part.type === "dynamic-tool" && part.toolName === QUESTION);
  return open.flatMap(({ data: { ask, options } }) => {
    const part = parts.find((each) => each.type === "dynamic-tool" && each.toolCallId === ask);
    if (part?.type !== "dynamic-tool") return [];
    if (part.state === "output-available") return [{ ask, value: part.output as JSON }];
    const choice = part.state === "approval-responded" && yesOrNo(options);
    return choice ? [{ ask, value: part.approval.approved ? choice.yes : choice.no }] : [];
  });
}

/** The newest messages of a thread, for `useChat({ messages })`: of its last `limit` events (1 to 200). */
export async function threadMessages(client: Client, thread: string, { limit = 200 }: { limit?: number } = {}): Promise<GreenroomMessage[]> {
  const view = eventLog(client).thread(thread);
  await view.load(limit);
  const runs = view.state.runs.filter(({ parent }) => !parent);
  return (await Promise.all(runs.map(({ run }) => messagesOf(run, familyEvents(eventLog(client), run))))).flat();
}

async function messagesOf(run: string, events: readonly GreenroomEvent[]): Promise<GreenroomMessage[]> {
  const said = events.flatMap((event) => (event.kind === "user_said" ? [userMessage(event.data)] : []));
  return events.length > said.length ? [...said, await answerOf(run, events)] : said;
}

const userMessage = ({ say, body }: { say: string; body: JSON }): GreenroomMessage => ({ id: say, role: "user", parts: [{ type: "text", text: textOf(body) }] });

async function answerOf(run: string, events: readonly GreenroomEvent[]): Promise<GreenroomMessage> {
  const chunks = new Chunks(run);
  const stream = streamOf(joined([...chunks.begin(), ...events.flatMap((event) => chunks.of(event))]));
  let message: GreenroomMessage = { id: run, role: "assistant", parts: [] };
  for await (const each of readUIMessageStream<GreenroomMessage>({ message, stream, onError: () => {} })) message = each; // an error is in the metadata
  return message;
}

/** Pieces of one text as one: the AI SDK copies the message at each chunk. */
function joined(chunks: readonly Chunk[]): Chunk[] {
  const out: Chunk[] = [];
  for (const chunk of chunks) {
    const last = out.at(-1);
    if (isDelta(chunk) && last && isDelta(last) && last.id === chunk.id) out[out.length - 1] = { ...last, delta: last.delta + chunk.delta };
    else out.push(chunk);
  }
  return out;
}

const isDelta = (chunk: Chunk): chunk is Chunk & { type: "text-delta" | "reasoning-delta" } => chunk.type === "text-delta" || chunk.type === "reasoning-delta";

const streamOf = (chunks: readonly Chunk[]): ReadableStream<Chunk> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
