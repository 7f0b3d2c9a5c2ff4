// The questions that wait for the user. Pure.

import type { GreenroomEvent } from "./events.js";

export type Asks = readonly GreenroomEvent<"input_requested">[];

/** Those that are open after these events; the same list if nothing changed. */
export function stillOpen(asks: Asks, events: readonly GreenroomEvent[]): Asks {
  for (const event of events) {
    if (!event.kind.startsWith("input_") || !("ask" in event.data)) continue;
    const { ask } = event.data;
    asks = asks.filter(({ data }) => data.ask !== ask);
    if (event.kind === "input_requested") asks = [...asks, event];
  }
  return asks;
}
