// The user's conversations as this tab knows them: the list, its pages, and what the user does with one. No DOM here.
// The wire tells of an erasure only; everything else that changes elsewhere is seen by asking again (`refresh`).

const PAGE = 30, MOST = 100; // threads

/** @typedef {import("./client.js").Thread} Thread */

export class Threads {
  #client; #onChange; #reading = null; #isStale = false; #erasing = new Set();
  /** @type {Thread[]} the one used last first */
  found = [];
  more = false; // there are others after them
  archived = false; // these are the archived ones
  isKnown = false; // the server has answered
  problem = null; // why the list could not be had, in words

  /** onChange: (), when there is something else to show. */
  constructor(client, onChange) { [this.#client, this.#onChange] = [client, onChange]; }

  /** @returns {Thread | undefined} */
  get(thread) { return this.found.find((each) => each.thread === thread); }

  /** Ask again, once for all who want it meanwhile. */
  refresh() {
    this.#isStale = true;
    this.#reading ??= this.#read().finally(() => { this.#reading = null; });
    return this.#reading;
  }

  /** Forget all, and show the archived ones or the others. */
  show({ archived }) {
    Object.assign(this, { archived, found: [], more: false, isKnown: false, problem: null });
    this.#onChange();
  }

  async showMore() {
    const { archived } = this;
    const { threads, more } = await this.#client.threads({ ...this.#afterLast(), limit: PAGE, archived });
    if (archived !== this.archived) return;
    this.found = newestFirst([...this.found, ...threads.filter(({ thread }) => !this.get(thread))]);
    this.more = more;
    this.#onChange();
  }

  /** @param {string} thread @param {{title: string} | {archived: boolean}} change */
  async change(thread, change) {
    const changed = await this.#client.change(thread, change);
    const belongs = changed.archived === this.archived;
    this.found = this.found.flatMap((each) => (each.thread !== thread ? [each] : belongs ? [changed] : []));
    this.#onChange();
    this.refresh();
  }

  async erase(thread) {
    this.#erasing.add(thread);
    try {
      await this.#client.erase(thread);
    } finally {
      this.#erasing.delete(thread);
    }
    this.drop(thread);
  }

  /** Whether this tab has asked for its erasure. */
  isErasing(thread) { return this.#erasing.has(thread); }

  /** It is erased. */
  drop(thread) {
    this.found = this.found.filter((each) => each.thread !== thread);
    this.#onChange();
    this.refresh();
  }

  async #read() {
    while (this.#isStale) {
      this.#isStale = false;
      const { archived } = this;
      const limit = Math.min(Math.max(this.found.length, PAGE), MOST);
      try {
        const page = await this.#client.threads({ limit, archived });
        if (archived === this.archived) this.#take(page);
        this.problem = null;
      } catch (error) {
        this.problem = `Your conversations could not be listed: ${error.message}`;
      }
      this.#onChange();
    }
  }

  /** A first page takes the place of all that it covers; older ones stay as they were. */
  #take({ threads, more }) {
    const end = threads.at(-1)?.updated ?? 0;
    const older = more ? this.found.filter(({ updated }) => updated < end) : [];
    const isNew = ({ thread }) => !threads.some((each) => each.thread === thread);
    this.found = [...threads, ...older.filter(isNew)];
    if (!older.length) this.more = more;
    this.isKnown = true;
  }

  /** Where the next page begins. No page parts threads of one time, unless they alone fill it: then the last one's id goes on. */
  #afterLast() {
    const last = this.found.at(-1);
    const isAlone = this.found.slice(-PAGE).every(({ updated }) => updated === last.updated);
    return { before: isAlone ? last.thread : last.updated };
  }
}

const newestFirst = (threads) => threads.sort((a, b) => b.updated - a.updated);
