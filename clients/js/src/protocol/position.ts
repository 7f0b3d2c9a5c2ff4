// Where a session stands in the user's journal, and which events take it further. Pure.

import type { GreenroomEvent } from "./events.js";

/** What the next `hello` says. Without `session` it begins a new session at the same place. */
export interface Position {
  readonly session?: string | undefined;
  readonly epoch: string;
  readonly offset: number;
  readonly event?: string | undefined;
  readonly user: string;
}

/** Where the journal is after an event. */
export const endOf = (event: GreenroomEvent): number =>
  event.kind === "superseded" ? Math.max(event.offset, event.data.through) : event.offset;

/** The events of a frame that are new, up to the first gap. A gap at `allowed` is none: the server left it after a resume, too, and
 *  that is its last word on it. */
export function following(offset: number, events: readonly GreenroomEvent[], allowed: number | undefined): GreenroomEvent[] {
  const fresh: GreenroomEvent[] = [];
  for (const event of events) {
    if (endOf(event) <= offset) continue;
    if (event.offset > offset + 1 && offset !== allowed) break;
    offset = endOf(event);
    fresh.push(event);
  }
  return fresh;
}
