// The server's end of sockets that exist in the test alone.

import type { ClientFrame, ServerFrame } from "../src/protocol/frames.js";

export type Frame = { type: string; [field: string]: unknown };

export class FakeSocket {
  static server: FakeServer;
  readyState = 0;
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onclose?: (event: { code: number; reason: string }) => void;
  readonly sent: Frame[] = [];

  constructor(readonly url: string, readonly protocols: string[]) {
    FakeSocket.server.sockets.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Frame);
  }

  close(): void {
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(frame: ServerFrame | Frame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  end(code: number, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** The next frame of a type; others stay for later. */
  take(type: ClientFrame["type"] | string): Frame | undefined {
    const index = this.sent.findIndex((frame) => frame.type === type);
    return index < 0 ? undefined : this.sent.splice(index, 1)[0];
  }
}

export class FakeServer {
  readonly sockets: FakeSocket[] = [];

  constructor() {
    FakeSocket.server = this;
  }

  get WebSocket(): typeof WebSocket {
    return FakeSocket as unknown as typeof WebSocket;
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }
}

/** What a tab keeps over reloads. */
export class FakeStore {
  readonly items = new Map<string, string>();
  getItem = (name: string): string | null => this.items.get(name) ?? null;
  setItem = (name: string, text: string): void => void this.items.set(name, text);
  removeItem = (name: string): void => void this.items.delete(name);
}
