// The agent, through the real pipeline of @ag-ui/client, which refuses what breaks the protocol.

import { type BaseEvent, EventType, type Message } from "@ag-ui/client";
import { describe, expect, it, onTestFinished } from "vitest";
import { GreenroomAgent } from "../src/ag_ui.js";
import { eventLog } from "../src/index.js";
import { FakeRuns, SUB_RUN, turn } from "./fake_runs.js";
import { eventsFrame, RUN, THREAD } from "./frames.js";

function agentOf(runs: FakeRuns, initialMessages: Message[] = []) {
  const agent = new GreenroomAgent({ client: runs.client, threadId: THREAD, initialMessages });
  const events: BaseEvent[] = [];
  agent.subscribe({ onEvent: ({ event }) => void events.push(event) });
  const types = () => events.map(({ type }) => type);
  const contents = () => agent.messages.map((message) => [message.role, message.content]);
  return { agent, events, types, contents };
}

/** A page on which the user asked, and the agent has begun. */
async function asked() {
  const runs = new FakeRuns();
  onTestFinished(() => runs.client.close());
  await runs.open();
  const page = agentOf(runs);
  page.agent.addMessage({ id: "say-1", role: "user", content: "How much?" });
  const running = begun(page.agent.runAgent());
  await turn();
  await runs.begin();
  return { runs, running, ...page };
}

/** The same page, loaded again. */
async function reloaded(runs: FakeRuns, messages: Message[] = []) {
  runs.page();
  const page = agentOf(runs, messages);
  const running = begun(page.agent.connectAgent());
  await runs.open();
  await turn();
  return { running, ...page };
}

/** What still runs when the test ends is given up. */
function begun<T>(running: Promise<T>): Promise<T> {
  running.catch(() => {});
  return running;
}

const last = (events: readonly BaseEvent[]) => events.at(-1);
const TEXT = ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"];

