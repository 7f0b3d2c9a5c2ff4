// A file on its way to the server, in parts that fit a frame: loaded with the first one.

import type { SentFile } from "./protocol/frames.js";
import type { ClientShell } from "./shell.js";

const AROUND = 512; // bytes of a frame beside the part, at most: half of the smallest frame that a server may take
const LEAST = 65_536; // of a frame, where the server has not said yet
const AT_ONCE = 8_190; // bytes turned into text together: a multiple of three

export interface UploadOptions {
  /** Its name on the server: a new one, unless given. The same file with the same name goes on where it stopped, also after a reload. */
  readonly file?: string | undefined;
  /** Its own, unless given. */
  readonly name?: string | undefined;
  readonly media?: string | undefined;
  readonly onProgress?: ((sent: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Its answer to a part says where the file ends so far. */
type Shell = Pick<ClientShell, "newId" | "machine" | "request">;

/** Part after part; a part without an answer is sent again after a reconnect, and the next one begins where the server says. */
export async function upload(shell: Shell, blob: Blob, { file = shell.newId(), name, media, onProgress, signal }: UploadOptions): Promise<SentFile> {
  const { size } = blob;
  signal?.throwIfAborted();
  for (let start = 0, isKept = false; !isKept; isKept = start >= size) {
    const room = Math.floor(((shell.machine.ready?.max_frame_bytes ?? LEAST) - AROUND) / 4) * 3;
    const data = base64(new Uint8Array(await blob.slice(start, start + room).arrayBuffer()));
    start = (await shell.request<{ readonly received: number }>({ type: "file", file, start, size, data })).received;
    if (signal?.aborted) void discard(shell, file).catch(() => {}); // else it is forgotten later
    signal?.throwIfAborted();
    onProgress?.(Math.min(start, size));
  }
  return { file, name: name ?? ("name" in blob ? String(blob.name) : "file"), media: media ?? (blob.type || "application/octet-stream"), size };
}

/** Have the server forget an upload at once. One that a message has stays. */
export async function discard(shell: Shell, file: string): Promise<void> {
  await shell.request({ type: "discard", file });
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += AT_ONCE) text += btoa(String.fromCharCode(...bytes.subarray(at, at + AT_ONCE)));
  return text;
}
