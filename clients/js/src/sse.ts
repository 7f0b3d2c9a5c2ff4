// Where WebSockets do not pass: events from one answer that goes on, and frames by POST. docs/protocol.md, "Without WebSocket".

import type { Link, LinkOptions } from "./link.js";
import { BAD_TOKEN, NO_CODE } from "./protocol/codes.js";
import type { ClientFrame, Closing, Hello } from "./protocol/frames.js";

const MOST_FRAMES = 100, MOST_CHARACTERS = 64 * 1024; // of a post: at most 192 KiB as UTF-8, and the server takes 256

/** `GET /live/events`, and `POST /live/frames` beside it. */
export function openEventStream(fetcher: typeof fetch, options: LinkOptions): Link {
  return new EventStreamLink(fetcher, options);
}

class EventStreamLink implements Link {
  readonly #fetch: typeof fetch;
  readonly #options: LinkOptions;
  readonly #abort = new AbortController();
  readonly #messages = new Messages();
  #connection: string | undefined;
  #queue: string[] = [];
  #isPosting = false;

  constructor(fetcher: typeof fetch, options: LinkOptions) {
    [this.#fetch, this.#options] = [fetcher, options];
    void this.#read();
  }

  /** No pong is needed, and the request was the hello. */
  send(text: string, type: ClientFrame["type"]): void {
    if (type === "hello" || type === "pong") return;
    this.#queue.push(text);
    void this.#post();
  }

  close(): void {
    this.#abort.abort();
  }

  get #headers(): Record<string, string> {
    const { token } = this.#options;
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  async #read(): Promise<void> {
    const { url, hello, on } = this.#options;
    try {
      const response = await this.#fetch.call(globalThis, `${path(url, "events")}?${query(hello)}`, { headers: this.#headers, signal: this.#abort.signal });
      if (!response.ok || !response.body) return on("lost", ...ending(response, await response.text()));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let chunk; !(chunk = await reader.read()).done; ) this.#take(chunk.value);
      on("lost", NO_CODE, "the stream ended");
    } catch (error) {
      on("lost", NO_CODE, String(error));
    }
  }

  #take(chunk: string): void {
    this.#options.on("alive");
    for (const frame of this.#messages.take(chunk)) this.#frame(frame);
  }

  #frame(text: string): void {
    if (this.#connection === undefined) this.#connection = (JSON.parse(text) as { connection?: string }).connection;
    this.#options.on("received", text);
  }

  /** One post at a time keeps the frames in order; what waits meanwhile goes with the next one. */
  async #post(): Promise<void> {
    if (this.#isPosting || !this.#queue.length) return;
    this.#isPosting = true;
    try {
      await this.#postOnce(this.#batch());
    } catch (error) {
      this.#options.on("lost", NO_CODE, String(error));
    }
    this.#isPosting = false;
    void this.#post();
  }

  async #postOnce(frames: readonly string[]): Promise<void> {
    const { url, on } = this.#options;
    const response = await this.#fetch.call(globalThis, `${path(url, "frames")}?connection=${this.#connection}`, {
      method: "POST",
      headers: { ...this.#headers, "Content-Type": "application/json" },
      body: `[${frames.join()}]`,
      signal: this.#abort.signal,
    });
    if (!response.ok) return on("lost", ...ending(response, await response.text()));
    for (const reply of (await response.json()) as unknown[]) on("received", JSON.stringify(reply));
  }

  #batch(): string[] {
    let characters = 0;
    const fits = (text: string) => (characters += text.length) <= MOST_CHARACTERS;
    const end = this.#queue.findIndex((text, index) => index === MOST_FRAMES || (!fits(text) && index > 0));
    return this.#queue.splice(0, end < 0 ? this.#queue.length : end);
  }
}

/** The messages of an event stream (HTML §9.2.6) as frames of the protocol. An event without an id is kept until one with an id
 *  follows: no client must resume between the two. */
class Messages {
  #rest = "";
  #held: string[] = [];

  take(chunk: string): string[] {
    const blocks = (this.#rest + chunk).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.flatMap((block) => this.#frame(block));
  }

  #frame(block: string): string[] {
    const fields = new Map(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
    const data = fields.get("data");
    if (data === undefined) return [];
    if (fields.has("event")) return [data];
    this.#held.push(data);
    const id = fields.get("id");
    if (id === undefined) return [];
    const events = this.#held.join();
    this.#held = [];
    return [`{"type":"events","epoch":${JSON.stringify(id.slice(0, id.lastIndexOf(":")))},"events":[${events}]}`];
  }
}

const path = (url: URL, name: string): string => `${url.origin}${url.pathname}/${name}`;

function query({ session, epoch, offset, event, features }: Hello): URLSearchParams {
  const given = Object.entries({ session, epoch, offset, event, features: features.join() });
  return new URLSearchParams(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}

/** An HTTP answer in the words of close codes. A 404 says that the stream of a post is over. */
function ending({ status, headers }: Response, text: string): [number, string, Closing["reconnect"]?] {
  if (status === 401) return [BAD_TOKEN, text];
  const seconds = Number(headers.get("Retry-After"));
  return [NO_CODE, `${status}: ${text.slice(0, 200)}`, seconds > 0 ? { after_ms: 1_000 * seconds, jitter_ms: 1_000 } : null];
}
