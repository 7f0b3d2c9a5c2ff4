// What a client is made with.

import type { Clock } from "./clock.js";
import type { TokenReason } from "./protocol/commands.js";
import type { Locks } from "./session_lock.js";
import type { Store } from "./store.js";

export interface TokenContext {
  readonly reason: TokenReason;
}

export interface ConnectOptions {
  /** Of the server, or of its `/live`: `wss://…`, `https://…`, in a browser also relative to the page. */
  url: string | URL;
  /** Asked before each connection, and in time before a token expires. If it fails it is asked again, with back-off, and a live
   *  connection lives on. `null`: the user is signed out, and the client closes. `""`: the page's cookies say who the user is. */
  getToken: (context: TokenContext) => Promise<string | null>;
  /** Where session, position and unanswered messages are kept over reloads: `sessionStorage` unless given; null for nowhere. */
  store?: Store | null;
  /** In place of the global ones: for a Node without them, and for tests. */
  WebSocket?: typeof WebSocket;
  fetch?: typeof fetch;
  /** Which tab speaks for a session is settled by them: `navigator.locks` unless given. */
  locks?: Locks;
  /** Time, randomness and the ids of requests, for tests. An id must be new each time, in any tab and after a reload. */
  clock?: Clock;
  random?: () => number;
  newId?: () => string;
}
