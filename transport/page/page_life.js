// The life of the page: shown and hidden, asleep, offline, left and returned to.

const SLEPT_AFTER_MS = 5_000; // a clock that is looked at every second and has gone on this much was asleep

/** `hidden`: the user looks elsewhere. `woke`: the machine or the tab may have slept, or is on another network. `offline`: the
 *  browser says so. `left`, and `back` if the browser kept the page. Only a page without an open socket is kept (`isKept`). */
export function watchPage({ hidden, woke, offline, left, back }) {
  document.addEventListener("visibilitychange", () => (document.hidden ? hidden() : woke()));
  document.addEventListener("resume", woke); // of a frozen tab
  addEventListener("online", woke);
  addEventListener("offline", offline);
  addEventListener("pagehide", ({ persisted }) => left({ isKept: persisted }));
  addEventListener("pageshow", ({ persisted }) => { if (persisted) back(); });
  watchClock(woke);
}

/** While a machine sleeps timers stand still and the clock goes on; no event says so. */
function watchClock(woke) {
  let seen = Date.now();
  setInterval(() => {
    const slept = Date.now() - seen > SLEPT_AFTER_MS;
    seen = Date.now();
    if (slept && !document.hidden) woke(); // the timers of a hidden page are slow, too
  }, 1_000);
}
