// A run with its sub-runs, as far as the log has them.

import type { GreenroomEvent } from "../protocol/events.js";
import type { EventLog } from "../views/event_log.js";

/** The events of a run and of its sub-runs, in order. */
export function familyEvents(log: EventLog, run: string): GreenroomEvent[] {
  const thread = log.run(run).state.thread;
  const family = new Set([run]);
  for (const each of thread ? log.thread(thread).state.runs : []) if (each.parent && family.has(each.parent)) family.add(each.run);
  return [...family].flatMap((each) => log.events(each)).sort((a, b) => a.offset - b.offset);
}
