// The parts of a message of AG-UI that hold their bytes themselves.

import type { ContentPart, UserMessage } from "@ag-ui/client";
import type { Client } from "../client.js";
import { type Held, sendHeld } from "../projection/held.js";
import type { SentFile } from "../protocol/frames.js";

/** The message without them, and the files that they became. */
export async function withFiles(client: Client, message: UserMessage): Promise<{ message: UserMessage; files: readonly SentFile[] | undefined }> {
  const parts = message.content as readonly ContentPart[], held = parts.map(heldBy);
  const files = await sendHeld(client, message.id, held.filter((each) => each !== undefined));
  return files ? { message: { ...message, content: parts.filter((_, index) => !held[index]) }, files } : { message, files };
}

function heldBy(part: ContentPart): Held | undefined {
  if (part.type === "text" || part.source.type !== "data") return undefined;
  const { value, mimeType } = part.source, { filename } = (part.metadata ?? {}) as { readonly filename?: unknown };
  return { url: `data:${mimeType};base64,${value}`, media: mimeType, name: typeof filename === "string" ? filename : undefined };
}
