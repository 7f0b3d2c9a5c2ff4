// What this tab remembers over a reload, as JSON in sessionStorage; for itself when that is denied.
// A browser denies it in two ways: by throwing at the first use, or at the very name `sessionStorage`.

export class Memory {
  #storage; #prefix; #own = new Map();

  /** open: () => Storage */
  constructor(open, prefix) {
    this.#prefix = prefix;
    try { this.#storage = open(); } catch { this.#storage = null; }
  }

  get(name) {
    try {
      const text = this.#storage?.getItem(this.#prefix + name) ?? null;
      if (text !== null) return JSON.parse(text);
    } catch { /* storage is denied, or not ours: fall back */ }
    return structuredClone(this.#own.get(name) ?? null);
  }

  set(name, value) {
    if (!this.#storage) return void this.#own.set(name, value);
    try {
      if (value === null) this.#storage.removeItem(this.#prefix + name);
      else this.#storage.setItem(this.#prefix + name, JSON.stringify(value));
      this.#own.delete(name);
    } catch { // full or denied: what stands there would be stale
      try { this.#storage.removeItem(this.#prefix + name); } catch { /* denied */ }
      this.#own.set(name, value);
    }
  }
}
