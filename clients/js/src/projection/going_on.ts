// What goes on in a thread when a page comes to it.

import type { Client, Said } from "../client.js";
import { eventLog } from "../views/event_log.js";
import { hasEnded, type RunState } from "../views/run_state.js";

/** What goes on in a thread: what was said before a reload and has no answer yet, or the newest run that has not ended. */
export async function goingOn(client: Client, thread: string | undefined): Promise<Said | undefined> {
  const unanswered = client.unanswered.find((each) => each.thread === thread);
  if (unanswered) return whenSaid(client, unanswered.id);
  const run = thread && (await newestRun(client, thread));
  return run ? { run, thread } : undefined;
}

/** Of a sub-run it is the outermost run. */
async function newestRun(client: Client, thread: string): Promise<string | undefined> {
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

/** Undefined if it is refused. */
function whenSaid(client: Client, id: string): Promise<Said | undefined> {
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
