// Where the token comes from: the address's fragment, what was kept, the demo server, or a form.

/** A header can carry it; quotation marks that came along from a mail are not ASCII. */
export const canBeToken = (text) => /^[\x21-\x7e]+$/.test(text);

export class Tokens {
  #memory; #ask;

  /** memory: kept over sessions; ask: async ({refused: whether one was}) => token, from the user. */
  constructor(memory, ask) {
    [this.#memory, this.#ask] = [memory, ask];
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given === null) return;
    memory.set("token", given.trim());
    history.replaceState(null, "", location.pathname + location.search); // out of sight and history
  }

  /** A token; with `renew`, the kept one may be stale. Resolves to what is kept when the server is away. */
  async get({ renew }) {
    const kept = this.#kept();
    if (kept && !renew) return kept;
    const answer = await this.#demo(kept);
    if (answer === "unreachable") return kept ?? this.#later();
    this.#memory.set("demo", answer === "not a demo" ? null : true);
    if (answer !== "not a demo") return this.#keep(answer.token);
    if (kept && !this.rejected && !(await this.#isRefused(kept))) return kept;
    return this.#keep(await this.#ask({ refused: kept !== null }));
  }

  /** The demo's server gave the token: its agent reads tables, and anyone may ask it. */
  get fromDemo() { return this.#memory.get("demo") === true; }

  #kept() {
    const kept = this.#memory.get("token");
    if (kept === null || canBeToken(kept)) return kept;
    this.#memory.set("token", null);
    return null;
  }

  /** A browser cannot see why an upgrade failed; over plain HTTP the server says. */
  async #isRefused(token) {
    try {
      const headers = { Authorization: `Bearer ${token}` };
      return (await fetch("whoami", { headers, cache: "no-store" })).status === 401;
    } catch {
      return false;
    }
  }

  /** The server refused the kept token for good: ask the user the next time. */
  rejected = false;

  #keep(token) {
    this.rejected = false;
    this.#memory.set("token", token);
    return token;
  }

  async #later() {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return this.get({ renew: true });
  }

  async #demo(kept) {
    try {
      const headers = kept ? { Authorization: `Bearer ${kept}` } : {};
      const response = await fetch("demo/token", { headers, cache: "no-store" });
      if (response.ok) return await response.json();
      if (response.status === 401 && kept) return await this.#demo(null); // its key is gone: someone new
      return response.status === 404 ? "not a demo" : "unreachable";
    } catch {
      return "unreachable";
    }
  }
}
