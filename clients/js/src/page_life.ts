// The life of the page: shown and hidden, asleep, offline, left and returned to.

import type { Clock } from "./clock.js";

const LOOK_MS = 1_000, SLEPT_MS = 5_000; // a clock that is looked at every second and has gone on this much was asleep

export interface PageEvents {
  /** The user looks elsewhere; the page may be frozen, or end. */
  hidden(): void;
  /** The machine or the tab may have slept, or, if `isOnline`, is on another network. */
  woke(isOnline?: boolean): void;
  offline(): void;
  /** The page is left. A browser keeps only one without an open connection (`isKept`), and `woke` is called if it returns. */
  left(isKept: boolean): void;
}

/** Watch the page, if there is one. Returns what ends it. */
export function watchPage(on: PageEvents, clock: Clock): () => void {
  const end = new AbortController();
  const { signal } = end;
  const page = globalThis.document;
  globalThis.addEventListener?.("online", () => on.woke(true), { signal });
  globalThis.addEventListener?.("offline", () => on.offline(), { signal });
  globalThis.addEventListener?.("pagehide", (event) => on.left((event as PageTransitionEvent).persisted), { signal });
  globalThis.addEventListener?.("pageshow", (event) => void ((event as PageTransitionEvent).persisted && on.woke()), { signal });
  page?.addEventListener("visibilitychange", () => (page.hidden ? on.hidden() : on.woke()), { signal });
  page?.addEventListener("freeze", () => on.hidden(), { signal });
  page?.addEventListener("resume", () => on.woke(), { signal });
  if (page) watchClock(clock, signal, () => page.hidden || on.woke());
  return () => end.abort();
}

/** While a machine sleeps timers stand still and the clock goes on; no event says so. */
function watchClock(clock: Clock, signal: AbortSignal, woke: () => void): void {
  const before = clock.date();
  clock.setTimeout(() => {
    if (signal.aborted) return;
    if (clock.date() - before > SLEPT_MS) woke();
    watchClock(clock, signal, woke);
  }, LOOK_MS);
}