describe("a run", () => {
  it("says the user's message once, and reads its text and its report", async () => {
    const { runs, running, agent, types, contents } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    await runs.emit("partial_result", { text: "-two", index: 1 });
    await runs.emit("final_report", { report: { total: 42 } });
    await runs.emit("agent_completed", { outcome: "ok", usage: { output_tokens: 7 } } as never);
    expect((await running).result).toEqual({ total: 42 });
    expect(types()).toEqual(["RUN_STARTED", ...TEXT, "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "CUSTOM", "RUN_FINISHED"]);
    expect(contents()).toEqual([["user", "How much?"], ["assistant", "Forty-two"]]);
    expect(runs.sent("say")).toMatchObject([{ id: "say-1", body: "How much?", thread: THREAD }]);
    expect(agent.threadId).toBe(THREAD);
  });

  it("reads thoughts, whole ones and those in pieces", async () => {
    const { runs, contents } = await asked();
    await runs.emit("agent_thinking", { text: "Let me ", thought: 0, index: 0 });
    await runs.emit("agent_thinking", { text: "see", thought: 0, index: 1 });
    await runs.emit("agent_thinking", { text: "Reading" });
    await runs.emit("partial_result", { text: "42", index: 0 });
    expect(contents().slice(1)).toEqual([["reasoning", "Let me see"], ["reasoning", "Reading"], ["assistant", "42"]]);
  });

  it("reads tools, also one that failed", async () => {
    const { runs, agent } = await asked();
    await runs.emit("tool_executing", { tool_call: "call_1", tool_name: "get_costs", arguments: { month: "May" } });
    await runs.emit("tool_completed", { tool_call: "call_1", tool_name: "get_costs", result: { total: 42 }, duration_ms: 5 });
    await runs.emit("tool_executing", { tool_call: "call_2", tool_name: "send" });
    await runs.emit("tool_completed", { tool_call: "call_2", tool_name: "send", error: "The tool failed.", reference: "evt_6", duration_ms: 5 });
    expect(agent.messages.slice(1)).toMatchObject([
      { role: "assistant", toolCalls: [{ id: "call_1", function: { name: "get_costs", arguments: '{"month":"May"}' } }] },
      { role: "tool", toolCallId: "call_1", content: '{"total":42}' },
      { role: "assistant", toolCalls: [{ id: "call_2" }] },
      { role: "tool", toolCallId: "call_2", content: "The tool failed. Reference: evt_6", metadata: { greenroom: { reference: "evt_6" } } },
    ]);
  });

  it("reads a sub-run as a subagent", async () => {
    const { runs, running, agent, types } = await asked();
    const of = { run: SUB_RUN, parent: RUN };
    await runs.emit("agent_started", { agent: "scout" }, of);
    await runs.emit("partial_result", { text: "Found", index: 0 }, of);
    await runs.emit("agent_failed", { error: "Error", message: "It failed.", reason: "crash", reference: "evt_5" }, of);
    await runs.emit("agent_completed", { outcome: "ok" });
    await running;
    expect(types()).toEqual(["RUN_STARTED", "SUBAGENT_STARTED", ...TEXT, "TEXT_MESSAGE_END", "SUBAGENT_ERROR", "RUN_FINISHED"]);
    expect(agent.messages[1]).toMatchObject({ content: "Found", subagentRunId: SUB_RUN });
  });

  it("that fails ends with the neutral sentence and the reference", async () => {
    const { runs, running, events } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    await runs.emit("agent_failed", { error: "Error", message: "Something went wrong.", reason: "crash", reference: "evt_7" });
    await running;
    expect(last(events)).toMatchObject({ type: EventType.RUN_ERROR, message: "Something went wrong. Reference: evt_7", code: "crash" });
  });

  it("that is stopped elsewhere is cancelled", async () => {
    const { runs, running, events } = await asked();
    await runs.emit("agent_completed", { outcome: "cancelled" });
    await running;
    expect(last(events)).toMatchObject({ type: EventType.RUN_FINISHED, outcome: { type: "cancelled" } });
  });

  it("is cancelled by abortRun, which waits for nothing", async () => {
    const { runs, running, agent, events } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    agent.abortRun();
    await running;
    await turn();
    expect(last(events)).toMatchObject({ outcome: { type: "cancelled" } });
    expect(runs.sent("cancel")).toMatchObject([{ run: RUN }]);
  });

  it("goes on when its page only detaches from it", async () => {
    const { runs, running, agent } = await asked();
    await agent.detachActiveRun();
    await running;
    expect(runs.sent("cancel")).toEqual([]);
  });

  it("is said again with another id, and so is another run", async () => {
    const { runs, running, agent } = await asked();
    await runs.emit("agent_completed", { outcome: "ok" });
    await running;
    void begun(agent.runAgent());
    await turn();
    expect(runs.sent("say").map(({ id }) => id === "say-1")).toEqual([true, false]);
  });

  it("is read by a clone of the agent, too", async () => {
    const { runs, running, agent } = await asked();
    await runs.emit("agent_completed", { outcome: "ok" });
    await running;
    void begun(agent.clone().runAgent());
    await turn();
    expect(runs.sent("say")).toHaveLength(2);
  });
});

describe("a question", () => {
  const YES_OR_NO = { ask: "ask_1", prompt: "Book it?", options: ["yes", "no"], expires: 4_000_000_000_000 };

  it("is an interrupt, whose answer resumes the run", async () => {
    const { runs, running, agent, events, contents } = await asked();
    await runs.emit("partial_result", { text: "Well", index: 0 });
    await runs.emit("input_requested", YES_OR_NO);
    await running;
    expect(last(events)).toMatchObject({ outcome: { type: "interrupt", interrupts: [{ id: "ask_1", message: "Book it?", responseSchema: { enum: ["yes", "no"] } }] } });
    const resumed = begun(agent.runAgent({ resume: [{ interruptId: "ask_1", status: "resolved", payload: { approved: true } }] }));
    await turn();
    expect(runs.sent("answer")).toMatchObject([{ ask: "ask_1", value: "yes" }]);
    await runs.emit("input_answered", { ask: "ask_1", value: "yes", session: "sess_1" });
    await runs.emit("partial_result", { text: "Booked", index: 1 });
    await runs.emit("agent_completed", { outcome: "ok" });
    await resumed;
    expect(contents()).toEqual([["user", "How much?"], ["assistant", "Well"], ["assistant", "Booked"]]);
    expect(agent.pendingInterrupts).toEqual([]);
  });

  it("that is refused is answered with no, or stops the run where no is no answer", async () => {
    const { runs, running, agent } = await asked();
    await runs.emit("input_requested", YES_OR_NO);
    await running;
    void begun(agent.runAgent({ resume: [{ interruptId: "ask_1", status: "cancelled" }] }));
    await turn();
    expect(runs.sent("answer")).toMatchObject([{ value: "no" }]);
    const other = await asked();
    await other.runs.emit("input_requested", { ask: "ask_2", prompt: "Where to?" });
    await other.running;
    void begun(other.agent.runAgent({ resume: [{ interruptId: "ask_2", status: "cancelled" }] }));
    await turn();
    expect(other.runs.sent("cancel")).toMatchObject([{ run: RUN }]);
  });

  it("of a subagent suspends it, and it goes on in the next AG-UI run", async () => {
    const { runs, running, agent, types, events } = await asked();
    const of = { run: SUB_RUN, parent: RUN };
    await runs.emit("agent_started", { agent: "scout" }, of);
    await runs.emit("input_requested", YES_OR_NO, of);
    await running;
    expect(types().slice(-2)).toEqual(["SUBAGENT_FINISHED", "RUN_FINISHED"]);
    expect(last(events)).toMatchObject({ outcome: { interrupts: [{ subagentRunId: SUB_RUN }] } });
    const resumed = begun(agent.runAgent({ resume: [{ interruptId: "ask_1", status: "resolved", payload: "yes" }] }));
    await turn();
    await runs.emit("input_answered", { ask: "ask_1", value: "yes", session: "sess_1" });
    await runs.emit("agent_completed", { outcome: "ok" }, of);
    await runs.emit("agent_completed", { outcome: "ok" });
    await resumed;
    expect(types().slice(-5)).toEqual(["RUN_STARTED", "MESSAGES_SNAPSHOT", "SUBAGENT_STARTED", "SUBAGENT_FINISHED", "RUN_FINISHED"]);
  });
});

describe("a page that is loaded again", () => {
  it("in the middle of an answer has it so far, and what follows, each once", async () => {
    const { runs } = await asked();
    await runs.emit("agent_thinking", { text: "Hm", thought: 0, index: 0 });
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    const { running, contents, types } = await reloaded(runs);
    expect(contents()).toEqual([["user", "How much?"], ["reasoning", "Hm"], ["assistant", "Forty"]]);
    await runs.emit("partial_result", { text: "-two", index: 1 });
    await runs.emit("agent_completed", { outcome: "ok" });
    await running;
    expect(contents()[2]).toEqual(["assistant", "Forty-two"]);
    expect(types()).toEqual(["RUN_STARTED", "MESSAGES_SNAPSHOT", ...TEXT, "TEXT_MESSAGE_END", "RUN_FINISHED"]);
  });

  it("and kept its messages has none of them twice", async () => {
    const { runs, agent } = await asked();
    await runs.emit("agent_thinking", { text: "Hm", thought: 0, index: 0 });
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    await runs.emit("tool_executing", { tool_call: "call_1", tool_name: "get_costs" });
    const kept = [{ id: "earlier", role: "user", content: "Hello" } as Message, ...agent.messages];
    const { agent: again } = await reloaded(runs, kept);
    expect(again.messages.map(({ id }) => id)).toEqual(kept.map(({ id }) => id));
    expect(again.messages[3]?.content).toBe("Forty");
  });

  it("while a question is open is interrupted by it", async () => {
    const { runs } = await asked();
    await runs.emit("input_requested", { ask: "ask_1", prompt: "Where to?" });
    const { agent, running } = await reloaded(runs);
    await running;
    expect(agent.pendingInterrupts).toMatchObject([{ id: "ask_1", message: "Where to?" }]);
    void begun(agent.runAgent({ resume: [{ interruptId: "ask_1", status: "resolved", payload: "Oslo" }] }));
    await turn();
    expect(runs.sent("answer")).toMatchObject([{ ask: "ask_1", value: "Oslo" }]);
  });

  it("while nothing goes on has the conversation", async () => {
    const { runs } = await asked();
    await runs.emit("partial_result", { text: "Forty-two", index: 0 });
    await runs.emit("agent_completed", { outcome: "ok" });
    const { running, contents, types } = await reloaded(runs);
    await running;
    expect(types()).toEqual(["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]);
    expect(contents()).toEqual([["user", "How much?"], ["assistant", "Forty-two"]]);
  });

  it("in the middle of a sub-run has its text as the subagent's", async () => {
    const { runs } = await asked();
    const of = { run: SUB_RUN, parent: RUN };
    await runs.emit("agent_started", { agent: "scout" }, of);
    await runs.emit("partial_result", { text: "Fou", index: 0 }, of);
    const { running, agent, types } = await reloaded(runs);
    await runs.emit("partial_result", { text: "nd", index: 1 }, of);
    await runs.emit("agent_completed", { outcome: "ok" }, of);
    await runs.emit("agent_completed", { outcome: "ok" });
    await running;
    expect(agent.messages[1]).toMatchObject({ content: "Found", subagentRunId: SUB_RUN });
    expect(types()).toEqual(["RUN_STARTED", "MESSAGES_SNAPSHOT", "SUBAGENT_STARTED", ...TEXT, "TEXT_MESSAGE_END", "SUBAGENT_FINISHED", "RUN_FINISHED"]);
  });
});

describe("a connection that is lost", () => {
  it("makes the run wait, and nothing in it come twice", async () => {
    const { runs, contents } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    runs.server.last.end(1006);
    runs.keep("partial_result", { text: "-two", index: 1 });
    runs.client.connect();
    await runs.open({ recovered: true });
    expect(contents()[1]).toEqual(["assistant", "Forty-two"]);
  });

  it("to a server whose journal was restored shows what counts", async () => {
    const { runs, running, contents } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    runs.server.last.end(1006);
    runs.journal.length = 2;
    runs.keep("partial_result", { text: "Fifty", index: 0 });
    runs.client.connect();
    await runs.open({ recovered: false, from: 2, offset: 3 });
    runs.server.last.say(eventsFrame(...runs.journal.slice(2)));
    await runs.emit("agent_completed", { outcome: "ok" });
    await running;
    expect(contents()).toEqual([["user", "How much?"], ["assistant", "Fifty"]]);
  });
});

it("asks for few events where a run has only just begun", async () => {
  const runs = new FakeRuns();
  onTestFinished(() => runs.client.close());
  await runs.open();
  runs.keep("user_said", { body: "How much?", say: "say-1" });
  begun(agentOf(runs, [{ id: "say-1", role: "user", content: "How much?" }]).agent.runAgent());
  await turn();
  expect(runs.sent("history").map(({ limit }) => limit)).toEqual([20]);
});

it.each(["user_said", "agent_started"] as const)("pages back through the history only to the beginning of the run: its %s", async (first) => {
  const runs = new FakeRuns();
  onTestFinished(() => runs.client.close());
  for (let offset = 1; offset < 500; offset += 1) runs.keep("partial_result", { text: "", index: 0 }, { run: SUB_RUN });
  runs.keep(...(first === "user_said" ? ["user_said", { body: "", say: "say-1" }] : ["agent_started", { agent: "analyst" }]) as ["user_said", never]);
  await runs.open();
  await eventLog(runs.client).run(RUN).load();
  expect(runs.sent("history")).toMatchObject([{ limit: 200 }]);
});
