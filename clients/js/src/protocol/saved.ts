// What a store gives back: a store may hold what an older page, or somebody else, left in it. Pure.

import type { Say } from "./frames.js";
import type { Position } from "./position.js";

const LONGEST_ID = 128; // characters; a frame with a longer one gets no reply

type Fields = Readonly<Record<string, unknown>> | null;

export const isPosition = (saved: unknown): saved is Position => Number.isSafeInteger((saved as Fields)?.["offset"]);

export function isSay(saved: unknown): saved is Say {
  const { type, id } = (saved as Fields) ?? {};
  return type === "say" && typeof id === "string" && !!id && id.length <= LONGEST_ID;
}
