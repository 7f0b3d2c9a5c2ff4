// The token: when the next one is asked for, and how it takes the place of the last. Pure, as the machine is that it belongs to.

import type { Act } from "./commands.js";
import { backOff } from "./coming_back.js";
import type { Env } from "./env.js";
import type { Reply, Request } from "./frames.js";

const LONGEST_TIMER = 2 ** 31 - 1;

export class Renewal {
  readonly #env: Env;
  readonly #do: Act;
  #failures = 0;
  #id: string | undefined;

  constructor(env: Env, act: Act) {
    [this.#env, this.#do] = [env, act];
  }

  /** A token was accepted that expires at `expires`: ask for another a minute before, half-way through a shorter one. Not at all
   *  where it does not expire, or seems to have: the server has just accepted it, so our clock is wrong, and 4104 comes in time. */
  plan(expires: number | null | undefined): void {
    const left = (expires ?? 0) - this.#env.date();
    this.#failures = 0;
    this.#do("wait", "renew", left > 0 ? Math.min(Math.max(left - 60_000, left / 2, 1_000), LONGEST_TIMER) : undefined);
  }

  /** There is none yet, or it was refused; the connection lives on. */
  later(): void {
    this.#do("wait", "renew", 1_000 + backOff(this.#env.random(), this.#failures++));
  }

  request(token: string): Request {
    return { type: "refresh", id: (this.#id = this.#env.id()), token };
  }

  /** Returns whether this was the answer to our request. */
  answered(reply: Reply): boolean {
    if (reply.id !== this.#id) return false;
    if (reply.ok) this.plan(reply["expires"] as number | undefined);
    else this.later();
    return true;
  }
}
