// A connection as its client sees it: one WebSocket, or one stream with its posts (sse.ts).

import type { ClientFrame, Closing, Hello } from "./protocol/frames.js";
import { NO_CODE } from "./protocol/codes.js";
import { encode } from "./protocol/frames.js";
import { bearer } from "./endpoint.js";

export interface LinkOptions {
  readonly url: URL;
  /** Empty where the page's cookies say who the user is. */
  readonly token: string;
  /** What opens the session. A WebSocket says it once it is open, a stream in its request. */
  readonly hello: Hello;
  readonly on: {
    /** `hello` may be sent. */
    open(): void;
    /** A frame came, as JSON. */
    text(text: string): void;
    /** Bytes came. */
    alive(): void;
    end(code: number, reason: string, reconnect?: Closing["reconnect"]): void;
  };
}

export interface Link {
  send(frame: ClientFrame): void;
  close(): void;
}

export function openSocket(Socket: typeof WebSocket, { url, token, on }: LinkOptions): Link {
  const socket = new Socket(url.href.replace(/^http/, "ws"), ["greenroom.v1", ...(token ? [bearer(token)] : [])]);
  socket.onopen = () => on.open();
  socket.onmessage = ({ data }) => on.text(String(data));
  socket.onerror = () => {}; // a close follows, and `ws` in Node raises an error that nothing listens to
  socket.onclose = ({ code, reason }) => on.end(code || NO_CODE, reason);
  return {
    send(frame) {
      if (socket.readyState === 1) socket.send(encode(frame));
    },
    close: () => socket.close(),
  };
}
