// What leaves: frames at the server's pace, and reports between them. Pure, as the machine is that it belongs to.

import type { Command } from "./commands.js";
import type { ClientFrame, Ready } from "./frames.js";
import { Pacer } from "./pacer.js";
import { Reports } from "./reports.js";
import type { Requests } from "./requests.js";

export class Outgoing {
  readonly reports = new Reports();
  readonly #clock: { now(): number };
  readonly #requests: Requests;
  readonly #do: (command: Command) => void;
  readonly #pacer = new Pacer();
  #queue: ClientFrame[] = [];

  constructor(clock: { now(): number }, requests: Requests, act: (command: Command) => void) {
    [this.#clock, this.#requests, this.#do] = [clock, requests, act];
  }

  /** A new connection has a new allowance. */
  begin({ frames_per_second, frames_burst }: Ready): void {
    this.#pacer.restart(this.#clock.now(), frames_per_second, frames_burst);
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

  /** Returns whether all reports are on their way. */
  sendReports(maxFrameBytes: number): boolean {
    while (!this.#queue.length) {
      const frame = this.reports.next(maxFrameBytes);
      if (!frame) return true;
      this.send(frame);
    }
    return false;
  }

  pump(): void {
    let ms = 0;
    while (this.#queue.length && !(ms = this.#pacer.take(this.#clock.now()))) {
      const frame = this.#queue.shift() as ClientFrame;
      if ("id" in frame) this.#requests.wrote(frame.id);
      this.#do({ do: "send", frame });
    }
    if (this.#queue.length) this.#do({ do: "wait", timer: "pace", ms });
  }

  /** The connection is gone: what had no answer is sent again on the next one. */
  lost(): void {
    this.reports.lost(this.#queue);
    this.#requests.lost(this.#clock.now());
    this.#queue = [];
    this.#do({ do: "wait", timer: "pace", ms: undefined });
  }
}
