// Requests: each is answered once, and sent again after a reconnect until it is. What a server cannot take fails
// here with words, and is not sent again. A `say` is kept over reloads, too.

import { byteLength, encode, kilobytes } from "./frames.js";

const LARGEST_FRAME = 64 * 1024; // bytes, unless `ready` says otherwise
const TRIES = 3; // after a temporary refusal
const FRAME_TOO_BIG = 1009, BAD_DATA = 1007, PROTOCOL_ERROR = 4502;

const LONGEST_ID = 128; // characters; a frame with a longer one would get no reply

const canBeAnswered = (frame) =>
  frame?.type === "say" && typeof frame.id === "string" && frame.id !== "" && frame.id.length <= LONGEST_ID;
const sizeOf = (frame) => byteLength(encode(frame));

export class RequestFailed extends Error {
  constructor({ code, message, temporary }) {
    super(message);
    Object.assign(this, { code, temporary });
  }
}

export class Requests {
  #memory; #send; #onSaid; #pending = new Map();

  /** send: (frame), to the socket in its turn; onSaid: ({id, error, ...result}), the outcome of a say. */
  constructor({ memory, send, onSaid }) {
    [this.#memory, this.#send, this.#onSaid] = [memory, send, onSaid];
    if (memory.get("unanswered") !== null) memory.set("unanswered", this.unanswered);
    for (const frame of this.unanswered) this.add(frame).catch(() => {}); // reported by onSaid
  }

  /** What was said and not answered, as an older page may have left it. */
  get unanswered() {
    const kept = this.#memory.get("unanswered");
    return Array.isArray(kept) ? kept.filter(canBeAnswered) : [];
  }

  /** Bytes of the largest frame that the server takes. */
  get largest() { return this.#memory.get("largest") ?? LARGEST_FRAME; }
  set largest(bytes) { this.#memory.set("largest", bytes ?? null); }

  /** A message for the user if the server would close the socket for this frame. */
  tooLarge(frame) {
    const size = sizeOf(frame);
    return size > this.largest && `This message has ${kilobytes(size)}, and the server takes ${kilobytes(this.largest)} at most.`;
  }

  keep(frame) { this.#memory.set("unanswered", [...this.unanswered, frame]); }

  /** The answer to come. It is sent by `dispatch`. */
  add(frame) {
    return new Promise((resolve, reject) => this.#pending.set(frame.id, { frame, resolve, reject, tries: 0, sent: false }));
  }

  /** All that is not answered. */
  get waiting() { return [...this.#pending.values()].map(({ frame }) => frame); }

  dispatch(frame) {
    const message = this.tooLarge(frame);
    if (message) this.#fail(frame, FRAME_TOO_BIG, message);
    else this.#send(frame);
  }

  /** This frame went out. */
  wrote({ id }) {
    const request = this.#pending.get(id);
    if (request) request.sent = true;
  }

  /** The socket is gone: the next one begins with a newer token than one that is to be refreshed still. */
  lost() {
    for (const [id, request] of this.#pending) {
      request.sent = false;
      if (request.frame.type !== "refresh") continue;
      this.#pending.delete(id);
      request.reject(new RequestFailed({ code: 1006, message: "the connection was lost", temporary: true }));
    }
  }

  /** A frame that the server closed the socket for fails: the largest of those in the air, or all of them where the code
   *  does not tell which. Returns whether there was one. */
  failWhatBroke(code, reason) {
    const sent = [...this.#pending.values()].filter((request) => request.sent).map(({ frame }) => frame);
    const largest = [...sent].sort((a, b) => sizeOf(b) - sizeOf(a)).slice(0, 1);
    const broke = { [FRAME_TOO_BIG]: largest, [BAD_DATA]: sent, [PROTOCOL_ERROR]: sent }[code] ?? [];
    const words = (frame) => code === FRAME_TOO_BIG
      ? `This message has ${kilobytes(sizeOf(frame))}, which is more than the server takes.`
      : `The server could not read it: ${reason || "no reason given"} (${code}).`;
    for (const frame of broke) this.#fail(frame, code, words(frame));
    return broke.length > 0;
  }

  /** All of them, and nothing is kept. */
  failAll(error) {
    for (const { reject } of this.#pending.values()) reject(new RequestFailed(error));
    this.#pending.clear();
    this.#memory.set("unanswered", []);
  }

  settle({ id, ok, error, ...result }) {
    const request = this.#pending.get(id);
    if (!request) return;
    if (!ok && error.temporary && request.tries++ < TRIES) return this.#again(request);
    this.#pending.delete(id);
    if (request.frame.type === "say") {
      this.#memory.set("unanswered", this.unanswered.filter((frame) => frame.id !== id));
      this.#onSaid({ id, error, ...result });
    }
    if (ok) request.resolve(result);
    else request.reject(new RequestFailed(error));
  }

  #again({ frame, tries }) {
    setTimeout(() => { if (this.#pending.has(frame.id)) this.#send(frame); }, 1_000 * 2 ** tries);
  }

  #fail({ id }, code, message) { this.settle({ id, ok: false, error: { code, message, temporary: false } }); }
}
