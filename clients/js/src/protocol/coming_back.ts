// Whether a client comes back after a close, and when. Pure. docs/protocol.md, "Close codes".

import * as codes from "./codes.js";
import type { Closing } from "./frames.js";

const FIRST_MS = 500, LONGEST_MS = 20_000;
const BAD_TOKENS = 2; // in a row, before a refusal is final

export type Verdict = "final" | "again" | "without its session" | "without a position";

export interface Ending {
  readonly code: number;
  readonly asked: Closing["reconnect"] | undefined;
  /** A request that the server closed for was given up. */
  readonly wasDropped: boolean;
  /** The hello was refused that said a position. */
  readonly wasHello: boolean;
  /** How many tokens in a row were refused before. */
  readonly badTokens: number;
}

/** What would be refused again is left out. */
export function verdict({ code, asked, wasDropped, wasHello, badTokens }: Ending): Verdict {
  switch (code) {
    case codes.DISCONNECTED: return asked ? "again" : "final"; // unless the service says when to come back
    case codes.FRAME_TOO_BIG: case codes.BAD_DATA: return wasDropped ? "again" : "final";
    case codes.BAD_TOKEN: return badTokens < BAD_TOKENS ? "again" : "final";
    case codes.SUPERSEDED: return "without its session";
    case codes.PROTOCOL_ERROR: return wasHello ? "without a position" : "final";
  }
  return codes.isTemporary(code) ? "again" : "final";
}

/** Exponential with full jitter: `random` is from 0 to 1, `attempts` from 0. */
export const backOff = (random: number, attempts: number): number => random * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempts);
