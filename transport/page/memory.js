// What this tab remembers over a reload, as JSON in sessionStorage; for itself when that is denied.

export class Memory {
  #storage; #prefix; #own = new Map();

  constructor(storage, prefix) {
    [this.#storage, this.#prefix] = [storage, prefix];
  }

  get(name) {
    try {
      const text = this.#storage.getItem(this.#prefix + name);
      if (text !== null) return JSON.parse(text);
    } catch { /* storage is denied, or not ours: fall back */ }
    return structuredClone(this.#own.get(name) ?? null);
  }

  set(name, value) {
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
