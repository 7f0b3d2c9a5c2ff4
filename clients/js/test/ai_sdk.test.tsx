// @vitest-environment jsdom
// The transport, under the real AI SDK: what a page shows of a run, and what its calls make of the connection.

import { Chat, useChat } from "@ai-sdk/react";
import { lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { act, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, it, onTestFinished } from "vitest";
import { greenroomTransport, type GreenroomMessage, type GreenroomTransportOptions, threadMessages } from "../src/ai_sdk.js";
import { FakeRuns, SUB_RUN, turn } from "./fake_runs.js";
import { eventsFrame, RUN, THREAD } from "./frames.js";
import type { GreenroomEvent } from "../src/index.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

function chatOf(runs: FakeRuns, options: GreenroomTransportOptions = {}, messages: GreenroomMessage[] = []) {
  const transport = greenroomTransport(runs.client, options);
  const errors: Error[] = [];
  const chat = new Chat<GreenroomMessage>({ id: THREAD, transport, messages, onError: (error) => errors.push(error) });
  return { chat, transport, errors, answer: () => chat.messages.at(-1) as GreenroomMessage };
}

/** A page on which the user asked, and the agent has begun. */
async function asked(options: GreenroomTransportOptions = {}) {
  const runs = new FakeRuns();
  onTestFinished(() => runs.client.close());
  await runs.open();
  const page = chatOf(runs, options);
  const sending = page.chat.sendMessage({ text: "How much?" });
  await turn();
  await runs.begin();
  return { runs, sending, ...page };
}

/** The same page, loaded again. */
async function reloaded(runs: FakeRuns, messages: GreenroomMessage[] = []) {
  runs.page();
  const page = chatOf(runs, {}, messages);
  const resuming = page.chat.resumeStream();
  await runs.open();
  return { resuming, ...page };
}

const texts = (message: GreenroomMessage) => message.parts.flatMap((part) => (part.type === "text" || part.type === "reasoning" ? [`${part.type}: ${part.text}`] : []));
const tool = (message: GreenroomMessage, id: string) => message.parts.find((part) => part.type === "dynamic-tool" && part.toolCallId === id);

describe("an answer", () => {
  it("is one message with the id of its run, whose text grows with each piece", async () => {
    const { runs, chat, sending, answer } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    expect(chat.status).toBe("streaming");
    await runs.emit("partial_result", { text: "-two", index: 1 });
    expect(texts(answer())).toEqual(["text: Forty-two"]);
    await runs.emit("agent_completed", { outcome: "ok" });
    await sending;
    expect(chat.status).toBe("ready");
    expect(chat.messages.map(({ id }) => id)).toEqual([chat.messages[0]?.id, RUN]);
    expect(answer()).toMatchObject({ metadata: { run: RUN, thread: THREAD, agent: "analyst", outcome: "ok" }, parts: [{ state: "done" }] });
  });

  it("is said once, with the message's id as its own", async () => {
    const { runs, chat } = await asked();
    expect(runs.sent("say")).toEqual([{ type: "say", id: chat.messages[0]?.id, body: "How much?", thread: THREAD }]);
  });

  it("has the pieces of a thought as one text, and ends it where the answer begins", async () => {
    const { runs, answer } = await asked();
    await runs.emit("agent_thinking", { text: "Let me ", thought: 0, index: 0 });
    await runs.emit("agent_thinking", { text: "see", thought: 0, index: 1 });
    await runs.emit("agent_thinking", { text: "Reading" });
    await runs.emit("partial_result", { text: "42", index: 0 });
    expect(texts(answer())).toEqual(["reasoning: Let me see", "reasoning: Reading", "text: 42"]);
    expect(answer().parts.map((part) => "state" in part && part.state)).toEqual(["done", "done", "streaming"]);
  });

  it("shows the text of merged pieces once, also where the history had some of them", async () => {
    const runs = new FakeRuns();
    onTestFinished(() => runs.client.close());
    runs.keep("user_said", { body: "How much?", say: "say-1" });
    runs.keep("agent_started", { agent: "analyst" });
    const pieces = ["a", "b"].map((text, index) => runs.keep("partial_result", { text, index }));
    const { chat, answer } = chatOf(runs);
    void chat.resumeStream();
    await runs.open({ from: 2 });
    const merged = runs.keep("partial_result", { text: "abc", index: 2, merges: [3, 4] });
    runs.server.last.say(eventsFrame({ ...pieces[0], kind: "superseded", data: { through: 4 } } as GreenroomEvent, merged));
    await turn();
    expect(texts(answer())).toEqual(["text: abc"]);
  });

  it("has the report as data, or as its text where it has no other", async () => {
    const { runs, answer } = await asked();
    await runs.emit("final_report", { report: "Forty-two" });
    expect(texts(answer())).toEqual(["text: Forty-two"]);
    const other = await asked();
    await other.runs.emit("final_report", { report: { total: 42 } });
    expect(other.answer().parts).toEqual([{ type: "data-report", id: RUN, data: { total: 42 } }]);
  });

  it("has what the end of the run says beside its outcome, such as the tokens used", async () => {
    const { runs, sending, answer } = await asked();
    await runs.emit("agent_completed", { outcome: "ok", usage: { output_tokens: 7 } } as never);
    await sending;
    expect(answer().metadata).toMatchObject({ outcome: "ok", usage: { output_tokens: 7 } });
  });

  it("that fails is an error with the neutral sentence and the reference", async () => {
    const { runs, chat, sending, errors, answer } = await asked();
    await runs.emit("agent_failed", { error: "Error", message: "Something went wrong.", reason: "crash", reference: "evt_7" });
    await sending;
    expect(chat.status).toBe("error");
    expect(errors.map(({ message }) => message)).toEqual(["Something went wrong. Reference: evt_7"]);
    expect(answer().metadata).toMatchObject({ outcome: "failed", reason: "crash", reference: "evt_7" });
  });

  it("that is stopped elsewhere ends quietly", async () => {
    const { runs, chat, sending, answer } = await asked();
    await runs.emit("agent_completed", { outcome: "cancelled" });
    await sending;
    expect([chat.status, answer().metadata?.outcome]).toEqual(["ready", "cancelled"]);
  });
});

describe("a tool", () => {
  it("has its input, then its output", async () => {
    const { runs, answer } = await asked();
    await runs.emit("tool_executing", { tool_call: "call_1", tool_name: "get_costs", arguments: { month: "May" } });
    expect(tool(answer(), "call_1")).toMatchObject({ toolName: "get_costs", state: "input-available", input: { month: "May" } });
    await runs.emit("tool_completed", { tool_call: "call_1", tool_name: "get_costs", result: 42, duration_ms: 5 });
    expect(tool(answer(), "call_1")).toMatchObject({ state: "output-available", output: 42, toolMetadata: { duration_ms: 5 } });
  });

  it("that fails has the neutral sentence and the reference", async () => {
    const { runs, answer } = await asked();
    await runs.emit("tool_executing", { tool_call: "call_1", tool_name: "get_costs" });
    await runs.emit("tool_completed", { tool_call: "call_1", tool_name: "get_costs", error: "The tool failed.", reference: "evt_4", duration_ms: 5 });
    expect(tool(answer(), "call_1")).toMatchObject({ state: "output-error", errorText: "The tool failed. Reference: evt_4" });
  });

  it("parts the text before it from the text after it", async () => {
    const { runs, answer } = await asked();
    await runs.emit("partial_result", { text: "before", index: 0 });
    await runs.emit("tool_executing", { tool_call: "call_1", tool_name: "get_costs" });
    await runs.emit("partial_result", { text: "after", index: 1 });
    expect(answer().parts.map(({ type }) => type)).toEqual(["text", "dynamic-tool", "text"]);
  });

  it("stands for a sub-run, whose state is its output", async () => {
    const { runs, answer } = await asked();
    const of = { run: SUB_RUN, parent: RUN };
    await runs.emit("agent_started", { agent: "scout", input: "look" }, of);
    await runs.emit("partial_result", { text: "Found", index: 0 }, of);
    expect(tool(answer(), SUB_RUN)).toMatchObject({ toolName: "scout", input: "look", preliminary: true, output: { text: "Found", status: "running" } });
    await runs.emit("agent_completed", { outcome: "ok" }, of);
    expect(tool(answer(), SUB_RUN)).toMatchObject({ state: "output-available", output: { text: "Found", status: "ok" } });
    expect(texts(answer())).toEqual([]);
  });
});

describe("a question", () => {
  const YES_OR_NO = { ask: "ask_1", prompt: "Book it?", options: ["yes", "no"] };

  it("of yes or no is an approval, which the transport answers while the answer goes on", async () => {
    const { runs, transport, answer } = await asked();
    await runs.emit("input_requested", YES_OR_NO);
    expect(tool(answer(), "ask_1")).toMatchObject({ state: "approval-requested", title: "Book it?", approval: { id: "ask_1" } });
    await transport.addToolApprovalResponse({ id: "ask_1", approved: true });
    expect(runs.sent("answer")).toMatchObject([{ ask: "ask_1", value: "yes" }]);
    await runs.emit("input_answered", { ask: "ask_1", value: "yes", session: "sess_1" });
    expect(tool(answer(), "ask_1")).toMatchObject({ state: "output-available", output: "yes", approval: { approved: true } });
  });

  it("that is answered with no is denied", async () => {
    const { runs, transport, answer } = await asked();
    await runs.emit("input_requested", { ask: "ask_1", prompt: "Book it?", options: [true, false] });
    await transport.addToolApprovalResponse({ id: "ask_1", approved: false });
    expect(runs.sent("answer")).toMatchObject([{ value: false }]);
    await runs.emit("input_answered", { ask: "ask_1", value: false, session: "sess_1" });
    expect(tool(answer(), "ask_1")).toMatchObject({ state: "output-denied", approval: { approved: false } });
  });

  it("of another kind is a tool that the user is to answer", async () => {
    const { runs, transport, answer } = await asked();
    await runs.emit("input_requested", { ask: "ask_1", prompt: "Where to?", options: ["Rome", "Oslo"] });
    expect(tool(answer(), "ask_1")).toMatchObject({ toolName: "question", state: "input-available", input: { prompt: "Where to?", options: ["Rome", "Oslo"] } });
    await transport.addToolOutput({ toolCallId: "ask_1", output: "Oslo" });
    expect(runs.sent("answer")).toMatchObject([{ ask: "ask_1", value: "Oslo" }]);
    await runs.emit("input_answered", { ask: "ask_1", value: "Oslo", session: "sess_1" });
    expect(tool(answer(), "ask_1")).toMatchObject({ state: "output-available", output: "Oslo" });
  });

  it("that nobody answers in time says so", async () => {
    const { runs, answer } = await asked();
    await runs.emit("input_requested", YES_OR_NO);
    await runs.emit("input_closed", { ask: "ask_1", reason: "expired" });
    expect(tool(answer(), "ask_1")).toMatchObject({ state: "output-error", errorText: "The question has expired." });
  });

  it("is also answered by useChat itself where the answer is not being read", async () => {
    const { runs, chat } = await asked({ onAbort: "leave" });
    await runs.emit("input_requested", YES_OR_NO);
    await chat.stop();
    const page = new Chat<GreenroomMessage>({
      id: THREAD,
      transport: greenroomTransport(runs.client),
      messages: chat.messages,
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    });
    const responding = page.addToolApprovalResponse({ id: "ask_1", approved: true });
    await turn();
    expect(runs.sent("answer")).toMatchObject([{ ask: "ask_1", value: "yes" }]);
    await runs.emit("input_answered", { ask: "ask_1", value: "yes", session: "sess_1" });
    await runs.emit("agent_completed", { outcome: "ok" });
    await responding;
    expect(page.messages.at(-1)?.parts).toHaveLength(1);
    expect(runs.sent("say")).toHaveLength(1);
  });
});

describe("a stop", () => {
  it("cancels the run", async () => {
    const { runs, chat, sending } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    await chat.stop();
    await sending;
    await turn();
    expect(runs.sent("cancel")).toMatchObject([{ run: RUN }]);
    expect(chat.status).toBe("ready");
  });

  it("by the transport shows how the run ended: its question is closed", async () => {
    const { runs, chat, transport, sending, answer } = await asked();
    await runs.emit("input_requested", { ask: "ask_1", prompt: "Book it?", options: ["yes", "no"] });
    await transport.stop(THREAD);
    expect(runs.sent("cancel")).toMatchObject([{ run: RUN }]);
    await runs.emit("input_closed", { ask: "ask_1", reason: "withdrawn" });
    await runs.emit("agent_completed", { outcome: "cancelled" });
    await sending;
    expect(tool(answer(), "ask_1")).toMatchObject({ state: "output-error", errorText: "The question was withdrawn." });
    expect([chat.status, answer().metadata?.outcome]).toEqual(["ready", "cancelled"]);
  });

  it("before the server has answered cancels the run once it is known", async () => {
    const runs = new FakeRuns();
    onTestFinished(() => runs.client.close());
    const { chat } = chatOf(runs);
    const sending = chat.sendMessage({ text: "How much?" });
    await turn();
    await chat.stop();
    await sending;
    await runs.open();
    expect(runs.sent("cancel")).toMatchObject([{ run: RUN }]);
  });

  it("only leaves the run where the page says so", async () => {
    const { runs, chat } = await asked({ onAbort: "leave" });
    await chat.stop();
    await turn();
    expect(runs.sent("cancel")).toEqual([]);
  });
});

describe("a page that is loaded again", () => {
  it("in the middle of an answer has it from its beginning, and what follows, each once", async () => {
    const { runs } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    const page = await reloaded(runs);
    expect(texts(page.answer())).toEqual(["text: Forty"]);
    await runs.emit("partial_result", { text: "-two", index: 1 });
    await runs.emit("agent_completed", { outcome: "ok" });
    await page.resuming;
    expect(texts(page.answer())).toEqual(["text: Forty-two"]);
    expect(runs.sent("say")).toHaveLength(1);
  });

  it("has the conversation so far, and the answer in it once", async () => {
    const { runs } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    runs.page();
    const [messages] = await Promise.all([threadMessages(runs.client, THREAD), runs.open()]);
    expect(messages).toMatchObject([{ id: "say-1", role: "user", parts: [{ text: "How much?" }] }, { id: RUN, role: "assistant", parts: [{ text: "Forty" }] }]);
    const page = chatOf(runs, {}, messages);
    void page.chat.resumeStream();
    await turn();
    await runs.emit("partial_result", { text: "-two", index: 1 });
    expect(page.chat.messages.map(({ id }) => id)).toEqual(["say-1", RUN]);
    expect(texts(page.answer())).toEqual(["text: Forty-two"]);
  });

  it("while nothing goes on is ready", async () => {
    const { runs } = await asked();
    await runs.emit("agent_completed", { outcome: "ok" });
    const page = await reloaded(runs);
    await page.resuming;
    expect([page.chat.status, page.chat.messages]).toEqual(["ready", []]);
  });

  it("before the server had answered reads the run of what was said", async () => {
    const runs = new FakeRuns();
    onTestFinished(() => runs.client.close());
    runs.unanswered.add("say");
    await runs.open();
    void chatOf(runs).chat.sendMessage({ text: "How much?" });
    await turn();
    runs.unanswered.clear();
    const page = await reloaded(runs);
    await runs.begin();
    await runs.emit("partial_result", { text: "Forty-two", index: 0 });
    expect(texts(page.answer())).toEqual(["text: Forty-two"]);
    expect(new Set(runs.sent("say").map(({ id }) => id)).size).toBe(1);
  });

  it("resumes under StrictMode, and stops nothing when React leaves the page and comes back at once", async () => {
    const { runs } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    runs.page();
    const place = document.body.appendChild(document.createElement("div"));
    const root = createRoot(place);
    const transport = greenroomTransport(runs.client);
    const Page = () => <p>{useChat<GreenroomMessage>({ id: THREAD, transport, resume: true }).messages.flatMap(texts).join()}</p>;
    const render = (key: string) => act(() => root.render(<StrictMode><Page key={key} /></StrictMode>));
    await render("first");
    await act(() => runs.open());
    await render("second");
    await act(() => runs.emit("partial_result", { text: "-two", index: 1 }));
    expect(place.textContent).toBe("text: Forty-two");
    expect(runs.sent("cancel")).toEqual([]);
    await act(() => root.unmount());
    await act(turn);
    expect(runs.sent("cancel")).toHaveLength(1);
  });
});

describe("a connection that is lost", () => {
  it("makes the answer wait, and nothing in it come twice", async () => {
    const { runs, chat, answer } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    runs.server.last.end(1006);
    runs.keep("partial_result", { text: "-two", index: 1 });
    runs.client.connect();
    await runs.open({ recovered: true });
    expect([chat.status, texts(answer())]).toEqual(["streaming", ["text: Forty-two"]]);
  });

  it("to a server whose journal was restored begins the answer again", async () => {
    const { runs, answer } = await asked();
    await runs.emit("partial_result", { text: "Forty", index: 0 });
    runs.server.last.end(1006);
    runs.journal.length = 2;
    runs.keep("partial_result", { text: "Fifty", index: 0 });
    runs.client.connect();
    await runs.open({ recovered: false, from: 2, offset: 3 });
    runs.server.last.say(eventsFrame(...runs.journal.slice(2)));
    await turn();
    expect(texts(answer())).toEqual(["text: Fifty"]);
  });

  it("for good is an error that says why", async () => {
    const { runs, chat, sending, errors } = await asked();
    runs.client.close();
    await sending;
    expect([chat.status, errors.length]).toEqual(["error", 1]);
  });
});
