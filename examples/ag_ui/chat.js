// A chat in the terminal, by AG-UI's own client: what is typed is said, and Ctrl-C stops the answer.

import { createInterface } from "node:readline/promises";
import { HttpAgent } from "@ag-ui/client";

const server = process.env.GREENROOM_URL ?? "http://127.0.0.1:8700";
const token = process.env.GREENROOM_TOKEN ?? (await (await fetch(`${server}/demo/token`)).json()).token;
const headers = { Authorization: `Bearer ${token}` };
const agent = new HttpAgent({ url: `${server}/live/ag-ui`, headers });
const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: process.stdin.isTTY ?? false });
const typed = lines[Symbol.asyncIterator]();

const shown = {
  onTextMessageContentEvent: ({ event }) => void process.stdout.write(event.delta),
  onTextMessageEndEvent: () => console.log(),
  onToolCallEndEvent: ({ toolCallName, toolCallArgs }) => console.log(`[${toolCallName} ${JSON.stringify(toolCallArgs)}]`),
  onToolCallResultEvent: ({ event }) => console.log(`[→ ${event.content}]`),
  onCustomEvent: ({ event }) => console.log(JSON.stringify(event.value)),
  onRunErrorEvent: ({ event }) => console.log(event.message),
};

async function stop() {
  const body = JSON.stringify({ threadId: agent.threadId });
  await fetch(`${server}/live/ag-ui/stop`, { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body });
}

/** The next line; undefined at the end of what is typed. */
async function read(prompt) {
  lines.setPrompt(prompt);
  if (lines.closed) process.stdout.write(prompt);
  else lines.prompt();
  return (await typed.next()).value;
}

/** `options` are greenroom's own; a page would show them as buttons. */
async function answer({ id, message, metadata }) {
  const options = metadata?.greenroom?.options;
  const payload = await read(`${message}${options ? ` (${options.join(", ")})` : ""} `);
  return payload === undefined ? { interruptId: id, status: "cancelled" } : { interruptId: id, status: "resolved", payload };
}

async function say(content) {
  agent.addMessage({ id: crypto.randomUUID(), role: "user", content });
  await agent.runAgent({}, shown);
  while (agent.pendingInterrupts.length) {
    const resume = [];
    for (const interrupt of agent.pendingInterrupts) resume.push(await answer(interrupt));
    await agent.runAgent({ resume }, shown);
  }
}

lines.on("SIGINT", () => void stop());
for (let line = await read("> "); line !== undefined; line = await read("> ")) if (line) await say(line);
