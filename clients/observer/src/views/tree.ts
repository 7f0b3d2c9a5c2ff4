// The supervision tree, live.

import { element, number, put, type View, wordsOfTrouble } from "../kit.js";
import { Feed } from "../tree/feed.js";
import { Grid, type Range } from "../tree/grid.js";
import { type Sort, SORTS, type Whole } from "../tree/rows.js";

export { node } from "../tree/node.js";

const WORDS: Readonly<Record<Sort, string>> = { "": "As a tree", waiting: "Most waiting", restarts: "Most restarts", cpu: "Most CPU", held: "Most memory held" };
const SETTLE = 120; // ms without scrolling or typing before the server is asked

/** Where the reader was, for when they come back. */
const kept = { opened: new Set(["greenroom/users"]), sort: "" as Sort, search: "" };

export const tree: View = {
  title: "Tree",
  show(place) {
    let range: Range = { offset: 0, limit: 100 }, timer = 0;
    const count = element("p", { class: "soft", testid: "tree-count" });
    const trouble = element("p", { class: "error", role: "status", testid: "trouble", hidden: true });
    const sort = element("select", { "aria-label": "Order", testid: "tree-sort", onchange: () => {
      kept.sort = sort.value as Sort;
      begin();
    } }, ...SORTS.map((each) => element("option", { value: each, selected: each === kept.sort }, WORDS[each])));
    const search = element("input", { type: "search", placeholder: "Search nodes", "aria-label": "Search nodes by their id", testid: "tree-search", value: kept.search, oninput: () => {
      kept.search = search.value.trim();
      soon(begin);
    } });
    const grid = new Grid({
      isOpen: (path) => kept.opened.has(path),
      toggle(path) {
        if (!kept.opened.delete(path)) kept.opened.add(path);
        follow();
      },
      want(wanted) {
        if (wanted.offset === range.offset && wanted.limit === range.limit) return;
        range = wanted;
        soon(follow);
      },
    });
    const feed = new Feed(place, {
      show(window) {
        put(count, wordsOf(window));
        grid.set(window, isList());
      },
      trouble(error) {
        trouble.hidden = error === null;
        put(trouble, error === null ? "" : wordsOfTrouble(error));
      },
    });
    const isList = (): boolean => Boolean(kept.sort || kept.search);
    const follow = (): void => feed.follow({ opened: [...kept.opened], sort: kept.sort, search: kept.search, ...range });
    const begin = (): void => {
      grid.toTop();
      range = { offset: 0, limit: 100 };
      follow();
    };
    const soon = (then: () => void): void => {
      clearTimeout(timer);
      timer = setTimeout(then, SETTLE);
    };
    addEventListener("resize", () => grid.redraw(), { signal: place.signal });
    place.signal.addEventListener("abort", () => clearTimeout(timer));
    place.root.append(element("div", { class: "row" }, sort, search, count), trouble, grid.root);
    begin();
  },
};

function wordsOf({ total, cpu_measured }: Whole): string {
  if (kept.sort === "cpu" && !cpu_measured) return "Processor time is not measured: set GREENROOM_MEASURE_CPU=yes.";
  const what = total === 1 ? "1 node" : `${number(total)} nodes`;
  if (kept.search && !total) return "No node has this in its id.";
  return kept.sort && !total ? "No node carries any." : kept.sort || kept.search ? what : `${number(total)} rows`;
}
