// A thread's latest events, page by page.

import type { Client, GreenroomEvent } from "greenroom";

const PAGE = 200; // events per request: the server's limit
export const PAGES = 15; // that are drawn at a time

export interface Latest {
  readonly events: readonly GreenroomEvent[];
  /** There are earlier ones. */
  readonly more: boolean;
}

/** Up to `pages` pages. */
export async function latest(client: Client, thread: string | null, pages: number): Promise<Latest> {
  let events: readonly GreenroomEvent[] = [], hasMore = thread !== null;
  for (let page = 0; thread !== null && hasMore && page < pages; page += 1) {
    const found = await client.history({ thread, limit: PAGE, before: events[0]?.offset });
    events = [...found.events, ...events];
    hasMore = found.more && found.events.length > 0;
  }
  return { events, more: hasMore };
}
