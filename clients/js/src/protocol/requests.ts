// Requests: each is answered once, and sent again after a reconnect until it is. Pure, as the machine is that it belongs to.

import { BAD_DATA, FRAME_TOO_BIG, PROTOCOL_ERROR, RATE_LIMIT } from "./codes.js";
import type { Act } from "./commands.js";
import type { Env } from "./env.js";
import { byteLength, encode, type Failure, type Reply, type Request, type Say } from "./frames.js";

const MOST = 256; // requests that wait for their answers, or for a connection
const TRIES = 3; // after a temporary refusal

interface Pending {
  readonly frame: Request;
  readonly bytes: number;
  tries: number;
  /** When it is due, in ms: never (Infinity) once it was handed over to be sent. */
  due: number;
  wasSent: boolean;
}

export class Requests {
  readonly #env: Env;
  readonly #do: Act;
  readonly #pending = new Map<string, Pending>();
  #largest = 1024 * 1024; // until the server says

  constructor(env: Env, act: Act) {
    [this.#env, this.#do] = [env, act];
  }

  /** Every `say` without an answer. */
  get said(): readonly Say[] {
    return this.#all.map(({ frame }) => frame).filter((frame) => frame.type === "say");
  }

  /** Keep it until it is answered, unless it can never be sent. */
  add(frame: Request): void {
    if (this.#pending.has(frame.id)) return; // kept from before a reload
    const bytes = byteLength(encode(frame));
    if (bytes > this.#largest) return this.#tell(frame, tooBig(bytes, this.#largest));
    if (this.#pending.size >= MOST) return this.#tell(frame, { ...refusal(RATE_LIMIT, `${MOST} requests wait already`), temporary: true });
    this.#pending.set(frame.id, { frame, bytes, tries: 0, due: this.#env.now(), wasSent: false });
    this.#save(frame);
  }

  /** Requests to send now. They count as handed over. */
  due(): Request[] {
    const due = this.#all.filter((request) => request.due <= this.#env.now());
    for (const request of due) request.due = Infinity;
    return due.map(({ frame }) => frame);
  }

  /** The ms until the next request is due, if one is. */
  get wait(): number | undefined {
    const next = Math.min(...this.#all.map(({ due }) => due));
    return next < Infinity ? next - this.#env.now() : undefined;
  }

  wrote(id: string): void {
    const request = this.#pending.get(id);
    if (request) request.wasSent = true;
  }

  /** A temporary refusal is tried again later, a few times. */
  answered(reply: Reply): void {
    const request = this.#pending.get(reply.id);
    if (!request) return;
    if (reply.ok) this.#settle(request, undefined, reply);
    else if (reply.error.temporary && request.tries < TRIES) request.due = this.#env.now() + 1_000 * 2 ** ++request.tries;
    else this.#settle(request, reply.error);
  }

  /** The connection is gone: everything is due again. */
  lost(): void {
    for (const request of this.#all) [request.due, request.wasSent] = [this.#env.now(), false];
  }

  /** The server closed the connection with `code`: give up the requests that made it do so, the largest of those in the air, or
   *  all of them where the code does not tell which. Returns whether there was one. */
  broke(code: number, reason: string): boolean {
    const sent = this.#all.filter(({ wasSent }) => wasSent).sort((a, b) => b.bytes - a.bytes);
    if (code === FRAME_TOO_BIG) sent.length &&= 1;
    else if (code !== BAD_DATA && code !== PROTOCOL_ERROR) return false;
    for (const request of sent)
      this.#settle(request, code === FRAME_TOO_BIG ? tooBig(request.bytes) : refusal(code, `the server could not read it: ${reason}`));
    return sent.length > 0;
  }

  /** The server takes frames of this many bytes. */
  limit(largest: number): void {
    this.#largest = largest;
    for (const request of this.#all) if (request.bytes > largest) this.#settle(request, tooBig(request.bytes, largest));
  }

  /** No answer is waited for any more; `isSaidKept`: except to what was said. */
  giveUp(failure: Failure, isSaidKept: boolean): void {
    for (const request of this.#all) if (!isSaidKept || request.frame.type !== "say") this.#settle(request, failure);
  }

  get #all(): Pending[] {
    return [...this.#pending.values()];
  }

  #settle({ frame }: Pending, error: Failure | undefined, result?: Reply & { ok: true }): void {
    this.#pending.delete(frame.id);
    this.#save(frame);
    this.#tell(frame, error, result);
  }

  #tell(frame: Request, error: Failure | undefined, result?: Reply & { ok: true }): void {
    const { id } = frame;
    if (frame.type === "say" && error) this.#do("tell", "refused", { id, body: frame.body, error });
    else if (frame.type === "say") this.#do("tell", "said", { id, run: String(result?.["run"]), thread: String(result?.["thread"]) });
    this.#do("settle", id, error, result);
  }

  /** What was said outlives the page. */
  #save({ type }: Request): void {
    if (type === "say") this.#do("save", "unanswered", this.said);
  }
}

export const refusal = (code: number, message: string): Failure => ({ code, message, temporary: false });

/** 16.4 kB */
const kilobytes = (bytes: number): string => `${Math.round(bytes / 100) / 10} kB`;

const tooBig = (bytes: number, most?: number): Failure =>
  refusal(FRAME_TOO_BIG, `it takes ${kilobytes(bytes)}, and the server takes ${most === undefined ? "less" : `${kilobytes(most)} at most`}`);
