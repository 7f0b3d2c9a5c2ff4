// Listeners by name. What raises in one is the program's, and stops no other and not the connection.

export type Listener<T> = (value: T) => unknown;

export class Emitter<Values extends object> {
  readonly #listeners = new Map<keyof Values, Set<Listener<never>>>();

  /** Returns what ends it. */
  on<K extends keyof Values>(name: K, listener: Listener<Values[K]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  emit<K extends keyof Values>(name: K, value: Values[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<Values[K]>)(value);
      } catch (error) {
        console.error("a listener:", error);
      }
    }
  }
}
