// What the machine hears, as data.

import type { Reason, TokenReason } from "./commands.js";
import type { GreenroomEvent, JSON } from "./events.js";
import type { Closing, Reply, Request, ServerFrame } from "./frames.js";
import type { Duties } from "./machine.js";

/** Inputs of the machine itself: each is the name of one of its methods, and its arguments. */
export interface FirstInputs {
  // what the program wants
  connect: [];
  close: [reason?: Reason | null];
  request: [frame: Request];
  // timers
  retry: [];
  silent: [];
  ack: [];
  pace: [];
  load: [];
  // the connection
  opened: [];
  /** No token could be had. */
  noToken: [message: string, reason: TokenReason];
  /** Anything came: the connection lives. */
  alive: [];
  received: [frame: ServerFrame];
  /** The connection ended, or must. */
  lost: [code: number, reason: string, asked?: Closing["reconnect"] | undefined];
  /** Another tab speaks for this session: begin one of our own, at the same place. */
  forgetSession: [];
  /** The upkeep is there. */
  loaded: [upkeep: Duties];
}

/** Inputs of the upkeep: `Upkeeping` in upkeeping.ts has their methods. */
export interface UpkeepInputs {
  // what the program reports
  displayed: [events: readonly GreenroomEvent[]];
  confirm: [event: GreenroomEvent, verdict: JSON | undefined, note: string | undefined];
  typing: [thread: string];
  // the life of the page
  hidden: [];
  /** The machine or the tab may have slept, or is on another network. */
  woke: [isOnline?: boolean];
  offline: [];
  /** The browser keeps the page for later, without a connection. */
  suspend: [];
  // timers
  report: [];
  renew: [];
  dispatch: [];
  // the connection
  /** A token to take the place of the one that expires; undefined if there is none yet. */
  renewed: [connection: string, token: string | undefined];
  /** The server closed the connection, and would do so again. */
  refused: [code: number, reason: string, asked: Closing["reconnect"] | undefined, wasHello: boolean];
  /** The server refused a request. */
  denied: [reply: Reply & { ok: false }];
  /** A question was asked, or needs no answer any more. */
  asked: [event: GreenroomEvent];
  /** A thread is gone. */
  erased: [thread: string];
  /** Events beyond this offset no longer count. */
  forget: [beyond: number];
}

type OneOf<I> = { [K in keyof I]: I[K] extends unknown[] ? [name: K, ...what: I[K]] : never }[keyof I];
export type Input = OneOf<FirstInputs> | OneOf<UpkeepInputs>;
export type Hears<I> = { [K in keyof I]: I[K] extends unknown[] ? (...what: I[K]) => void : never };
