// What the server answers of a run (schema greenroom.run/1), and how it is said in words.

import { type Fields, isObject } from "../kit.js";

export type Stage = "accepted" | "sent" | "received" | "displayed" | "confirmed";

export interface Sight {
  readonly session: string;
  readonly stage: Stage;
  readonly received_by: number | null;
  readonly displayed_at: number | null;
  readonly confirmed_at: number | null;
  readonly verdict?: unknown;
  readonly note?: string | null;
}

export interface Attempt {
  readonly number: number;
  readonly at: number;
  readonly session: string;
}

export interface Moment {
  readonly since: number;
  readonly depth: number;
  readonly took: number | null;
  readonly stage: Stage;
  readonly outcome: string | null;
  readonly sessions: readonly Sight[];
  readonly attempts: readonly Attempt[];
  readonly given_up: { readonly at: number; readonly why: string } | null;
  readonly bytes: number;
  readonly name: string | null;
  readonly event: { readonly id: string; readonly kind: string; readonly offset: number; readonly at: number; readonly run: string; readonly data?: Fields };
}

export interface RunPage {
  readonly run: string;
  readonly parent: string | null;
  readonly user: string;
  readonly thread: string;
  readonly agent: string | null;
  readonly began: number;
  readonly ended: number | null;
  readonly ending: string | null;
  readonly goes_on: boolean;
  /** The offset after which the next page begins; null if this is the last. */
  readonly after: number | null;
  readonly texts: boolean;
  readonly moments: readonly Moment[];
}

/** Events that come from the user's side. */
export const FROM_USER: ReadonlySet<string> = new Set(["user_said", "input_answered"]);

/** 0.000, 59.999, 1:00.000, 1:00:00.000: seconds, minutes, hours. */
export function clock(ms: number): string {
  const s = Math.floor(ms / 1_000), rest = String(Math.round(ms % 1_000)).padStart(3, "0");
  const two = (n: number): string => String(n).padStart(2, "0");
  if (s < 60) return `${s}.${rest}`;
  if (s < 3_600) return `${Math.floor(s / 60)}:${two(s % 60)}.${rest}`;
  return `${Math.floor(s / 3_600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${rest}`;
}

export const titleOf = ({ event, name }: Moment): string => (name === null ? event.kind : `${event.kind} ${name}`);

/** The sessions of some moments, in the order in which they come. */
export const sessionsOf = (moments: readonly Moment[]): readonly string[] =>
  [...new Set(moments.flatMap(({ sessions }) => sessions.map(({ session }) => session)))];

const TAIL = 8; // characters that tell a session from its user's others

export const tailOf = (session: string): string => session.slice(-TAIL);

/** How often a session was sent an event: once, or as often as its last redelivery says. */
export const timesSent = ({ attempts }: Moment, session: string): number =>
  Math.max(1, ...attempts.filter((each) => each.session === session).map((each) => each.number));

/** What the data of an event says, for people. */
export function textOf(data: Fields): string {
  for (const name of ["text", "report", "body", "prompt", "value", "message"]) {
    const value = data[name];
    if (typeof value === "string") return value;
    if (isObject(value) || Array.isArray(value)) return JSON.stringify(value, null, 2);
  }
  return JSON.stringify(data, null, 2);
}
