// Whether a client comes back after the server refused it. Pure. docs/protocol.md, "Close codes".

import * as codes from "./codes.js";

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

/** Refusals that are final unless this excuse holds. All others are final. */
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
  return !excuse || !excuses[excuse];
}
