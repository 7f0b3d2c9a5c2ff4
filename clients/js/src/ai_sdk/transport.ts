// A chat of the AI SDK over a greenroom client: it says, stops, answers and reads along.

import type { ChatTransport, UIMessage, UIMessageChunk } from "ai";
import { eventLog } from "../views/event_log.js";
import { GreenroomError } from "../errors.js";
import type { Client } from "../client.js";
import type { JSON } from "../protocol/events.js";
import { PROTOCOL_ERROR } from "../protocol/codes.js";
import { goingOn } from "../projection/going_on.js";
import { yesOrNo } from "../projection/questions.js";
import { chunkStream } from "./chunk_stream.js";
import { answersIn, bodyOf } from "./messages.js";

const ANSWERED = 4508;

export interface GreenroomTransportOptions {
  /** The thread of all chats of this transport. Without it the thread is the chat's id, if that is one's; else the first message begins a thread. */
  readonly thread?: string | undefined;
  /** What a message says to the agent. Its text, unless given; with links to files `{text, files: [{url, mediaType, filename?}]}`. Files of `sendMessage({ files })` go beside it where the agent takes some. */
  readonly body?: ((message: UIMessage) => JSON) | undefined;
  /** What `stop()` does, and a component with `useChat` that goes away: `cancel` the run, or only `leave` it, so that it goes on. */
  readonly onAbort?: "cancel" | "leave" | undefined;
}

type SendOptions = Parameters<ChatTransport<UIMessage>["sendMessages"]>[0];
type ReconnectOptions = Parameters<ChatTransport<UIMessage>["reconnectToStream"]>[0];

/** For `useChat({ transport: greenroomTransport(client) })`. */
export const greenroomTransport = (client: Client, options: GreenroomTransportOptions = {}): GreenroomTransport => new GreenroomTransport(client, options);

export class GreenroomTransport implements ChatTransport<UIMessage> {
  /** A stream that is read again has the answer from its beginning. */
  readonly resumeStreamIsReplay = true;
  readonly #client: Client;
  readonly #options: GreenroomTransportOptions;
  readonly #threads = new Map<string, string>(); // by chat
  readonly #runs = new Map<string, Promise<string>>(); // by chat, the latest one last
  readonly #readers = new Map<string, AbortSignal | undefined>(); // who reads a chat, the latest one

  constructor(client: Client, options: GreenroomTransportOptions = {}) {
    [this.#client, this.#options] = [client, options];
    eventLog(client); // from now on
  }

  async sendMessages({ chatId, messages, messageId, trigger, abortSignal }: SendOptions): Promise<ReadableStream<UIMessageChunk>> {
    abortSignal?.throwIfAborted();
    const run = this.#answer(messages).then((answered) => answered ?? this.#say(chatId, messages, trigger === "submit-message" && !messageId));
    this.#stopBy(abortSignal, chatId, run);
    return chunkStream(this.#client, await Promise.race([run, whenAborted(abortSignal)]), abortSignal);
  }

  /** The answer that goes on in this chat, from its beginning; null if none does. */
  async reconnectToStream({ chatId, abortSignal }: ReconnectOptions): Promise<ReadableStream<UIMessageChunk> | null> {
    this.#readers.set(chatId, abortSignal);
    const said = await goingOn(this.#client, this.#thread(chatId));
    if (!said || abortSignal?.aborted) return null; // who leaves before there was anything to see stops nothing
    this.#threads.set(chatId, said.thread);
    this.#stopBy(abortSignal, chatId, Promise.resolve(said.run));
    return chunkStream(this.#client, said.run, abortSignal);
  }

  /** Stops the run of a chat, and shows how it ended: its questions are withdrawn, its tools stopped. `stop()` of `useChat` stops it, too, but shows nothing from then on. */
  stop = async (chatId?: string): Promise<void> => {
    const run = chatId === undefined ? [...this.#runs.values()].at(-1) : this.#runs.get(chatId);
    if (run) await run.then((id) => this.#client.cancel(id)).catch(ignoreEnded);
  };

  /** As `useChat` has it, which itself sends an approval only once the answer ended. The first answer counts, whatever tab it is from. */
  addToolApprovalResponse = async ({ id, approved }: { id: string; approved: boolean }): Promise<void> => {
    const question = this.#client.asks.find(({ data }) => data.ask === id);
    const choice = yesOrNo(question?.data.options) ?? { yes: true, no: false };
    await this.#client.answer(id, approved ? choice.yes : choice.no);
  };

  /** As `useChat` has it: the answer to a question that is not one of yes or no. */
  addToolOutput = async ({ toolCallId, output }: { toolCallId: string; output: JSON }): Promise<void> => {
    await this.#client.answer(toolCallId, output);
  };

  #thread(chatId: string): string | undefined {
    return this.#options.thread ?? this.#threads.get(chatId) ?? (chatId.startsWith("thread_") ? chatId : undefined);
  }

  /** A message has its own id, so that it starts one run however often it is sent; what is said again has another. */
  async #say(chatId: string, messages: readonly UIMessage[], isNew: boolean): Promise<string> {
    const message = messages.findLast(({ role }) => role === "user");
    if (!message) throw new GreenroomError({ code: 0, message: "there is no message of the user to send", temporary: false });
    const { message: rest, files } = isHolding(message) ? await (await import("./files.js")).withFiles(this.#client, message) : { message, files: undefined };
    const body = (this.#options.body ?? bodyOf)(rest);
    const said = await this.#client.say(body, { thread: this.#thread(chatId), files, ...(isNew && { id: message.id }) });
    this.#threads.set(chatId, said.thread);
    return said.run;
  }

  /** What was answered in the messages while nothing was read. Returns the run that asked. */
  async #answer(messages: readonly UIMessage[]): Promise<string | undefined> {
    const last = messages.at(-1);
    const answers = answersIn(last, this.#client.asks);
    for (const { ask, value } of answers) await this.#client.answer(ask, value).catch(ignoreAnswered);
    return last?.role === "assistant" && answers.length ? last.id : undefined;
  }

  /** An abort stops the run, unless the chat is read again at once: React leaves a page and comes back to it in development. */
  #stopBy(signal: AbortSignal | undefined, chatId: string, run: Promise<string>): void {
    this.#readers.set(chatId, signal);
    this.#runs.delete(chatId);
    this.#runs.set(chatId, run);
    if (this.#options.onAbort === "leave") return;
    const stop = () => this.#readers.get(chatId) === signal && run.then((id) => this.#client.cancel(id)).catch(() => {}); // it may have ended
    signal?.addEventListener("abort", () => queueMicrotask(stop), { once: true });
  }
}

const isHolding = ({ parts }: UIMessage): boolean => parts.some((part) => part.type === "file" && part.url.startsWith("data:"));

const whenAborted = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));

function ignoreAnswered(error: unknown): void {
  if (!(error instanceof GreenroomError && error.code === ANSWERED)) throw error;
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof GreenroomError && error.code === PROTOCOL_ERROR)) throw error;
}
