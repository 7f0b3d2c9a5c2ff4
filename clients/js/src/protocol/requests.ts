// Requests: each is answered once, and sent again after a reconnect until it is. Pure, as the machine is that it belongs to.

import { FRAME_TOO_BIG, RATE_LIMIT } from "./codes.js";
import type { Act, Told } from "./commands.js";
import { byteLength, encode, type Failure, type Reply, type Request, type Say } from "./frames.js";

const MOST = 256; // requests that wait for their answers, or for a connection

export interface Pending {
  readonly frame: Request;
  readonly bytes: number;
  /** When it is due, in ms: never (Infinity) once it was sent. */
  due: number;
  tries: number;
}

export class Requests {
  readonly pending = new Map<string, Pending>();
  readonly #do: Act;
  #largest = 1024 * 1024; // until the server says

  constructor(act: Act) {
    this.#do = act;
  }

  /** Every `say` without an answer. */
  get said(): readonly Say[] {
    return this.queued.map(({ frame }) => frame).filter((frame) => frame.type === "say");
  }

  get queued(): Pending[] {
    return [...this.pending.values()];
  }

  /** Keep it until it is answered, unless it can never be sent. */
  add(frame: Request): void {
    if (this.pending.has(frame.id)) return; // kept from before a reload
    const bytes = byteLength(encode(frame));
    if (bytes > this.#largest) return this.conclude(frame, tooBig(bytes, this.#largest));
    if (this.pending.size >= MOST) return this.conclude(frame, refusal(RATE_LIMIT, "many wait already", true));
    this.pending.set(frame.id, { frame, bytes, due: 0, tries: 0 });
    this.#save(frame);
  }

  /** The next one to send now. It counts as sent. */
  next(now: number): Request | undefined {
    const request = this.queued.find(({ due }) => due <= now);
    if (request) request.due = Infinity;
    return request?.frame;
  }

  /** There is no connection: everything is due on the next one. */
  again(): void {
    for (const request of this.queued) request.due = 0;
  }

  /** The server takes frames of this many bytes. */
  limit(largest = Infinity): void {
    this.#largest = largest;
    for (const { frame, bytes } of this.queued) if (bytes > largest) this.conclude(frame, tooBig(bytes, largest));
  }

  /** No answer is waited for any more; `isSaidKept`: except to what was said. */
  giveUp(failure: Failure, isSaidKept?: boolean): void {
    for (const { frame } of this.queued) if (!isSaidKept || frame.type !== "say") this.conclude(frame, failure);
  }

  conclude(frame: Request, error: Failure | undefined, result?: Reply & { ok: true }): void {
    const { id } = frame;
    if (this.pending.delete(id)) this.#save(frame);
    if (frame.type === "say" && error) this.#do("tell", "refused", { id, body: frame.body, error });
    else if (frame.type === "say") this.#do("tell", "said", { id, run: result?.["run"], thread: result?.["thread"] } as Told["said"]);
    this.#do("settle", id, error, result);
  }

  /** What was said outlives the page. */
  #save({ type }: Request): void {
    if (type === "say") this.#do("save", "unanswered", this.said);
  }
}

export const refusal = (code: number, message: string, temporary = false): Failure => ({ code, message, temporary });

/** 16.4 kB */
const kilobytes = (bytes: number): string => `${Math.round(bytes / 100) / 10} kB`;

const tooBig = (bytes: number, most: number): Failure =>
  refusal(FRAME_TOO_BIG, `it takes ${kilobytes(bytes)}, and the server takes ${kilobytes(most)} at most`);
