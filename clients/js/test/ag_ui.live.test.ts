// The agent of AG-UI, against a real server.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import WebSocket from "ws";
import { GreenroomAgent } from "../src/ag_ui.js";
import { type Client, connect } from "../src/index.js";
import { FakeStore } from "./fake_server.js";
import { AGENT } from "./live_agent.js";
import { hasGreenroom, LiveServer, token } from "./live_server.js";

const server = new LiveServer(AGENT);
let users = 0;

describe.skipIf(!hasGreenroom)("an AG-UI agent with a real server", () => {
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  it("reads an answer with its tools, also one that failed", async () => {
    const { agent } = joined();
    await agent.runAgent();
    expect(agent.messages.map(({ role }) => role)).toEqual(["user", "assistant", "assistant", "tool", "assistant", "tool", "assistant"]);
    expect(agent.messages[3]).toMatchObject({ content: "2" });
    expect(JSON.stringify(agent.messages)).not.toContain("secret");
  });

  it("sends parts with their bytes beside the message, as files", async () => {
    const { agent, client } = joined("");
    const said = new Promise((resolve) => client.on("user_said", ({ data }) => resolve(data.body)));
    const source = { type: "data", value: "aGk=", mimeType: "text/plain" } as const;
    agent.messages = [{ id: "m1", role: "user", content: [{ type: "text", text: "look" }, { type: "document", source, metadata: { filename: "a.txt" } }] }];
    await agent.runAgent();
    expect(agent.messages.at(-1)?.content).toBe("One a.txt text/plain hi two");
    expect(await said).toBe("look");
  });

  it("is interrupted by a question, loaded again, and resumed by the answer", async () => {
    const first = joined("ask");
    await first.agent.runAgent();
    first.client.close();
    const { agent } = joined("", first, first.agent.threadId);
    await agent.connectAgent();
    expect(agent.pendingInterrupts).toMatchObject([{ message: "Sure?" }]);
    await agent.runAgent({ resume: [{ interruptId: agent.pendingInterrupts[0]?.id as string, status: "resolved", payload: "yes" }] });
    expect(agent.messages.map(({ content }) => content)).toEqual(["ask", "One ", "yestwo"]);
  });

  it("goes on when the server is killed in the middle of an answer, and says nothing twice", async () => {
    const { agent } = joined("wait");
    const said = new Promise<void>((resolve) => agent.subscribe({ onTextMessageContentEvent: () => resolve() }));
    const running = agent.runAgent();
    await said;
    await server.kill();
    await server.start();
    await running;
    expect(agent.messages.map(({ content }) => content)).toEqual(["wait", "One ", "two"]); // a message for each attempt
  });
});

interface Page {
  user: string;
  store: FakeStore;
  client: Client;
  agent: GreenroomAgent;
}

function joined(text = "tools", { user, store }: { user: string; store: FakeStore } = { user: `user-${(users += 1)}`, store: new FakeStore() }, threadId?: string): Page {
  const client = connect({ url: server.url, getToken: async () => token(user), WebSocket: WebSocket as unknown as typeof globalThis.WebSocket, store, random: () => 0.1 });
  onTestFinished(() => client.close());
  const agent = new GreenroomAgent({ client, ...(threadId && { threadId }), initialMessages: text ? [{ id: "message-1", role: "user", content: text }] : [] });
  return { user, store, client, agent };
}
