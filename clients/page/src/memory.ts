// What this tab remembers over a reload, as JSON in sessionStorage; for itself when that is denied.
// A browser denies it in two ways: by throwing at the first use, or at the very name `sessionStorage`.

export class Memory {
  readonly #storage: Storage | null;
  readonly #prefix: string;
  readonly #own = new Map<string, unknown>();

  constructor(open: () => Storage, prefix: string) {
    this.#prefix = prefix;
    this.#storage = opened(open);
  }

  /** What was set, which may be an older page's; null if nothing was. */
  get(name: string): unknown {
    try {
      const text = this.#storage?.getItem(this.#prefix + name) ?? null;
      if (text !== null) return JSON.parse(text);
    } catch {
      // storage is denied, or not ours: fall back
    }
    return structuredClone(this.#own.get(name) ?? null);
  }

  text(name: string): string | null {
    const found = this.get(name);
    return typeof found === "string" ? found : null;
  }

  set(name: string, value: unknown): void {
    if (!this.#storage) return void this.#own.set(name, value);
    try {
      if (value === null) this.#storage.removeItem(this.#prefix + name);
      else this.#storage.setItem(this.#prefix + name, JSON.stringify(value));
      this.#own.delete(name);
    } catch {
      this.#forget(name); // full or denied: what stands there would be stale
      this.#own.set(name, value);
    }
  }

  #forget(name: string): void {
    try {
      this.#storage?.removeItem(this.#prefix + name);
    } catch {
      // denied
    }
  }
}

function opened(open: () => Storage): Storage | null {
  try {
    return open();
  } catch {
    return null;
  }
}
