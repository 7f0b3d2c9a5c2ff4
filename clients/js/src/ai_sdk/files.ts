// The files of a message of the AI SDK that it holds itself.

import type { FileUIPart, UIMessage } from "ai";
import type { Client } from "../client.js";
import { sendHeld } from "../projection/held.js";
import type { SentFile } from "../protocol/frames.js";

/** The message without them, and the files that they became. */
export async function withFiles(client: Client, message: UIMessage): Promise<{ message: UIMessage; files: readonly SentFile[] | undefined }> {
  const held = message.parts.filter((part): part is FileUIPart => part.type === "file" && part.url.startsWith("data:"));
  const files = await sendHeld(client, message.id, held.map(({ url, mediaType, filename }) => ({ url, media: mediaType, name: filename })));
  return files ? { message: { ...message, parts: message.parts.filter((part) => !held.includes(part as FileUIPart)) }, files } : { message, files };
}
