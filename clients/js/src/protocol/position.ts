// Where a session stands in the user's journal, and how `ready` and `events` move it. Pure.

import type { GreenroomEvent } from "./events.js";
import type { Ready } from "./frames.js";

/** What the next `hello` says. Without `session` it begins a new session at the same place. */
export interface Position {
  readonly session?: string | undefined;
  readonly epoch: string;
  readonly offset: number;
  readonly event?: string | undefined;
  readonly user: string;
}

export interface Opened {
  readonly position: Position;
  /** What was received beyond this offset no longer counts; undefined if all of it does. */
  readonly beyond: number | undefined;
  /** Another journal answers, or another user is signed in. */
  readonly isOther: boolean;
}

/** The position after a `ready`: ours if the server knows it, otherwise the place that it sends from. */
export function opened(before: Position | undefined, ready: Ready): Opened {
  const { session, epoch, user, from } = ready;
  const isOther = before !== undefined && (before.epoch !== epoch || before.user !== user);
  if (before && ready.recovered && !isOther)
    return { position: { ...before, session, event: before.event ?? eventAt(before.offset, ready) }, beyond: undefined, isOther };
  const beyond = isOther ? 0 : before && from;
  return { position: { session, epoch, user, offset: from, event: eventAt(from, ready) }, beyond, isOther };
}

const eventAt = (offset: number, ready: Ready): string | undefined =>
  offset === ready.from ? (ready.event ?? undefined) : undefined;

/** The events of a frame that are new, up to the first gap, and the position after them. A gap at `allowed` is none: the
 *  server left it after a resume, too, and that is its last word on it. */
export function advance(position: Position, events: readonly GreenroomEvent[], allowed?: number) {
  const fresh: GreenroomEvent[] = [];
  let { offset, event: known } = position;
  let isGap = false;
  for (const event of events) {
    const end = event.kind === "superseded" ? Math.max(event.offset, event.data.through) : event.offset;
    if (end <= offset) continue;
    isGap = event.offset > offset + 1 && offset !== allowed;
    if (isGap) break;
    known = end === event.offset ? event.id : undefined;
    offset = end;
    fresh.push(event);
  }
  return { fresh, isGap, position: { ...position, offset, event: known } };
}
