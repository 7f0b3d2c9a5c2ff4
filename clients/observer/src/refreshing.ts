// Looks again every few seconds, while the page is visible; later and later while the server does not answer.

import { element } from "../../page/src/dom.js";
import { ApiError, type Place } from "./view.js";

const LONGEST = 60_000; // ms

/** How long to wait before a server is asked again: doubled after each failure, up to a minute. */
export class Patience {
  private failures = 0;

  constructor(private readonly ms: number) {}

  get wait(): number {
    return Math.min(this.ms * 2 ** this.failures, Math.max(this.ms, LONGEST));
  }

  succeed(): void {
    this.failures = 0;
  }

  fail(): void {
    this.failures++;
  }
}

/** Whether asking again is of no use: this visitor is not admitted. */
export const isRefused = (error: unknown): boolean => error instanceof ApiError && (error.status === 401 || error.status === 403);

/** What to say above what was seen last. */
export function wordsOfTrouble(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  return isRefused(error) ? `${error.message} This page no longer looks again: reload it.` : `${error.message} This is what was seen last.`;
}

/** Call `look` now and again until the view is left; what a later call rejects with is shown until one succeeds. The first one's is the caller's. */
export async function refreshing(place: Place, seconds: number, look: () => Promise<void>): Promise<void> {
  await look();
  if (place.signal.aborted) return;
  new Refreshing(place, new Patience(seconds * 1_000), look).begin();
}

class Refreshing {
  private readonly trouble = element("p", { class: "error", role: "status", testid: "trouble", hidden: true });
  private isLooking = false;
  private isOver = false;
  private timer = 0;

  constructor(private readonly place: Place, private readonly patience: Patience, private readonly look: () => Promise<void>) {}

  begin(): void {
    this.place.root.prepend(this.trouble);
    document.addEventListener("visibilitychange", () => void this.again(), { signal: this.place.signal });
    this.place.signal.addEventListener("abort", () => clearTimeout(this.timer));
    this.wait();
  }

  private wait(): void {
    clearTimeout(this.timer);
    if (!this.isOver && !this.place.signal.aborted && !document.hidden) this.timer = setTimeout(() => void this.again(), this.patience.wait);
  }

  private async again(): Promise<void> {
    if (this.isLooking || this.isOver || document.hidden || this.place.signal.aborted) return;
    this.isLooking = true;
    try {
      await this.look();
      this.patience.succeed();
      this.trouble.hidden = true;
    } catch (error) {
      this.fail(error);
    } finally {
      this.isLooking = false;
      this.wait();
    }
  }

  private fail(error: unknown): void {
    if (this.place.signal.aborted) return;
    this.patience.fail();
    this.isOver = isRefused(error);
    this.trouble.textContent = wordsOfTrouble(error);
    this.trouble.hidden = false;
  }
}
