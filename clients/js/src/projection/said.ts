// What the user said, as text. Pure.

import type { JSON as Json } from "../protocol/events.js";

export function textOf(body: Json): string {
  if (typeof body === "string") return body;
  const isObject = typeof body === "object" && body !== null && "text" in body;
  return isObject && typeof body.text === "string" ? body.text : JSON.stringify(body);
}
