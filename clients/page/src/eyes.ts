// Which events are really before the user's eyes: in view, painted, and in a window that is shown.

import type { GreenroomEvent } from "greenroom";

export class Eyes {
  readonly #onShown: (events: readonly GreenroomEvent[]) => void;
  readonly #waiting = new Map<Element, GreenroomEvent[]>();
  readonly #inView = new Set<Element>();
  readonly #reported = new WeakSet<GreenroomEvent>();
  readonly #observer: IntersectionObserver;

  constructor(onShown: (events: readonly GreenroomEvent[]) => void) {
    this.#onShown = onShown;
    this.#observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) isIntersecting ? this.#inView.add(target) : this.#inView.delete(target);
      this.#look();
    });
    document.addEventListener("visibilitychange", () => this.#look());
  }

  /** The event is seen where `target` is. */
  watch(target: Element, event: GreenroomEvent): void {
    if (this.#reported.has(event)) return;
    const waiting = this.#waiting.get(target);
    if (waiting) waiting.push(event);
    else {
      this.#waiting.set(target, [event]);
      this.#observer.observe(target);
    }
    if (this.#inView.has(target)) this.#look();
  }

  forget(target: Element): void {
    this.#observer.unobserve(target);
    this.#waiting.delete(target);
    this.#inView.delete(target);
  }

  clear(): void {
    this.#observer.disconnect();
    this.#waiting.clear();
    this.#inView.clear();
  }

  #look(): void {
    if (document.hidden || !this.#inView.size) return;
    requestAnimationFrame(() => setTimeout(() => this.#report())); // painted
  }

  #report(): void {
    if (document.hidden) return;
    const shown: GreenroomEvent[] = [];
    for (const target of [...this.#inView]) {
      shown.push(...(this.#waiting.get(target) ?? []));
      this.forget(target);
    }
    for (const event of shown) this.#reported.add(event);
    if (shown.length) this.#onShown(shown);
  }
}
