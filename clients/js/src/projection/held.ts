// Bytes that a message of another protocol holds itself, sent as files: loaded with the first such message.

import type { Client } from "../client.js";
import type { SentFile } from "../protocol/frames.js";

export interface Held {
  /** With the scheme `data:` (RFC 2397). */
  readonly url: string;
  readonly media: string;
  readonly name?: string | undefined;
}

/** The files, in their order; undefined where the agent takes none. The same message sends the same files again, which the server then has. */
export async function sendHeld(client: Client, message: string, held: readonly Held[]): Promise<readonly SentFile[] | undefined> {
  await untilKnown(client);
  if (!client.files) return undefined;
  const sent: SentFile[] = [];
  for (const [index, { url, media, name }] of held.entries()) {
    const file = `${message.slice(0, 80)}-${index}-${digest(url)}`;
    sent.push(await client.upload(bytesOf(url), { file, name: name || "file", media: media.includes("/") ? media : mediaOf(url) }));
  }
  return sent;
}

/** What the agent takes is known while there is a connection. */
const untilKnown = (client: Client): Promise<void> =>
  new Promise((resolve) => {
    const isKnown = () => client.state === "ready" || client.state === "closed";
    if (isKnown()) return resolve();
    const end = client.on("state", () => { if (isKnown()) { end(); resolve(); } });
  });

const mediaOf = (url: string): string => url.slice("data:".length).split(/[;,]/, 1)[0] || "application/octet-stream";

/** Without `fetch`, which a page's `connect-src` may forbid. */
function bytesOf(url: string): Blob {
  const comma = url.indexOf(","), text = decodeURIComponent(url.slice(comma + 1));
  return new Blob([/;base64$/i.test(url.slice(0, comma)) ? Uint8Array.from(atob(text), (each) => each.charCodeAt(0)) : text]);
}

/** 64 bits that tell apart what the user attached to messages of one id. */
function digest(text: string): string {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    [a, b] = [Math.imul(a ^ code, 0x01000193), Math.imul(b ^ code, 0x85ebca6b)];
  }
  return [a, b].map((each) => (each >>> 0).toString(16)).join("");
}
