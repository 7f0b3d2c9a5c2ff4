// Events for `for await`, of a client or of a run.

import type { Client } from "./client.js";
import { EventStream, tooSlow } from "./event_stream.js";
import { MOST_EARLY } from "./later.js";
import type { GreenroomEvent } from "./protocol/events.js";
import type { EventLog } from "./views/event_log.js";
import type { Run } from "./views/run.js";
import { hasEnded } from "./views/run_state.js";

type Events = readonly GreenroomEvent[];

/** Every event of a client from `early` on: the frames that came while this was loaded. */
export const allEvents = (client: Client, early: readonly Events[]): EventStream<GreenroomEvent> =>
  new EventStream<GreenroomEvent>((stream) => {
    for (const events of early) stream.push(events);
    if (early.length === MOST_EARLY) stream.end(tooSlow());
    const endIfClosed = () => client.state === "closed" && stream.end();
    endIfClosed();
    return follow(client, (events) => stream.push(events), endIfClosed);
  });

/** The events of a run: those that are known first, to its end or the client's. */
export const runEvents = (log: EventLog, run: Run): EventStream<GreenroomEvent> =>
  new EventStream<GreenroomEvent>((stream) => {
    const { client } = log;
    const endIfOver = () => {
      if (hasEnded(run.state) || client.state === "closed") stream.end();
    };
    stream.push(log.events(run.id));
    endIfOver();
    const push = (events: Events) => {
      stream.push(events.filter((event) => event.run === run.id));
      endIfOver();
    };
    return follow(client, push, endIfOver);
  });

/** Returns what ends it. */
function follow(client: Client, push: (events: Events) => void, stateChanged: () => void): () => void {
  const ends = [client.on("events", push), client.on("state", stateChanged)];
  return () => ends.forEach((end) => end());
}
