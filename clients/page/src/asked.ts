// What the user said, while the answer grows past the window: once it is out of view, the line above the answer repeats it.

const TOP_BAR = 56; // px, as in style.css
const LONGEST = 200; // characters of what is one line

export interface Answering {
  /** What it answers; null while the user's own words are in view. */
  showAsked(words: string | null): void;
}

export class Asked {
  readonly #answers = new Map<Element, Answering>();
  readonly #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) this.#answers.get(target)?.showAsked(isIntersecting ? null : wordsIn(target));
  }, { rootMargin: `-${TOP_BAR}px 0px 0px` });

  watch(said: Element, answer: Answering): void {
    this.#answers.set(said, answer);
    this.#observer.observe(said);
  }

  clear(): void {
    this.#observer.disconnect();
    this.#answers.clear();
  }
}

const wordsIn = (said: Element): string => (said.querySelector(".prose") ?? said).textContent.trim().slice(0, LONGEST);
