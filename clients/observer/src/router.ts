// From the address to a view, one at a time.

import { $, type Api, ApiError, address, element, put, type Role, type View } from "./kit.js";
import { NAVIGATION, VIEWS } from "./views.js";

const LOST: View = { title: "Not here", show: ({ root }) => root.append(element("p", {}, "The observer has no such page.")) };

export class Router {
  private shown = new AbortController();

  constructor(private readonly api: Api, private readonly role: () => Role) {
    addEventListener("hashchange", () => {
      void this.show();
      $("view-title").focus();
    });
    $("navigation").append(...NAVIGATION.map((name) => element("a", { href: address(name), "data-view": name }, VIEWS[name]?.title)));
  }

  /** Show what the address says. */
  async show(): Promise<void> {
    this.leave();
    const { signal } = this.shown;
    const { name, parts, view } = chosen(location.hash);
    const root = element("div", { class: `view view-${name || "overview"}`, testid: "view" });
    $("view").replaceChildren(root);
    put($("view-title"), view.title);
    document.title = `${view.title} · observer`;
    for (const each of $("navigation").querySelectorAll<HTMLElement>("a"))
      each.toggleAttribute("aria-current", each.dataset["view"] === name);
    try {
      await view.show({ root, parts, api: this.api, signal, role: this.role() });
      if (!signal.aborted) root.dataset["state"] = "shown";
    } catch (error) {
      if (!signal.aborted) root.append(complaint(error));
    }
  }

  /** End what the present view does. */
  leave(): void {
    this.shown.abort();
    this.shown = new AbortController();
    $("view").replaceChildren();
  }
}

function chosen(hash: string): { readonly name: string; readonly parts: readonly string[]; readonly view: View } {
  const [name = "", ...parts] = hash.replace(/^#?\/?/, "").split("/").map(decoded);
  const known = parts.length ? `${name}/*` : name;
  return { name, parts, view: Object.hasOwn(VIEWS, known) ? VIEWS[known] ?? LOST : LOST };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function complaint(error: unknown): HTMLElement {
  const said = error instanceof ApiError ? [error.message, error.advice] : [String(error)];
  return element("div", { class: "error", role: "alert", testid: "problem" }, ...said.filter(Boolean).map((text) => element("p", {}, text)));
}
