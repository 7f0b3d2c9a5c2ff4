// The user's conversations as this tab knows them: the list, its pages, and what the user does with one. No DOM here.
// The wire tells of an erasure only; everything else that changes elsewhere is seen by asking again (`refresh`).

import type { Client, ThreadInfo } from "greenroom";

const PAGE = 30, MOST = 100; // threads

export interface ThreadsPage {
  readonly threads: readonly ThreadInfo[];
  readonly more: boolean;
}

export class Threads {
  readonly #client: Client;
  readonly #onChange: () => void;
  #reading: Promise<void> | null = null;
  #isStale = false;
  readonly #erasing = new Set<string>();
  /** The one used last first. */
  found: readonly ThreadInfo[] = [];
  more = false; // there are others after them
  archived = false; // these are the archived ones
  isKnown = false; // the server has answered
  problem: string | null = null; // why the list could not be had, in words

  /** onChange: there is something else to show. */
  constructor(client: Client, onChange: () => void) { [this.#client, this.#onChange] = [client, onChange]; }

  get(thread: string | null): ThreadInfo | undefined { return this.found.find((each) => each.thread === thread); }

  /** Ask again, once for all who want it meanwhile. */
  refresh(): void {
    this.#isStale = true;
    this.#reading ??= this.#read().finally(() => { this.#reading = null; });
  }

  /** Forget all, and show the archived ones or the others. */
  show({ archived }: { archived: boolean }): void {
    Object.assign(this, { archived, found: [], more: false, isKnown: false, problem: null });
    this.#onChange();
  }

  async showMore(): Promise<void> {
    const { archived } = this;
    const { threads, more } = await this.#client.threads({ ...this.#afterLast(), limit: PAGE, archived });
    if (archived !== this.archived) return;
    this.found = newestFirst([...this.found, ...threads.filter(({ thread }) => !this.get(thread))]);
    this.more = more;
    this.#onChange();
  }

  async change(thread: string, change: { title: string } | { archived: boolean }): Promise<void> {
    const changed = await this.#client.changeThread(thread, change);
    const belongs = changed.archived === this.archived;
    this.found = this.found.flatMap((each) => (each.thread !== thread ? [each] : belongs ? [changed] : []));
    this.#onChange();
    this.refresh();
  }

  async erase(thread: string): Promise<void> {
    this.#erasing.add(thread);
    try {
      await this.#client.erase(thread);
    } finally {
      this.#erasing.delete(thread);
    }
    this.drop(thread);
  }

  /** Whether this tab has asked for its erasure. */
  isErasing(thread: string): boolean { return this.#erasing.has(thread); }

  /** It is erased. */
  drop(thread: string): void {
    this.found = this.found.filter((each) => each.thread !== thread);
    this.#onChange();
    this.refresh();
  }

  async #read(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      const { archived } = this;
      const limit = Math.min(Math.max(this.found.length, PAGE), MOST);
      try {
        const page = await this.#client.threads({ limit, archived });
        if (archived === this.archived) this.#take(page);
        this.problem = null;
      } catch (error) {
        // A closed client asks again once it is connected.
        if (this.#client.state !== "closed") this.problem = `Your conversations could not be listed: ${wordsOf(error)}`;
      }
      this.#onChange();
    }
  }

  /** A first page takes the place of all that it covers; older ones stay as they were. */
  #take({ threads, more }: ThreadsPage): void {
    const end = threads.at(-1)?.updated ?? 0;
    const older = more ? this.found.filter(({ updated }) => updated < end) : [];
    const isNew = ({ thread }: ThreadInfo) => !threads.some((each) => each.thread === thread);
    this.found = [...threads, ...older.filter(isNew)];
    if (!older.length) this.more = more;
    this.isKnown = true;
  }

  /** Where the next page begins. No page parts threads of one time, unless they alone fill it: then the last one's id goes on. */
  #afterLast(): { before?: string | number } {
    const last = this.found.at(-1);
    if (!last) return {};
    const isAlone = this.found.slice(-PAGE).every(({ updated }) => updated === last.updated);
    return { before: isAlone ? last.thread : last.updated };
  }
}

const newestFirst = (threads: ThreadInfo[]): ThreadInfo[] => threads.sort((a, b) => b.updated - a.updated);

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
