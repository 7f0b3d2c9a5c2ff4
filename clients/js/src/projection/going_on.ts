// What goes on in a thread when a page comes to it.

import type { Client, Said } from "../client.js";
import { eventLog } from "../views/event_log.js";
import { hasEnded, type RunState } from "../views/run_state.js";

/** The newest run of a thread that still goes on, if there is one. Of a sub-run it is the outermost run. */
export async function runGoingOn(client: Client, thread: string): Promise<string | undefined> {
  const view = eventLog(client).thread(thread);
  const newest = () => view.state.runs.filter((run) => !hasEnded(run)).at(-1);
  if (!newest()) await view.load();
  const found = newest();
  return found && outermost(found, view.state.runs);
}

function outermost({ run, parent }: RunState, runs: readonly RunState[]): string {
  const enclosing = runs.find((each) => each.run === parent);
  return enclosing ? outermost(enclosing, runs) : (parent ?? run);
}

/** The run of a message that was said before a reload and has no answer yet; undefined if it is refused. */
export function whenSaid(client: Client, id: string): Promise<Said | undefined> {
  return new Promise((resolve) => {
    const end = (said?: Said) => {
      ends.forEach((leave) => leave());
      resolve(said);
    };
    const ends = [
      client.on("said", (said) => said.id === id && end(said)),
      client.on("refused", (refused) => refused.id === id && end()),
      client.on("state", ({ newState }) => newState === "closed" && end()),
    ];
  });
}
