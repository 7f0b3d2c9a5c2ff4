// A new token in time, on the open socket. A refresh that fails is tried again: the socket lives on meanwhile, for as long
// as its token does.

const FIRST_DELAY = 500, LONGEST_DELAY = 20_000; // ms, before full jitter
export const LONGEST_TIMER = 2 ** 31 - 1;

export const backOff = (failures) => Math.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);

export class Renewal {
  #tokens; #refresh; #timer = null; #connection = null;

  /** tokens: async ({renew, ask}) => token or null; refresh: async (token) => {expires}. */
  constructor({ tokens, refresh }) { [this.#tokens, this.#refresh] = [tokens, refresh]; }

  /** expires: ms since the Unix epoch, when the server closes this connection unless its token is refreshed. */
  plan(expires) {
    this.stop();
    if (!expires) return;
    const left = expires - Date.now();
    if (left <= 0) return; // just accepted, so our clock is wrong: the server closes 4104 in time
    this.#renewIn(Math.min(Math.max(left - 60_000, left / 2, 1_000), LONGEST_TIMER), 0);
  }

  /** The connection is gone. */
  stop() {
    clearTimeout(this.#timer);
    this.#connection = Symbol("connection");
  }

  #renewIn(ms, failures) {
    const connection = this.#connection;
    const again = () => {
      if (connection === this.#connection) this.#renewIn(1_000 + backOff(failures), failures + 1);
    };
    this.#timer = setTimeout(async () => {
      try {
        const token = await this.#tokens({ renew: true, ask: false });
        if (connection !== this.#connection) return;
        if (token === "") return; // cookies cannot be refreshed on a socket: the server closes 4104, the page reconnects
        if (token === null) return again();
        const { expires } = await this.#refresh(token);
        if (connection === this.#connection) this.plan(expires);
      } catch {
        again(); // the token function failed, or the server refused the token that it gave
      }
    }, ms);
  }
}
