// The token: when the next one is asked for, and how it takes the place of the last. Pure, as the machine is that it belongs to.

import type { Act } from "./commands.js";
import type { Attempts } from "./attempts.js";
import type { Env } from "./env.js";
import type { Reply, Request } from "./frames.js";

export class Renewal {
  readonly #env: Env;
  readonly #attempts: Attempts;
  readonly #do: Act;
  #failures = 0;
  #id: string | undefined;

  constructor({ env, attempts, do: act }: { env: Env; attempts: Attempts; do: Act }) {
    [this.#env, this.#attempts, this.#do] = [env, attempts, act];
  }

  /** A token was accepted that expires at `expires`: ask for another a minute before, half-way through a shorter one. Not at all
   *  where it does not expire, or seems to have: the server has just accepted it, so our clock is wrong, and 4104 comes in time. */
  plan(expires: number | null | undefined): void {
    const left = (expires ?? 0) - this.#env.date();
    this.#failures = 0;
    this.#do("wait", "renew", left > 0 ? Math.max(left - 60_000, left / 2, 1_000) : undefined);
  }

  /** There is none yet, or it was refused; the connection lives on. */
  later(): void {
    this.#do("wait", "renew", 1_000 + this.#attempts.backOff(this.#failures++));
  }

  request(token: string): Request {
    return { type: "refresh", id: (this.#id = this.#env.id()), token };
  }

  /** Returns whether this was the answer to our request. */
  isOwn(reply: Reply): boolean {
    if (reply.id !== this.#id) return false;
    if (reply.ok) this.plan(reply["expires"] as number | undefined);
    else this.later();
    return true;
  }
}
