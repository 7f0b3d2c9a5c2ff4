// Whether a client comes back after a close, and when. Pure. docs/protocol.md, "Close codes".

import * as codes from "./codes.js";

const FIRST_MS = 500, LONGEST_MS = 20_000;

/** What speaks for coming back though the server refused something. */
export interface Excuses {
  /** The service said when to come back. */
  readonly wasAsked: boolean;
  /** The request that the server closed for was given up. */
  readonly wasDropped: boolean;
  /** The hello was refused that said a position: another one says none. */
  readonly wasHello: boolean;
  /** Another token may be accepted. */
  readonly hasTries: boolean;
  /** A session of its own is no other tab's. */
  readonly isForgotten: true;
}

/** Codes that are final, or not, without regard to `isTemporary`: final unless this excuse holds. */
const FINAL_UNLESS: Readonly<Record<number, keyof Excuses>> = {
  [codes.BAD_DATA]: "wasDropped",
  [codes.FRAME_TOO_BIG]: "wasDropped",
  [codes.BAD_TOKEN]: "hasTries",
  [codes.PROTOCOL_ERROR]: "wasHello",
  [codes.SUPERSEDED]: "isForgotten",
  [codes.DISCONNECTED]: "wasAsked",
};

/** What would be refused again is left out. */
export function isFinal(code: number, excuses: Excuses): boolean {
  const excuse = FINAL_UNLESS[code];
  return excuse ? !excuses[excuse] : !isTemporary(code);
}

/** Exponential with full jitter: `random` is from 0 to 1, `attempts` from 0. */
export const backOff = (random: number, attempts: number): number => random * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempts);

/** Whether the same client may come back as it is. */
const isTemporary = (code: number): boolean => code < 4500 || code > 4999;

/** Codes after which the next token must be a new one. */
export const wantsNewToken = (code: number): boolean =>
  code === codes.TOKEN_EXPIRING || code === codes.BAD_TOKEN || code === codes.DISCONNECTED;
