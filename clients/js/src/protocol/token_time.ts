// When to ask for the next token. Pure.

const LONGEST_TIMER = 2 ** 31 - 1;

/** In how many ms, for a token that expires at `expires`: a minute before, half-way through a shorter one. Undefined where it does
 *  not expire, or seems to have: the server has just accepted it, so our clock is wrong, and 4104 comes in time. */
export function renewIn(expires: number | null | undefined, date: number): number | undefined {
  const left = (expires ?? 0) - date;
  return left > 0 ? Math.min(Math.max(left - 60_000, left / 2, 1_000), LONGEST_TIMER) : undefined;
}
