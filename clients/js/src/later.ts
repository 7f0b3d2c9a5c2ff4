// What is loaded when it is first used.

export const MOST_EARLY = 256; // frames that wait until `for await` is loaded

/** An iterator that reads another one, once it is there. */
export function later<T>(loading: Promise<AsyncIterableIterator<T>>): AsyncIterableIterator<T> {
  return {
    next: async () => (await loading).next(),
    return: async () => (await loading).return!(),
    [Symbol.asyncIterator]() { return this; },
  };
}
