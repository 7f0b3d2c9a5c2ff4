// A connection as its client sees it: one WebSocket, or one stream with its posts (sse.ts).

import { bearer } from "./endpoint.js";
import { NO_CODE } from "./protocol/codes.js";
import type { ClientFrame, Closing, Hello } from "./protocol/frames.js";

/** What a link says: `opened`, `hello` may be sent; `received`, a frame came, as JSON; `alive`, bytes came. */
export type LinkInput =
  | [name: "opened"]
  | [name: "alive"]
  | [name: "received", text: string]
  | [name: "lost", code: number, reason: string, reconnect?: Closing["reconnect"] | undefined];

export interface LinkOptions {
  readonly url: URL;
  /** Empty where the page's cookies say who the user is. */
  readonly token: string;
  /** What opens the session. A WebSocket says it once it is open, a stream in its request. */
  readonly hello: Hello;
  readonly on: (...input: LinkInput) => void;
}

export interface Link {
  send(text: string, type: ClientFrame["type"]): void;
  close(): void;
}

export function openSocket(Socket: typeof WebSocket, { url, token, on }: LinkOptions): Link {
  const socket = new Socket(url.href.replace(/^http/, "ws"), token ? ["greenroom.v1", bearer(token)] : ["greenroom.v1"]);
  socket.onopen = () => on("opened");
  socket.onmessage = ({ data }) => on("received", data);
  socket.onerror = () => {}; // a close follows, and `ws` in Node raises an error that nothing listens to
  socket.onclose = ({ code, reason }) => on("lost", code || NO_CODE, reason);
  return {
    send: (text) => socket.readyState === 1 && socket.send(text),
    close: () => socket.close(),
  };
}
