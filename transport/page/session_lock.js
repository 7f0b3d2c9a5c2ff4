// Which tab speaks for a session. A duplicated tab starts with a copy of the first one's sessionStorage, and the
// server gives a session to the last tab that asks; so a tab holds its session by a lock while it lives.

import { randomId } from "./frames.js";

const RELOAD_MS = 1_000; // how long the lock of the page before a reload may outlive it
const ANSWER_MS = 200; // how long another tab may take to say that it holds a session

export class SessionLock {
  #session = null; #taken = null;

  /** Hold this session and no other. Resolves to false when another live tab holds it. */
  async take(session) {
    if (session !== this.#session) {
      this.release();
      [this.#session, this.#taken] = [session, hold(`greenroom.session.${session}`)];
    }
    const isTaken = (await this.#taken) !== null;
    if (!isTaken && session === this.#session) this.#session = this.#taken = null;
    return isTaken;
  }

  release() {
    this.#taken?.then((release) => release?.());
    this.#session = this.#taken = null;
  }
}

/** A function that releases the lock, or null when another tab holds it. Web Locks exist over HTTPS and on localhost only. */
const hold = (name) => (navigator.locks ? holdLock(name) : holdChannel(name));

function holdLock(name) {
  return new Promise((resolve) => {
    const tooLong = new AbortController();
    setTimeout(() => tooLong.abort(), RELOAD_MS);
    navigator.locks
      .request(name, { signal: tooLong.signal }, () => new Promise((release) => resolve(release)))
      // Where locks are denied each tab takes its session: the server then parts them (4504).
      .catch((error) => resolve(error.name === "AbortError" ? null : () => {}));
  });
}

/** A tab that holds a session, or asks for it, answers. Two tabs that ask at once both get none. */
function holdChannel(name) {
  return new Promise((resolve) => {
    const channel = new BroadcastChannel(name), me = randomId();
    channel.onmessage = ({ data }) => {
      if (data.asks) channel.postMessage({ refuses: data.asks });
      if (data.refuses === me) {
        channel.close();
        resolve(null);
      }
    };
    channel.postMessage({ asks: me });
    setTimeout(() => resolve(() => channel.close()), ANSWER_MS);
  });
}
