// An agent of AG-UI over a greenroom client.

import { AbstractAgent, type AgentConfig, type AGUIEvent, type BaseEvent, type ResumeEntry, type RunAgentInput } from "@ag-ui/client";
import { Observable } from "rxjs";
import type { Client } from "../client.js";
import { GreenroomError } from "../errors.js";
import { goingOn } from "../projection/going_on.js";
import type { JSON } from "../protocol/events.js";
import { eventLog } from "../views/event_log.js";
import { answerOf } from "./interrupts.js";
import { Reading, type Subject } from "./reading.js";

const ANSWERED = 4508;

export interface GreenroomAgentConfig extends AgentConfig {
  readonly client: Client;
  /** What a message says to the agent: its content, unless given. Parts with their bytes go beside it as files where the agent takes some. */
  readonly body?: ((message: UserMessage) => JSON) | undefined;
}

type UserMessage = RunAgentInput["messages"][number] & { role: "user" };

/** Its `threadId` is that of a greenroom thread: the one that is given, or the one that the first message began. */
export class GreenroomAgent extends AbstractAgent {
  readonly client: Client;
  private readonly body: (message: UserMessage) => JSON;
  private readonly runs = new Set<string>(); // those that were read
  private readonly said = new Set<string>(); // messages
  private reading: { readonly reading: Reading; readonly run: Promise<string | undefined> } | undefined;

  constructor({ client, body, ...config }: GreenroomAgentConfig) {
    super(config);
    [this.client, this.body] = [client, body ?? contentOf];
    eventLog(client); // from now on
  }

  /** Say the user's last message, or answer what `resume` addresses, and read the run to its end or its next question. */
  run(input: RunAgentInput): Observable<BaseEvent> {
    return this.read(input, () => (input.resume?.length ? this.answer(input.resume) : this.say(input)));
  }

  /** Read the run that goes on in the thread, with the thread's newest messages; only these, if none does. */
  protected override connect(input: RunAgentInput): Observable<BaseEvent> {
    return this.read(input, () => this.resumed());
  }

  /** Stop the run. */
  override abortRun(): void {
    const { reading, run } = this.reading ?? {};
    void run?.then((id) => (id ? this.client.cancel(id) : undefined)).catch(() => {}); // it may have ended
    reading?.leave("cancelled");
  }

  override clone(): GreenroomAgent {
    return Object.assign(super.clone(), { client: this.client, body: this.body, runs: new Set(this.runs), said: new Set(this.said) });
  }

  private read(input: RunAgentInput, begin: () => Promise<Subject | undefined>): Observable<BaseEvent> {
    return new Observable((subscriber) => {
      const emit = (events: readonly AGUIEvent[]) => events.forEach((event) => subscriber.next(event));
      const reading = new Reading(this.client, input, emit, () => subscriber.complete());
      const subject = begin();
      this.reading = { reading, run: subject.then((found) => found?.run) };
      this.follow(reading, subject).then(() => subscriber.complete(), (error) => subscriber.error(error));
      return () => reading.leave();
    });
  }

  private async follow(reading: Reading, subject: Promise<Subject | undefined>): Promise<void> {
    const found = await subject;
    if (found) this.runs.add(found.run);
    if (found) await reading.read(found);
    else if (this.thread) reading.show(this.thread);
  }

  private get thread(): string | undefined {
    return this.threadId.startsWith("thread_") ? this.threadId : undefined;
  }

  /** A message has its own id, so that it starts one run; what is said again has another. */
  private async say({ messages }: RunAgentInput): Promise<Subject> {
    const message = messages.findLast(({ role }) => role === "user") as UserMessage | undefined;
    if (!message) throw new GreenroomError({ code: 0, message: "there is no message of the user to send", temporary: false });
    const isAgain = this.said.has(message.id);
    this.said.add(message.id);
    const { message: rest, files } = isHolding(message) ? await (await import("./files.js")).withFiles(this.client, message) : { message, files: undefined };
    const { run, thread } = await this.client.say(this.body(rest), { thread: this.thread, files, ...(!isAgain && { id: message.id }) });
    this.threadId = thread;
    return { run, isKnown: this.runs.has(run) };
  }

  private async resumed(): Promise<Subject | undefined> {
    const said = await goingOn(this.client, this.thread);
    if (said) this.threadId = said.thread;
    return said && { run: said.run, isKnown: true };
  }

  private async answer(resume: readonly ResumeEntry[]): Promise<Subject> {
    const ids = resume.map(({ interruptId }) => interruptId);
    const pending = this.pendingInterrupts.find(({ id }) => ids.includes(id));
    const run: string = pending?.metadata?.["greenroom"]?.run ?? (await this.resumed())?.run;
    for (const entry of resume) await this.settle(entry, run);
    return { run, isKnown: true, answered: ids };
  }

  /** A question that has ended meanwhile needs no answer: the first one counts, whatever tab it came from. */
  private async settle(entry: ResumeEntry, run: string): Promise<void> {
    const open = () => this.client.asks.find(({ data }) => data.ask === entry.interruptId);
    const value = answerOf(entry, open());
    if (entry.status === "cancelled" && !open()) return;
    try {
      await (value === undefined ? this.client.cancel(run) : this.client.answer(entry.interruptId, value));
    } catch (error) {
      if (open() && !(error instanceof GreenroomError && error.code === ANSWERED)) throw error;
    }
  }
}

const isHolding = ({ content }: UserMessage): boolean => typeof content !== "string" && content.some((part) => part.type !== "text" && part.source.type === "data");

/** The text of a message; with other parts `{text, parts}`. */
function contentOf({ content }: UserMessage): JSON {
  if (typeof content === "string") return content;
  const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  const parts = content.filter(({ type }) => type !== "text");
  return parts.length ? { text, parts: parts as unknown as JSON } : text;
}
