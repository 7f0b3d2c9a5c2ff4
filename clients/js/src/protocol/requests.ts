// Requests: each is answered once, and sent again after a reconnect until it is. Pure.

import { BAD_DATA, FRAME_TOO_BIG, PROTOCOL_ERROR, RATE_LIMIT } from "./codes.js";
import { byteLength, encode, type Failure, type Request, type Say } from "./frames.js";

const MOST = 256; // requests that wait for their answers, or for a connection
const TRIES = 3; // after a temporary refusal

interface Pending {
  readonly frame: Request;
  readonly bytes: number;
  tries: number;
  /** When it is due, in ms; undefined once it was handed over to be sent. */
  due: number | undefined;
  wasSent: boolean;
}

export class Requests {
  readonly #pending = new Map<string, Pending>();
  /** Bytes of the largest frame that the server takes. */
  largest = 64 * 1024;

  /** Every `say` without an answer. */
  get said(): readonly Say[] {
    return [...this.#pending.values()].map(({ frame }) => frame).filter((frame) => frame.type === "say");
  }

  /** Why this request cannot be sent; otherwise it is kept until it is answered. */
  add(frame: Request, now: number): Failure | undefined {
    const bytes = byteLength(encode(frame));
    if (bytes > this.largest) return tooBig(bytes, this.largest);
    if (this.#pending.size >= MOST) return { ...refusal(RATE_LIMIT, `${MOST} requests wait already`), temporary: true };
    this.#pending.set(frame.id, { frame, bytes, tries: 0, due: now, wasSent: false });
    return undefined;
  }

  /** Requests to send now. They count as handed over. */
  due(now: number): Request[] {
    const due = [...this.#pending.values()].filter((request) => request.due !== undefined && request.due <= now);
    for (const request of due) request.due = undefined;
    return due.map(({ frame }) => frame);
  }

  /** The ms until the next request is due. */
  wait(now: number): number | undefined {
    const dues = [...this.#pending.values()].flatMap(({ due }) => (due === undefined ? [] : [due - now]));
    return dues.length ? Math.min(...dues) : undefined;
  }

  wrote(id: string): void {
    const request = this.#pending.get(id);
    if (request) request.wasSent = true;
  }

  has(id: string): boolean {
    return this.#pending.has(id);
  }

  /** A temporary refusal is tried again later, a few times. Returns whether that is so. */
  retries(id: string, error: Failure, now: number): boolean {
    const request = this.#pending.get(id);
    if (!request || !error.temporary || request.tries >= TRIES) return false;
    request.due = now + 1_000 * 2 ** ++request.tries;
    return true;
  }

  /** It has its answer. */
  take(id: string): Request | undefined {
    const request = this.#pending.get(id);
    this.#pending.delete(id);
    return request?.frame;
  }

  /** The connection is gone: everything is due again, except a new token: the next connection begins with a newer one. */
  lost(now: number): void {
    for (const [id, request] of this.#pending) {
      [request.due, request.wasSent] = [now, false];
      if (request.frame.type === "refresh") this.#pending.delete(id);
    }
  }

  /** The requests that made the server close the connection with `code`, and why: the largest of those in the air, or
   *  all of them where the code does not tell which. */
  broke(code: number, reason: string): [string, Failure][] {
    const sent = [...this.#pending.values()].filter(({ wasSent }) => wasSent).sort((a, b) => b.bytes - a.bytes);
    if (code === FRAME_TOO_BIG) return sent.slice(0, 1).map(({ frame, bytes }) => [frame.id, tooBig(bytes)]);
    if (code !== BAD_DATA && code !== PROTOCOL_ERROR) return [];
    return sent.map(({ frame }) => [frame.id, refusal(code, `the server could not read it: ${reason}`)]);
  }

  /** Requests larger than the server takes, which a later `ready` may say. */
  tooBig(): [string, Failure][] {
    const large = [...this.#pending.values()].filter(({ bytes }) => bytes > this.largest);
    return large.map(({ frame, bytes }) => [frame.id, tooBig(bytes, this.largest)]);
  }

  /** All but what was said. */
  get unsaid(): string[] {
    return [...this.#pending.values()].filter(({ frame }) => frame.type !== "say").map(({ frame }) => frame.id);
  }

  get ids(): string[] {
    return [...this.#pending.keys()];
  }
}

export const refusal = (code: number, message: string): Failure => ({ code, message, temporary: false });

/** 16.4 kB */
const kilobytes = (bytes: number): string => `${Math.round(bytes / 100) / 10} kB`;

const tooBig = (bytes: number, most?: number): Failure =>
  refusal(FRAME_TOO_BIG, `it takes ${kilobytes(bytes)}, and the server takes ${most === undefined ? "less" : `${kilobytes(most)} at most`}`);
