// Which tab speaks for a session. A duplicated tab starts with a copy of the first one's sessionStorage, and the server gives a
// session to the last tab that asks; so a tab holds its session by a Web Lock while it lives. Where there are no locks the
// server tells them apart (4504).

const RELOAD_MS = 1_000; // how long the lock of the page before a reload may outlive it

export type Locks = Pick<LockManager, "request">;

export class SessionLock {
  readonly #locks: Locks | undefined;
  #session: string | undefined;
  #release: Promise<(() => void) | null> = Promise.resolve(null);

  constructor(locks: Locks | undefined) {
    this.#locks = locks;
  }

  /** Hold this session and no other. Resolves to false when another live tab holds it. */
  async take(session: string): Promise<boolean> {
    if (!this.#locks) return true;
    if (session !== this.#session) {
      this.release();
      this.#session = session;
      this.#release = hold(this.#locks, `greenroom.session.${session}`);
    }
    const isTaken = (await this.#release) !== null;
    if (!isTaken && session === this.#session) this.#session = undefined;
    return isTaken;
  }

  release(): void {
    void this.#release.then((release) => release?.());
    this.#session = undefined;
  }
}

/** A function that releases the lock, or null when another tab holds it. */
function hold(locks: Locks, name: string): Promise<(() => void) | null> {
  return new Promise((resolve) => {
    locks
      .request(name, { signal: AbortSignal.timeout(RELOAD_MS) }, () => new Promise<void>((release) => resolve(release)))
      .catch((error: Error) => resolve(error.name === "TimeoutError" || error.name === "AbortError" ? null : () => {}));
  });
}
