// Looks again every few seconds, while the page is visible.

import { element } from "../../page/src/dom.js";
import { ApiError, type Place } from "./view.js";

/** Call `look` now and again until the view is left; what a later call rejects with is shown until one succeeds. The first one's is the caller's. */
export async function refreshing(place: Place, seconds: number, look: () => Promise<void>): Promise<void> {
  await look();
  const trouble = element("p", { class: "error", role: "status", testid: "trouble", hidden: true });
  place.root.prepend(trouble);
  let isLooking = false;
  const again = async (): Promise<void> => {
    if (isLooking || document.hidden || place.signal.aborted) return;
    isLooking = true;
    try {
      await look();
      trouble.hidden = true;
    } catch (error) {
      if (place.signal.aborted) return;
      trouble.textContent = error instanceof ApiError ? `${error.message} This is what was seen last.` : String(error);
      trouble.hidden = false;
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(() => void again(), seconds * 1_000);
  document.addEventListener("visibilitychange", () => void again(), { signal: place.signal });
  place.signal.addEventListener("abort", () => clearInterval(timer));
}
