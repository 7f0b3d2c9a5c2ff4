// Parts of a view that are made again every few seconds, without losing the reader's focus, scroll or selection.

import { element } from "../../page/src/dom.js";

/** Replaces `root.children` of these names by the new ones where they differ. */
export class FreshParts {
  private readonly parts = new Map<string, HTMLElement>();

  constructor(private readonly root: HTMLElement) {}

  /** Show these parts, which have no names but their places. */
  putAll(made: readonly HTMLElement[]): void {
    for (let place = 0; place < Math.max(made.length, this.parts.size); place++) this.put(String(place), made[place] ?? null);
  }

  /** Show this part under its name; null hides it. The order is that of the first calls. */
  put(name: string, made: HTMLElement | null): void {
    const fresh = made ?? element("div", { hidden: true });
    fresh.dataset["part"] = name;
    const old = this.parts.get(name);
    if (old?.isEqualNode(fresh)) return;
    if (old && isHeld(old)) return; // until the selection ends
    this.parts.set(name, fresh);
    if (!old) return this.root.append(fresh);
    const focused = keyOf(old, document.activeElement), left = scrollOf(old);
    old.replaceWith(fresh);
    if (focused !== null) fresh.querySelector<HTMLElement>(focused)?.focus({ preventScroll: true });
    const box = fresh.querySelector(".scroll");
    if (box) box.scrollLeft = left;
  }
}

/** Whether the reader has selected text in it. */
function isHeld(part: HTMLElement): boolean {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(part, true);
}

function keyOf(part: HTMLElement, focused: Element | null): string | null {
  if (!(focused instanceof HTMLElement) || !part.contains(focused)) return null;
  const { testid } = focused.dataset, href = focused.getAttribute("href"), label = focused.getAttribute("aria-label");
  if (testid) return `[data-testid="${CSS.escape(testid)}"]`;
  if (href) return `[href="${CSS.escape(href)}"]`;
  return label ? `[aria-label="${CSS.escape(label)}"]` : null;
}

const scrollOf = (part: HTMLElement): number => part.querySelector(".scroll")?.scrollLeft ?? 0;
