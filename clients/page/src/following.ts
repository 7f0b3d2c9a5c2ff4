// The view moves on with what is new, until the user looks back.

const NEAR = 120; // px: this close to the newest, the view follows it
const UNDER_TOP = 120; // px of the bar at the top, and of what says in one or two lines what is at work

export interface Followed {
  readonly isEmpty: boolean;
  /** Where what is to be read begins, in px from the window's top. */
  readonly readingTop: number | null;
}

export class Following {
  is = true;
  readonly #what: Followed;
  #lastY = 0;

  constructor(what: Followed) {
    this.#what = what;
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const main = document.querySelector("main");
    if (main) new ResizeObserver(() => this.#grown()).observe(main);
    const bottom = document.querySelector<HTMLElement>(".bottom");
    if (bottom) new ResizeObserver(() => keepClear(bottom)).observe(bottom);
  }

  /** The end of the page, or the start of what is to be read when that is taller than the window. */
  get newest(): number {
    if (this.#what.isEmpty) return 0;
    const end = document.documentElement.scrollHeight - innerHeight;
    const start = this.#what.readingTop;
    return Math.max(0, start === null ? end : Math.min(end, start + scrollY - UNDER_TOP));
  }

  /** Scrolling by the page is not the user's: by the time of its event, more may have come below. */
  moveTo(top: number): void {
    scrollTo({ top });
    this.#lastY = scrollY;
  }

  /** A user who has read on is not taken back. */
  #grown(): void {
    const { newest } = this;
    if (this.is && newest > scrollY) this.moveTo(newest);
  }

  #scrolled(): void {
    if (scrollY >= this.newest - NEAR) this.is = true;
    else if (scrollY < this.#lastY) this.is = false;
    this.#lastY = scrollY;
  }
}

/** What gets the focus is not moved behind what stands at the bottom. */
function keepClear({ offsetHeight }: HTMLElement): void {
  document.documentElement.style.scrollPaddingBottom = `${offsetHeight}px`;
}
