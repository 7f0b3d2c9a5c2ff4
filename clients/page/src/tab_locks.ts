// Which tab speaks for a session, where there are no Web Locks: they exist over HTTPS and on localhost only.

import type { Locks } from "greenroom";
import { randomId } from "./dom.js";

const ANSWER_MS = 200; // how long another tab may take to say that it holds a lock

/** Web Locks, or the tabs ask each other. */
export const tabLocks = (): Locks => navigator.locks ?? ({ request } as Locks);

/** As `LockManager.request` with a signal that aborts soon: calls `hold` until its promise ends, or rejects where another tab holds it. */
async function request(name: string, _: LockOptions, hold: () => Promise<unknown>): Promise<void> {
  const channel = new BroadcastChannel(name);
  try {
    if (await isHeld(channel)) throw new DOMException("another tab holds it", "AbortError");
    await hold();
  } finally {
    channel.close();
  }
}

/** A tab that holds it, or asks for it, answers. Two tabs that ask at once both get none. */
function isHeld(channel: BroadcastChannel): Promise<boolean> {
  const me = randomId();
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => {
      if (data.asks) channel.postMessage({ refuses: data.asks });
      if (data.refuses === me) resolve(true);
    };
    channel.postMessage({ asks: me });
    setTimeout(() => resolve(false), ANSWER_MS);
  });
}
