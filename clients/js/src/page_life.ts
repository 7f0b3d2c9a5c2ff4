// The life of the page: shown and hidden, asleep, offline, left and returned to.

import type { Clock } from "./clock.js";

const LOOK_MS = 1_000, SLEPT_MS = 5_000; // a clock that is looked at every second and has gone on this much was asleep

/** What happens to a page: `hidden`, the user looks elsewhere, and the page may be frozen, or end; `woke`, the machine or the tab may
 *  have slept, or is on another network (`isOnline`); `suspend`, a browser keeps the page for later, if nothing is open then. */
export type PageInput = [name: "hidden"] | [name: "woke", isOnline?: boolean] | [name: "offline"] | [name: "suspend"];

/** Watch the page, if there is one; `leave` is called when it is left. Returns what ends it. */
export function watchPage(on: (...input: PageInput) => void, leave: () => void, clock: Clock): () => void {
  const end = new AbortController();
  const { signal } = end;
  const page = globalThis.document;
  const look = () => (page.hidden ? on("hidden") : on("woke"));
  const listeners = {
    online: () => on("woke", true),
    offline: () => on("offline"),
    visibilitychange: look,
    freeze: () => on("hidden"),
    resume: () => on("woke"),
    pagehide: ({ persisted }: PageTransitionEvent) => {
      on(persisted ? "suspend" : "hidden");
      leave();
    },
    pageshow: ({ persisted }: PageTransitionEvent) => persisted && on("woke"),
  };
  // Captured at the window, whether they are the window's or the document's.
  for (const [name, listener] of Object.entries(listeners)) globalThis.addEventListener?.(name, listener as EventListener, { signal, capture: true });
  // Since before this was loaded:
  if (page?.hidden) on("hidden");
  if (globalThis.navigator?.onLine === false) on("offline");
  if (page) watchClock(clock, signal, () => page.hidden || on("woke"));
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
