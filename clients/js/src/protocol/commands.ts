// What the machine has its shell do, as data; and what it tells the program.

import type { ClientFrame, Failure } from "./frames.js";
import type { GreenroomEvent, JSON } from "./events.js";
import type { State } from "./states.js";

/** Each is one timer, named as the machine's input that it brings: waiting anew replaces it. */
export type Timer = "retry" | "silent" | "ack" | "pace" | "report" | "renew" | "dispatch" | "load";

export type Transport = "websocket" | "sse";

/** Why a token is asked for. After `refused` give a new one: the last one may be why there is no connection. */
export type TokenReason = "connect" | "refused" | "refresh";

export interface Saved {
  position: unknown;
  unanswered: unknown;
}

/** What the shell does, by name, and with what. */
interface Commands {
  open: [via: Transport, reason: TokenReason];
  /** The connection, if there is one, and every timer. */
  drop: [];
  /** Load the upkeep. */
  load: [];
  send: [frame: ClientFrame];
  /** Without `ms` the timer is stopped. */
  wait: [timer: Timer, ms?: number | undefined];
  save: [name: keyof Saved, value: unknown];
  settle: [id: string, error: Failure | undefined, result?: object | undefined];
  tell: { [K in keyof Told]: [name: K, value: Told[K]] }[keyof Told];
}

/** What the upkeep has its half of the shell do. */
interface LaterCommands {
  renew: [connection: string];
}

type OneOf<C> = { [K in keyof C]: C[K] extends unknown[] ? [name: K, ...what: C[K]] : never }[keyof C];
export type Command = OneOf<Commands> | OneOf<LaterCommands>;

export type UpkeepCommands = { [C in keyof LaterCommands]: (...what: LaterCommands[C]) => void };

export type Shell = { [C in keyof Commands]: (...what: Commands[C]) => void };

export type Act = (...command: Command) => void;

/** Why there is no connection. `code` is a close code (docs/protocol.md), 1006 where none came. */
export interface Reason {
  readonly code: number;
  readonly message: string;
  /** The browser says that it is offline. */
  readonly offline: boolean;
  /** When the next attempt begins, in ms since the Unix epoch. */
  readonly retryAt?: number;
}

export interface Told {
  state: { readonly newState: State; readonly oldState: State; readonly reason: Reason | null };
  /** The new events of a frame: in order, each once. */
  events: readonly GreenroomEvent[];
  /** What was received with an offset beyond `beyond` no longer counts, and what lies before it may be incomplete: forget
   *  the former, and ask `history` for the latter. `isOther`: it is of another journal, or of another user. */
  reset: { readonly beyond: number; readonly isOther: boolean };
  /** The questions that wait for the user, in any thread. */
  asks: readonly GreenroomEvent<"input_requested">[];
  /** A `say` has its run; also one from before a reload. */
  said: { readonly id: string; readonly run: string; readonly thread: string };
  /** A `say` was refused, and is not sent again. */
  refused: { readonly id: string; readonly body: JSON; readonly error: Failure };
  /** A thread was erased for good, here or elsewhere: forget what is shown of it. */
  erased: { readonly thread: string };
  typing: { readonly thread: string; readonly from: string };
  /** The server could not use a frame that has no `id`, such as a report. */
  error: Failure;
}
