// The transport under the real AI SDK, against a real server.

import { Chat } from "@ai-sdk/react";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import WebSocket from "ws";
import { greenroomTransport, type GreenroomMessage, threadMessages } from "../src/ai_sdk.js";
import { type Client, connect } from "../src/index.js";
import { FakeStore } from "./fake_server.js";
import { AGENT } from "./live_agent.js";
import { hasGreenroom, LiveServer, token } from "./live_server.js";

const server = new LiveServer(AGENT);
let users = 0;

describe.skipIf(!hasGreenroom)("a chat with a real server", () => {
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  it("has an answer with its tools, also one that failed", async () => {
    const { chat, answer } = joined();
    await chat.sendMessage({ text: "tools" });
    expect(answer()?.parts).toMatchObject([
      { type: "text", text: "One " },
      { type: "dynamic-tool", toolName: "add", state: "output-available", input: { a: 1 }, output: 2 },
      { type: "dynamic-tool", toolName: "break", state: "output-error" },
      { type: "text", text: "two" },
    ]);
    expect(JSON.stringify(answer())).not.toContain("secret");
  });

  it("sends the files of a message beside it, and again with what is asked again", async () => {
    const { chat, client, answer } = joined();
    const bodies: unknown[] = [];
    client.on("user_said", ({ data }) => bodies.push([data.body, data.files?.length]));
    const data = { type: "file", mediaType: "text", filename: "a.txt", url: "data:text/plain;base64,aGk=" } as const;
    const link = { type: "file", mediaType: "image/png", url: "https://example.com/b.png" } as const;
    await chat.sendMessage({ text: "look", files: [data, link] });
    expect(textOf(answer())).toBe("One a.txt text/plain hi two");
    await chat.regenerate();
    expect(textOf(answer())).toBe("One a.txt text/plain hi two");
    expect(bodies).toEqual(Array(2).fill([{ text: "look", files: [{ url: link.url, mediaType: link.mediaType }] }, 1]));
  });

  it.each([
    [true, "output-available", "One yestwo"],
    [false, "output-denied", "One notwo"],
  ])("has an approval answered: %s", async (approved, state, said) => {
    const { chat, transport, answer } = joined();
    const sending = chat.sendMessage({ text: "ask" });
    await until(() => approvalOf(answer()));
    await transport.addToolApprovalResponse({ id: approvalOf(answer()) as string, approved });
    await sending;
    expect(answer()?.parts[1]).toMatchObject({ state, approval: { approved } });
    expect(textOf(answer())).toBe(said);
  });

  it("stops the run", async () => {
    const { chat, client, answer } = joined();
    void chat.sendMessage({ text: "wait" });
    await until(() => textOf(answer()) === "One ");
    const ended = new Promise((resolve) => client.on("agent_completed", ({ data }) => resolve(data.outcome)));
    await chat.stop();
    expect(await ended).toBe("cancelled");
  });

  it("stops the run, and closes the question that waits", async () => {
    const { chat, transport, answer } = joined();
    const sending = chat.sendMessage({ text: "ask" });
    await until(() => approvalOf(answer()));
    await transport.stop();
    await sending;
    expect(answer()?.parts[1]).toMatchObject({ state: "output-error" });
    expect(answer()?.metadata).toMatchObject({ outcome: "cancelled" });
  });

  it("is loaded again in the middle of an answer, and reads on", async () => {
    const first = joined();
    void first.chat.sendMessage({ text: "ask" });
    await until(() => approvalOf(first.answer()));
    const thread = first.answer()?.metadata?.thread as string;
    first.client.close();
    const { chat, transport, client, answer } = joined({ user: first.user, store: first.store, thread });
    chat.messages = await threadMessages(client, thread);
    const resuming = chat.resumeStream();
    await until(() => chat.status === "streaming");
    await transport.addToolApprovalResponse({ id: approvalOf(answer()) as string, approved: true });
    await resuming;
    expect(chat.messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(textOf(answer())).toBe("One yestwo");
  });

  it("goes on when the server is killed in the middle of an answer, and says nothing twice", async () => {
    const { chat, answer } = joined();
    const sending = chat.sendMessage({ text: "wait" });
    await until(() => textOf(answer()) === "One ");
    await server.kill();
    await server.start();
    await sending;
    expect(answer()?.metadata).toMatchObject({ attempt: 2, outcome: "ok" });
    expect(textOf(answer())).toBe("One two");
  });
});

interface Page {
  user: string;
  store: FakeStore;
  client: Client;
  transport: ReturnType<typeof greenroomTransport>;
  chat: Chat<GreenroomMessage>;
  answer(): GreenroomMessage | undefined;
}

function joined({ user = `user-${(users += 1)}`, store = new FakeStore(), thread }: { user?: string; store?: FakeStore; thread?: string } = {}): Page {
  const client = connect({
    url: server.url, getToken: async () => token(user), WebSocket: WebSocket as unknown as typeof globalThis.WebSocket, store, random: () => 0.1,
  });
  onTestFinished(() => client.close());
  const transport = greenroomTransport(client, { thread });
  const chat = new Chat<GreenroomMessage>({ transport });
  return { user, store, client, transport, chat, answer: () => chat.messages.find(({ role }) => role === "assistant") };
}

const textOf = (message: GreenroomMessage | undefined) => message?.parts.map((part) => (part.type === "text" ? part.text : "")).join("");

const approvalOf = (message: GreenroomMessage | undefined) =>
  message?.parts.flatMap((part) => (part.type === "dynamic-tool" && part.state === "approval-requested" ? [part.approval.id] : []))[0];

async function until(holds: () => unknown): Promise<void> {
  while (!holds()) await new Promise((later) => setTimeout(later, 5));
}
