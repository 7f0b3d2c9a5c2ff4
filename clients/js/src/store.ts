// What a tab remembers over a reload, as JSON. Without a store, or where the browser denies it, it remembers for itself.

/** `sessionStorage`, `localStorage`, or anything like them. A store belongs to one client at a time. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class Memory {
  readonly #given: Store | null | undefined;
  readonly #prefix: string;

  constructor(store: Store | null | undefined, prefix: string) {
    [this.#given, this.#prefix] = [store, prefix];
  }

  get(name: string): unknown {
    try {
      return JSON.parse(this.#store?.getItem(this.#prefix + name) ?? "null");
    } catch {
      return null; // denied, or not ours
    }
  }

  set(name: string, value: unknown): void {
    try {
      this.#store?.removeItem(this.#prefix + name); // should the store be full, the old value is stale
      if (value !== undefined) this.#store?.setItem(this.#prefix + name, JSON.stringify(value));
    } catch {
      // full, or denied: it lasts as long as the page
    }
  }

  /** A browser may throw at the very name of its own. */
  get #store(): Store | null | undefined {
    return this.#given === undefined ? globalThis.sessionStorage : this.#given;
  }
}
