// The frames of greenroom.v1: docs/protocol.md, "Client → server" and "Server → client".

import type { GreenroomEvent, JSON as Json } from "./events.js";

export interface Hello {
  type: "hello";
  session?: string | undefined;
  epoch?: string | undefined;
  offset?: number | undefined;
  event?: string | undefined;
  client: { name: string; version: string };
  features: readonly string[];
}

/** A frame that the server answers with a `reply` of the same `id`. */
export type Request = { id: string } & (
  | { type: "say"; body: Json; thread?: string | undefined; files?: readonly SentFile[] | undefined }
  | { type: "file"; file: string; start: number; size: number; data: string }
  | { type: "discard"; file: string }
  | { type: "cancel"; run: string }
  | { type: "history"; thread?: string | undefined; before?: number | undefined; limit: number }
  | { type: "threads"; before?: string | number | undefined; limit: number; archived?: boolean | undefined }
  | { type: "thread"; thread: string; title?: string; archived?: boolean }
  | { type: "erase"; thread: string }
  | { type: "answer"; ask: string; value: Json }
  | { type: "refresh"; token: string }
);

export type Say = Request & { type: "say" };

/** A request that has no id yet. */
export type Unnamed<R> = R extends { id: string } ? Omit<R, "id"> : never;

export type ClientFrame =
  | Hello
  | Request
  | { type: "ack"; offset: number }
  | { type: "displayed"; offsets: readonly number[] }
  | { type: "confirm"; offset: number; verdict?: Json | undefined; note?: string | undefined }
  | { type: "typing"; thread: string }
  | { type: "pong" };

export interface Failure {
  readonly code: number;
  readonly message: string;
  readonly temporary: boolean;
}

/** A file that the server has, for a `say`. `file` is its name there. */
export interface SentFile {
  readonly file: string;
  readonly name: string;
  readonly media: string;
  readonly size: number;
}

/** The files that the agent takes: `types` such as "image/*" (none: any), the bytes of each at most, and how many with a message. */
export interface FilesTaken {
  readonly types: readonly string[];
  readonly max_bytes: number;
  readonly most: number;
}

export interface Ready {
  readonly type: "ready";
  readonly session: string;
  readonly connection: string;
  readonly user: string;
  readonly epoch: string;
  readonly offset: number;
  readonly from: number;
  readonly event?: string | null;
  readonly recovered: boolean;
  readonly heartbeat: number;
  readonly expires?: number | null;
  /** These three: not of older servers. */
  readonly max_frame_bytes?: number;
  readonly frames_per_second?: number;
  readonly frames_burst?: number;
  readonly features: readonly string[];
  readonly asks?: readonly GreenroomEvent<"input_requested">[];
  readonly files?: FilesTaken;
}

export type Reply = { readonly type: "reply"; readonly id: string } & (
  | { readonly ok: true; readonly [field: string]: unknown }
  | { readonly ok: false; readonly error: Failure }
);

export interface Closing {
  readonly type: "closing";
  readonly code: number;
  readonly reason: string;
  readonly reconnect: { readonly after_ms: number; readonly jitter_ms: number } | null;
}

export type ServerFrame =
  | Ready
  | Reply
  | Closing
  | { readonly type: "events"; readonly epoch: string; readonly events: readonly GreenroomEvent[]; readonly replay?: true }
  | { readonly type: "typing"; readonly thread: string; readonly from: string }
  | { readonly type: "erased"; readonly thread: string }
  | { readonly type: "ping"; readonly offset?: number }
  | ({ readonly type: "error" } & Failure)
  | { readonly type: "large"; readonly bytes: number };

/** A frame as text. The server refuses half a surrogate pair, which is no text (RFC 8259 §8.2): U+FFFD takes its place.
 *  JSON.stringify writes such a half as an escape of its own, and nothing else as \ud8.. to \udf... */
export const encode = (frame: ClientFrame): string =>
  JSON.stringify(frame).replace(/(\\\\)|\\ud[89a-f]../g, (_, backslash: string | undefined) => backslash ?? "\ufffd");

export const byteLength = (text: string): number => new TextEncoder().encode(text).length;
