// What a store gives back: a store may hold what an older page, or somebody else, left in it. Pure.

import type { Request } from "./frames.js";
import type { Position } from "./position.js";

export const isPosition = (saved: unknown): saved is Position =>
  typeof saved === "object" && saved !== null && "epoch" in saved && "offset" in saved && Number.isSafeInteger(saved.offset);

export const isSay = (saved: unknown): saved is Request =>
  typeof saved === "object" && saved !== null && "type" in saved && saved.type === "say" && "id" in saved && typeof saved.id === "string";
