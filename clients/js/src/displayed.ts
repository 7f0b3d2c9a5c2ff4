// What the user's eyes had a chance to see.

import type { Client } from "./client.js";
import type { GreenroomEvent } from "./protocol/events.js";

/** Report the events of an element as displayed once it is in view. Returns what ends it. */
export function displayedInView(client: Client, element: Element, ...events: GreenroomEvent[]): () => void {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    client.displayed(...events);
  });
  observer.observe(element);
  return () => observer.disconnect();
}
