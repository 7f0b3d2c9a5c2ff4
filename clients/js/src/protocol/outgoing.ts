// What leaves: frames at the server's pace, and reports between them. Pure, as the machine is that it belongs to.

import type { Act } from "./commands.js";
import type { Env } from "./env.js";
import type { ClientFrame, Ready } from "./frames.js";
import { Pacer } from "./pacer.js";
import { Reports } from "./reports.js";
import type { Requests } from "./requests.js";

export class Outgoing {
  readonly reports = new Reports();
  readonly #env: Env;
  readonly #requests: Requests;
  readonly #do: Act;
  readonly #pacer = new Pacer();
  #queue: ClientFrame[] = [];

  constructor(env: Env, requests: Requests, act: Act) {
    [this.#env, this.#requests, this.#do] = [env, requests, act];
  }

  /** A new connection has a new allowance. */
  begin({ frames_per_second, frames_burst }: Ready): void {
    this.#pacer.restart(this.#env.now(), frames_per_second, frames_burst);
  }

  /** Send in its turn. An ack covers those before it: one that waits is replaced. */
  send(frame: ClientFrame): void {
    if (frame.type === "ack") this.#queue = this.#queue.filter(({ type }) => type !== "ack");
    this.#queue.push(frame);
    this.pump();
  }

  /** Send before everything that waits. */
  sendFirst(frame: ClientFrame): void {
    this.#queue.unshift(frame);
    this.pump();
  }

  /** What is due. */
  sendRequests(): void {
    for (const frame of this.#requests.due()) this.send(frame);
    this.#do("wait", "dispatch", this.#requests.wait);
  }

  /** Returns whether all reports are on their way. */
  sendReports(maxFrameBytes: number | undefined): boolean {
    while (!this.#queue.length) {
      const frame = this.reports.next(maxFrameBytes);
      if (!frame) return true;
      this.send(frame);
    }
    return false;
  }

  pump(): void {
    let ms: number | undefined;
    while (this.#queue.length && !(ms = this.#pacer.take(this.#env.now()))) {
      const frame = this.#queue.shift() as ClientFrame;
      if ("id" in frame) this.#requests.wrote(frame.id);
      this.#do("send", frame);
    }
    if (this.#queue.length) this.#do("wait", "pace", ms);
  }

  /** The connection is gone: what had no answer is sent again on the next one. */
  lost(): void {
    this.reports.lost(this.#queue);
    this.#requests.lost();
    this.#queue = [];
    this.#do("wait", "pace");
  }
}
