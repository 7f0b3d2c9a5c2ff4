// The second half of a client, loaded after the first attempt to connect: it watches the page, holds the session's lock, renews the
// token, and has the duties of protocol/upkeeping.ts. Beside it: `for await`.

import { watchPage } from "./page_life.js";
import type { UpkeepCommands } from "./protocol/commands.js";
import { Upkeeping } from "./protocol/upkeeping.js";
import { SessionLock } from "./session_lock.js";
import type { ClientShell } from "./shell.js";

export { allEvents, runEvents } from "./for_await.js";

export class Upkeep implements UpkeepCommands {
  readonly #shell: ClientShell;
  readonly #lock: SessionLock;
  #leavePage: (() => void) | undefined;

  constructor(shell: ClientShell) {
    const { locks = globalThis.navigator?.locks } = shell.options;
    this.#shell = shell;
    this.#lock = new SessionLock(locks);
    shell.feed("loaded", new Upkeeping(shell.machine));
    shell.emitter.on("state", () => this.#keepUp());
    this.#keepUp();
  }

  /** A duplicated tab has the session of the first one, which keeps it: this one begins another. */
  async takeSession(): Promise<void> {
    const { state, arrivals } = this.#shell.machine;
    const session = arrivals.position?.session;
    if (state === "closed") return; // while this was loaded: nobody would release it
    if (session && !(await this.#lock.take(session))) this.#shell.feed("forgetSession");
  }

  async renew(connection: string): Promise<void> {
    try {
      const token = await this.#shell.options.getToken({ reason: "refresh" });
      if (token === null) this.#shell.signedOut();
      else this.#shell.feed("renewed", connection, token);
    } catch {
      this.#shell.feed("renewed", connection, undefined); // asked again; the live connection lives on
    }
  }

  #keepUp(): void {
    const { state } = this.#shell.machine;
    if (state === "closed") return this.#leave();
    if (state === "ready") void this.takeSession();
    this.#leavePage ??= watchPage((...input) => this.#shell.feed(...input), () => this.#lock.release(), this.#shell.clock);
  }

  #leave(): void {
    this.#leavePage?.();
    this.#leavePage = undefined;
    this.#lock.release();
  }
}
