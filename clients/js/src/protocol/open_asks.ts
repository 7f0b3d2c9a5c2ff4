// The questions that wait for the user. Pure.

import type { GreenroomEvent } from "./events.js";

export type Asks = readonly GreenroomEvent<"input_requested">[];

/** Those that are open after an event with an `ask`. */
export function stillOpen(asks: Asks, event: GreenroomEvent): Asks {
  if (!event.kind.startsWith("input_") || !("ask" in event.data)) return asks;
  const { ask } = event.data;
  const others = asks.filter(({ data }) => data.ask !== ask);
  return event.kind === "input_requested" ? [...others, event] : others;
}
