// Where the token comes from: the address's fragment, what was kept, the demo server, or a form.

import type { TokenReason } from "greenroom";
import { ask, whoami } from "./admission.js";
import { isObject } from "./dom.js";
import type { Memory } from "./memory.js";

/** Whether a header can carry the text. Quotation marks copied from a mail are not ASCII. */
export const canBeToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

/** In place of a token, where the service has users of its own: the page's cookies say who the user is. */
export const BY_COOKIE = "";

export interface Names {
  readonly now: string | null;
  readonly then: string | null;
}

interface Demo {
  readonly token: string;
  readonly can_kill?: unknown;
}

export interface TokensOptions {
  /** Whether the user `then` may take the place of `now`. */
  confirm(names: Names): Promise<boolean>;
  complain(words: string): void;
}

export class Tokens {
  readonly #memory: Memory;
  readonly #options: TokensOptions;
  #link: string | null = null;
  #considering = Promise.resolve(false);
  #isRejected = false;
  /** The user must give a token; `wasRefused`: the last one is no good. */
  needed: { readonly wasRefused: boolean } | null = null;

  /** memory: kept over sessions. */
  constructor(memory: Memory, options: TokensOptions) {
    [this.#memory, this.#options] = [memory, options];
  }

  /** A token, or `BY_COOKIE`; what is kept, unless it may be stale. Null when the user must give one, which `needed` says then. */
  async get(reason: TokenReason): Promise<string | null> {
    const kept = this.kept;
    if (kept && reason === "connect" && !this.#isRejected) return kept;
    const answer = await this.#demo(kept);
    if (answer === "unreachable") return kept ?? unreachable();
    this.#memory.set("demo", answer === "not a demo" ? null : { canKill: answer.can_kill === true });
    if (answer !== "not a demo") return this.keep(answer.token);
    const visitor = await whoami(null);
    if (visitor.status === 200 || visitor.isSignedOut) this.#memory.set("token", null); // no token counts here
    if (visitor.isSignedOut) throw new Error("you are not signed in");
    if (visitor.status === 200) return BY_COOKIE;
    return this.#keptOrNeeded(kept, reason);
  }

  /** A live connection never asks its user. */
  async #keptOrNeeded(kept: string | null, reason: TokenReason): Promise<string | null> {
    const mayAsk = reason !== "refresh";
    const isGood = kept !== null && !this.#isRejected && (!mayAsk || (await whoami(kept)).status !== 401);
    if (isGood) return kept;
    if (mayAsk) this.needed = { wasRefused: kept !== null };
    return null;
  }

  /** The demo's server gave the token: its agent reads tables, and anyone may ask it. */
  get fromDemo(): boolean { return isObject(this.#memory.get("demo")); }

  /** The demo's server may be killed: it is started again. */
  get canKill(): boolean {
    const demo = this.#memory.get("demo");
    return isObject(demo) && demo["canKill"] === true;
  }

  get kept(): string | null {
    const kept = this.#memory.text("token");
    if (kept === null || canBeToken(kept)) return kept;
    this.#memory.set("token", null);
    return null;
  }

  keep(token: string): string {
    this.#isRejected = false;
    this.needed = null;
    this.#memory.set("token", token);
    return token;
  }

  /** The server refused the kept token for good. */
  reject(): void { this.#isRejected = true; }

  /** This browser forgets the user. */
  signOut(): void {
    this.#memory.set("token", null);
    this.#isRejected = false;
  }

  // ── a link with a token: https://…/#token=… ──

  /** Remove the token from the address and the history. Returns whether there was one. */
  takeLink(): boolean {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given === null) return false;
    history.replaceState(null, "", location.pathname + location.search);
    if (canBeToken(given.trim())) this.#link = given.trim();
    else this.#options.complain("The link that you followed has no token.");
    return this.#link !== null;
  }

  /** Keep the link's token in place of the kept one: another user's only if the user says so. Resolves to whether it is kept.
   *  One link at a time. */
  considerLink(): Promise<boolean> {
    this.#considering = this.#considering.catch(() => false).then(() => this.#consider());
    return this.#considering;
  }

  async #consider(): Promise<boolean> {
    const given = this.#link, kept = this.kept;
    this.#link = null;
    if (given === null || given === kept) return false;
    if (kept !== null && !(await this.#mayReplace(kept, given))) return false;
    this.keep(given);
    return true;
  }

  async #mayReplace(kept: string, given: string): Promise<boolean> {
    const [now, then] = await Promise.all([whoami(kept), whoami(given)]);
    if (then.status === 401) {
      this.#options.complain("The link that you followed has no token that this server accepts.");
      return false;
    }
    const names = { now: now.user ?? claimedBy(kept), then: then.user ?? claimedBy(given) };
    return (then.user !== null && then.user === names.now) || this.#options.confirm(names);
  }

  async #demo(kept: string | null): Promise<Demo | "not a demo" | "unreachable"> {
    try {
      const response = await ask("demo/token", kept);
      if (response.ok) return await response.json();
      if (response.status === 401 && kept) return await this.#demo(null); // its key is gone: become a new user
      return response.status === 404 ? "not a demo" : "unreachable";
    } catch {
      return "unreachable";
    }
  }
}

function unreachable(): never {
  throw new Error("the server cannot be reached");
}

/** The user that a JSON Web Token names, if the text is one. Not verified: for display only. */
function claimedBy(token: string): string | null {
  try {
    const payload = token.split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof sub === "string" ? sub : null;
  } catch {
    return null;
  }
}
