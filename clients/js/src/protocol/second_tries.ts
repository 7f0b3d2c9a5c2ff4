// Requests that the server refused: which are tried again, and when. Pure, as the machine is that they belong to.

import { BAD_DATA, FRAME_TOO_BIG, PROTOCOL_ERROR } from "./codes.js";
import type { Reply } from "./frames.js";
import type { Machine } from "./machine.js";

const TRIES = 3; // after a temporary refusal

type Requesting = Pick<Machine, "env" | "requests">;

/** A temporary refusal is tried again later, a few times. */
export function retry({ env, requests }: Requesting, { id, error }: Reply & { ok: false }): void {
  const request = requests.pending.get(id);
  if (!request) return;
  if (error.temporary && request.tries < TRIES) request.due = env.now() + 1_000 * 2 ** ++request.tries;
  else requests.conclude(request.frame, error);
}

/** The ms until the next request is due, if one will be: one that is due already waits for a connection, or for its turn. */
export function untilNext({ env, requests }: Requesting): number | undefined {
  const now = env.now();
  const next = Math.min(...requests.queued.map(({ due }) => due).filter((due) => due > now));
  return next < Infinity ? next - now : undefined;
}

/** The server closed the connection with `code`: give up the requests that made it do so, the largest of those in the air, or
 *  all of them where the code does not tell which. Returns whether there was one. */
export function broke({ requests }: Requesting, code: number, reason: string): boolean {
  const sent = requests.queued.filter(({ due }) => due === Infinity).sort((a, b) => b.bytes - a.bytes);
  if (code === FRAME_TOO_BIG) sent.length &&= 1;
  else if (code !== BAD_DATA && code !== PROTOCOL_ERROR) return false;
  for (const { frame, bytes } of sent)
    requests.conclude(frame, { code, message: code === FRAME_TOO_BIG ? `it takes ${Math.round(bytes / 100) / 10} kB, and the server takes less` : `the server could not read it: ${reason}`, temporary: false });
  return sent.length > 0;
}
