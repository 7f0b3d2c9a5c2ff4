// The server's own AG-UI and AI SDK streams, read by the real clients of these protocols, without ours.

import { Chat } from "@ai-sdk/react";
import { type BaseEvent, enforceEvents, HttpAgent, parseSSEStream, runHttpRequest, transformChunks, type UserMessage, verifyEvents } from "@ag-ui/client";
import { stream } from "@durable-streams/client";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessage } from "ai";
import { lastValueFrom, toArray } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AGENT } from "./live_agent.js";
import { hasGreenroom, LiveServer, token } from "./live_server.js";

const server = new LiveServer(AGENT);
let users = 0;

const page = () => ({ Authorization: `Bearer ${token(`user-${(users += 1)}`)}` });
const at = (path: string) => `http://127.0.0.1:${server.port}/live/${path}`;

describe.skipIf(!hasGreenroom)("a real server", () => {
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  describe("with HttpAgent of AG-UI", () => {
    it.each([["hello", "One two"], ["tools", "One two"], ["team", "One found goldtwo"], ["ask", "One "], ["crash", "One "]])("answers %s, and again from each event on", async (said, text) => {
      const headers = page();
      const agent = agentOf(headers, said);
      const events: BaseEvent[] = [];
      await agent.runAgent({ runId: "run-1" }, { onEvent: ({ event }) => void events.push(event) }).catch(() => {}); // a crash
      expect(textOf(events)).toBe(text);
      const end = events.at(-1)?.type;
      const places = events.flatMap(({ metadata }) => (metadata?.["greenroom"]?.epoch ? [metadata["greenroom"]] : []));
      expect(places.length).toBeGreaterThan(1);
      for (const { epoch, offset } of places.slice(0, -1)) {
        const rest = await readAlong(headers, `${epoch}:${offset}`);
        expect(rest.at(-1)?.type).toBe(end);
        expect(textOf(events)).toMatch(new RegExp(`${textOf(rest)}$`));
      }
      expect(textOf(await readAlong(headers, "-1"))).toBe(textOf(events));
    });

    it("sends the files that a message holds", async () => {
      const agent = agentOf(page(), [
        { type: "text", text: "hello" },
        { type: "document", source: { type: "data", value: btoa("so it goes"), mimeType: "text/plain" }, metadata: { filename: "poem.txt" } },
      ]);
      await agent.runAgent();
      expect(agent.messages.at(-1)?.content).toBe("One poem.txt text/plain so it goes two");
    });

    it("is interrupted by a question, and resumed by the answer", async () => {
      const agent = agentOf(page(), "ask");
      await agent.runAgent();
      expect(agent.pendingInterrupts).toMatchObject([{ message: "Sure?", reason: "confirmation" }]);
      await agent.runAgent({ resume: [{ interruptId: agent.pendingInterrupts[0]?.id as string, status: "resolved", payload: "yes" }] });
      expect(agent.messages.map(({ content }) => content)).toEqual(["ask", "One ", "yestwo"]);
    });

    it("answers what is said next in the same thread, and shows a stop", async () => {
      const agent = agentOf(page(), "hello");
      await agent.runAgent();
      agent.addMessage({ id: "message-2", role: "user", content: "wait" });
      let outcome: unknown;
      await agent.runAgent({}, {
        onTextMessageContentEvent: () => void stop(agent),
        onRunFinishedEvent: ({ event }) => void (outcome = event.outcome),
      });
      expect(outcome).toEqual({ type: "cancelled" });
      expect(agent.messages.map(({ content }) => content)).toEqual(["hello", "One two", "wait", "One "]);
    });
  });

  it("goes on when it is killed in the middle of an answer, and is read from the last event on", async () => {
    const headers = page();
    const agent = agentOf(headers, "wait");
    const events: BaseEvent[] = [];
    const said = new Promise<void>((resolve) => agent.subscribe({ onTextMessageContentEvent: () => resolve(), onEvent: ({ event }) => void events.push(event) }));
    const running = agent.runAgent({ runId: "run-1" }).catch(() => {}); // its stream breaks off
    await said;
    await server.kill();
    await server.start();
    await running;
    const { epoch, offset } = events.findLast(({ metadata }) => metadata?.["greenroom"]?.epoch)?.metadata?.["greenroom"];
    expect(textOf(await readAlong(headers, `${epoch}:${offset}`))).toBe("two");
    expect(textOf(await readAlong(headers, "-1"))).toBe("One two");
  });

  describe("with DefaultChatTransport of the AI SDK", () => {
    it("answers with tools, also one that failed", async () => {
      const { chat, answer } = chatOf();
      await chat.sendMessage({ text: "tools" });
      expect(answer()?.parts).toMatchObject([
        { type: "text", text: "One " },
        { type: "dynamic-tool", toolName: "add", state: "output-available", input: { a: 1 }, output: 2 },
        { type: "dynamic-tool", toolName: "break", state: "output-error" },
        { type: "text", text: "two" },
      ]);
    });

    it("sends the files that a message holds, and of a conversation only what is new", async () => {
      const { chat } = chatOf();
      const file = { type: "file", url: `data:text/plain;base64,${btoa("so it goes")}`, mediaType: "text/plain", filename: "poem.txt" } as const;
      await chat.sendMessage({ text: "hello", files: [file] });
      await chat.sendMessage({ text: "hello", files: [file, { ...file, filename: "again.txt" }] });
      const poem = "poem.txt text/plain so it goes ";
      expect(chat.messages.filter(({ role }) => role === "assistant").map(textIn)).toEqual([`One ${poem}two`, `One ${poem}again.txt text/plain so it goes two`]);
    });

    it.each([["team", "One two", "ready"], ["crash", "One ", "error"]])("answers %s", async (said, text, status) => {
      const { chat, answer } = chatOf();
      await chat.sendMessage({ text: said });
      expect([textIn(answer()), chat.status]).toEqual([text, status]);
    });

    it.each([[true, "One yestwo"], [false, "One notwo"]])("asks for an approval, and goes on with it: %s", async (approved, said) => {
      const { chat, answer } = chatOf();
      await chat.sendMessage({ text: "ask" });
      await chat.addToolApprovalResponse({ id: approvalOf(answer()) as string, approved });
      await until(() => textIn(answer()) === said && chat.status === "ready");
      expect(chat.messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    });

    it("is loaded again in the middle of an answer, and reads it from its beginning", async () => {
      const first = chatOf();
      void first.chat.sendMessage({ text: "wait" });
      await until(() => textIn(first.answer()) === "One ");
      const again = chatOf(first.headers, first.chat.messages);
      const resuming = again.chat.resumeStream();
      await until(() => again.chat.status === "streaming");
      await fetch(at("ai-sdk/chat-1/stop"), { method: "POST", headers: { ...first.headers, "Content-Type": "application/json" } });
      await resuming;
      expect(again.chat.messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
      expect(textIn(again.answer())).toBe("One ");
      const third = chatOf(first.headers, again.chat.messages);
      await third.chat.resumeStream();
      expect(third.chat.messages).toHaveLength(2);
    });
  });

  describe("with the client of Durable Streams", () => {
    it("has a user's log, and follows it", async () => {
      const headers = page();
      const agent = agentOf(headers, "hello");
      await agent.runAgent();
      const url = at("stream");
      const whole = await stream<{ kind: string; offset: number }>({ url, headers, offset: "-1", live: false });
      const events = await whole.json();
      expect(events.map(({ kind }) => kind)).toEqual(["user_said", "agent_started", "partial_result", "partial_result", "agent_completed"]);
      let place = whole.offset;
      for (const live of ["sse", "long-poll"] as const) {
        const followed = await stream<{ kind: string }>({ url, headers, offset: place, live });
        const kinds: string[] = [];
        const ended = new Promise<void>((resolve) => followed.subscribeJson(({ items, offset }) => {
          kinds.push(...items.map(({ kind }) => kind));
          place = offset;
          if (kinds.includes("agent_completed")) resolve();
        }));
        agent.addMessage({ id: live, role: "user", content: "hello" });
        await agent.runAgent();
        await ended;
        followed.cancel();
        expect(kinds).toEqual(events.map(({ kind }) => kind));
      }
    });
  });
});

const agentOf = (headers: Record<string, string>, content: UserMessage["content"]): HttpAgent =>
  new HttpAgent({ url: at("ag-ui"), headers, initialMessages: [{ id: "message-1", role: "user", content }] });

async function stop({ threadId, headers }: HttpAgent): Promise<void> {
  await fetch(at("ag-ui/stop"), { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify({ threadId }) });
}

/** Through the pipeline in which `HttpAgent` has its events checked. */
function readAlong(headers: Record<string, string>, place: string): Promise<BaseEvent[]> {
  const answer = runHttpRequest(() => fetch(at("ag-ui?runId=run-1"), { headers: { ...headers, "Last-Event-ID": place } }));
  return lastValueFrom(parseSSEStream(answer).pipe(enforceEvents(), transformChunks(), verifyEvents(), toArray()));
}

const textOf = (events: readonly BaseEvent[]): string =>
  events.map((event) => (event.type === "TEXT_MESSAGE_CONTENT" ? (event as BaseEvent & { delta: string }).delta : "")).join("");

function chatOf(headers = page(), messages: UIMessage[] = []) {
  const transport = new DefaultChatTransport<UIMessage>({
    api: at("ai-sdk"), headers,
    prepareSendMessagesRequest: ({ id, messages, trigger, messageId }) => ({ body: { id, messages: messages.slice(-1), trigger, messageId } }), // as docs/ai-sdk.md has it
  });
  const chat = new Chat<UIMessage>({ id: "chat-1", transport, messages, sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses });
  return { headers, chat, answer: () => chat.messages.find(({ role }) => role === "assistant") };
}

const textIn = (message: UIMessage | undefined) => message?.parts.map((part) => (part.type === "text" ? part.text : "")).join("");

const approvalOf = (message: UIMessage | undefined) =>
  message?.parts.flatMap((part) => (part.type === "dynamic-tool" && part.state === "approval-requested" ? [part.approval.id] : []))[0];

async function until(holds: () => unknown): Promise<void> {
  while (!holds()) await new Promise((later) => setTimeout(later, 5));
}
