// What a store gives back: a store may hold what an older page, or somebody else, left in it. Pure.

import type { Say } from "./frames.js";
import type { Position } from "./position.js";

export const isPosition = (saved: unknown): saved is Position =>
  typeof saved === "object" && saved !== null && "epoch" in saved && "offset" in saved && Number.isSafeInteger(saved.offset);

const LONGEST_ID = 128; // characters; a frame with a longer one gets no reply

export const isSay = (saved: unknown): saved is Say =>
  typeof saved === "object" && saved !== null && "type" in saved && saved.type === "say" && "id" in saved && typeof saved.id === "string" &&
  saved.id !== "" && saved.id.length <= LONGEST_ID;
