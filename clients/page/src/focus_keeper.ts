// The focus never falls to the body: where the element that has it goes away, another takes it.

/** `fallBack` focuses another one. */
export function keepFocus(fallBack: () => void): void {
  let last: Element | null = null;
  const check = () => {
    const active = document.activeElement;
    const held = active === document.body || active === null ? last : active;
    if (held && isGone(held)) fallBack();
  };
  addEventListener("focusin", ({ target }) => { last = target instanceof Element ? target : null; });
  addEventListener("focusout", () => setTimeout(() => { if (last && !isGone(last)) last = document.activeElement; }));
  new MutationObserver(check).observe(document.body, { subtree: true, childList: true, attributeFilter: ["hidden", "disabled"] });
}

const isGone = (element: Element): boolean => element !== document.body && (!element.isConnected || !element.checkVisibility() || element.matches(":disabled"));
