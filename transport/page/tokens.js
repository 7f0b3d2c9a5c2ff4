// Where the token comes from: the address's fragment, what was kept, the demo server, or a form.

import { ask, whoami } from "./admission.js";

/** Whether a header can carry the text. Quotation marks copied from a mail are not ASCII. */
export const canBeToken = (text) => /^[\x21-\x7e]+$/.test(text);

/** In place of a token, where the service has users of its own: the page's cookies say who the user is. */
export const BY_COOKIE = "";

export class Tokens {
  #memory; #ask; #confirm; #complain; #link = null; #considering = Promise.resolve(false);

  /** memory: kept over sessions; ask: async ({refused: whether one was}) => token, from the user; confirm: async ({now, then}) =>
   *  whether the user `then` may take the place of `now`; complain: (words). */
  constructor(memory, { ask, confirm, complain }) {
    [this.#memory, this.#ask, this.#confirm, this.#complain] = [memory, ask, confirm, complain];
  }

  /** A token, or `BY_COOKIE`; with `renew`, the kept one may be stale. Resolves to what is kept when the server is away; without `ask` the user
   *  is not asked, and it is what is kept, too. */
  async get({ renew, ask: mayAsk }) {
    if (mayAsk) await this.considerLink();
    const kept = this.kept;
    if (kept && !renew) return kept;
    const answer = await this.#demo(kept);
    if (answer === "unreachable") return kept ?? (mayAsk ? this.#later() : null);
    this.#memory.set("demo", answer === "not a demo" ? null : true);
    if (answer !== "not a demo") return this.#keep(answer.token);
    const visitor = await whoami(null);
    if (visitor.status === 200 || visitor.isSignedOut) this.#memory.set("token", null); // no token counts here
    if (visitor.isSignedOut) throw new Error("you are not signed in");
    if (visitor.status === 200) return BY_COOKIE;
    if (kept && !this.rejected && (!mayAsk || (await whoami(kept)).status !== 401)) return kept;
    return mayAsk ? this.#keep(await this.#ask({ refused: kept !== null })) : null;
  }

  /** The demo's server gave the token: its agent reads tables, and anyone may ask it. */
  get fromDemo() { return this.#memory.get("demo") === true; }

  get kept() {
    const kept = this.#memory.get("token");
    if (kept === null || canBeToken(kept)) return kept;
    this.#memory.set("token", null);
    return null;
  }

  /** The server refused the kept token for good: ask the user the next time. */
  rejected = false;

  // ── a link with a token: https://…/#token=… ──

  /** Remove the token from the address and the history. Returns whether there was one. */
  takeLink() {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given === null) return false;
    history.replaceState(null, "", location.pathname + location.search);
    if (canBeToken(given.trim())) this.#link = given.trim();
    else this.#complain("The link that you followed has no token.");
    return this.#link !== null;
  }

  /** Keep the link's token in place of the kept one: another user's only if the user says so. Resolves to whether it is kept.
   *  One link at a time. */
  considerLink() {
    this.#considering = this.#considering.catch(() => false).then(() => this.#consider());
    return this.#considering;
  }

  async #consider() {
    const given = this.#link, kept = this.kept;
    this.#link = null;
    if (given === null || given === kept) return false;
    if (kept !== null && !(await this.#mayReplace(kept, given))) return false;
    this.#keep(given);
    return true;
  }

  async #mayReplace(kept, given) {
    const [now, then] = await Promise.all([whoami(kept), whoami(given)]);
    if (then.status === 401) {
      this.#complain("The link that you followed has no token that this server accepts.");
      return false;
    }
    const names = { now: now.user ?? claimedBy(kept), then: then.user ?? claimedBy(given) };
    return (then.user !== null && then.user === names.now) || this.#confirm(names);
  }

  #keep(token) {
    this.rejected = false;
    this.#memory.set("token", token);
    return token;
  }

  async #later() {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return this.get({ renew: true, ask: true });
  }

  async #demo(kept) {
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

/** The user that a JSON Web Token names, if the text is one. Not verified: for display only. */
function claimedBy(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof sub === "string" ? sub : null;
  } catch {
    return null;
  }
}
