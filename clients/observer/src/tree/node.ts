// One node: its mailbox, its timers, its restarts, its machine.

import { address, ApiError, duration, element, type Fields, link, named, nameOf, number, put, refreshing, time, type Place, type View } from "../kit.js";
import { MachineCard } from "./machine.js";
import type { Machine } from "./machine.js";
import { bytes, percent } from "./rows.js";

const SECONDS = 2;

interface Mailbox {
  readonly depth: number;
  readonly in_hand: number;
  readonly capacity: number;
  readonly peak: number;
  readonly taken: number;
  readonly dropped: number;
  readonly age: number;
  readonly senders_waiting: number;
}

interface NodeFields {
  readonly id: string;
  readonly path: string;
  readonly kind: string;
  readonly state: string;
  readonly restarts: number;
  readonly uptime: number;
  readonly mailbox: Mailbox | null;
  readonly cpu_share: number | null;
  readonly cpu_seconds: number | null;
  readonly strategy: string | null;
  readonly budget: number | null;
  readonly hidden: number;
  readonly left_behind: readonly string[];
}

interface Crash {
  readonly id: string;
  readonly at: number;
  readonly path: string;
  readonly summary: string;
}

interface Timer {
  readonly name: string;
  readonly message: string;
  readonly in: number;
}

interface Said {
  readonly node: NodeFields;
  readonly crashes: readonly Crash[];
  readonly intensity?: string;
  readonly restart?: string;
  readonly supervisor?: { readonly path: string; readonly strategy: string; readonly budget: number; readonly intensity: string };
  readonly callers?: readonly string[];
  readonly actor?: string;
  readonly held?: number;
  readonly waiting?: readonly string[];
  readonly recent?: readonly string[];
  readonly timers?: readonly Timer[];
  readonly machine?: Machine | null;
  readonly drawing?: string;
}

export const node: View = {
  title: "Node",
  async show(place) {
    const path = place.parts.join("/");
    place.root.append(crumbs(path));
    const page = new NodePage(place.root);
    try {
      await refreshing(place, SECONDS, async () => {
        page.show(await place.api.get<Said & Fields>(`node?path=${encodeURIComponent(path)}`, place.signal));
      });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      gone(place, error);
    }
  },
};

function gone(place: Place, error: ApiError): void {
  if (place.signal.aborted) return;
  const crash = error.said["crash"], at = error.said["ended_at"];
  place.root.append(element("div", { class: "card", role: "status", testid: "gone" },
    element("h2", {}, "This node is not in the tree now"),
    element("p", {}, named(error.message)),
    typeof at === "number" ? element("p", {}, "It ended at ", time(at), ".") : element("p", {}, error.advice),
    typeof crash === "string" ? element("p", {}, link(`Crash ${crash}`, "crashes", crash)) : null));
}

/** The nodes above, each a link. An id that holds a slash leads to a node that is not there. */
function crumbs(path: string): HTMLElement {
  const parts = path.split("/");
  const links = parts.slice(0, -1).map((id, place) => element("li", {}, element("a", { href: address("tree", parts.slice(0, place + 1).join("/")) }, nameOf(id))));
  return element("nav", { "aria-label": "Above this node" }, element("ol", { class: "crumbs" }, element("li", {}, element("a", { href: address("tree") }, "Tree")), ...links));
}

class NodePage {
  private readonly facts = new Facts("");
  private readonly mailbox = new Facts("Mailbox");
  private readonly budget = new Facts("Restarts");
  private readonly kinds = new Lines("Messages", ["Waiting, the next first", "Handled, the last first"]);
  private readonly timers = new Lines("Timers", ["Timer", "Message", "Due in"]);
  private readonly crashes = new Lines("Crashes of it and below", ["When", "Crash", "Node"]);
  private readonly machine = new MachineCard();
  private readonly title = element("h2", { class: "node-title", testid: "node-title" });
  private readonly user = element("p", {});

  constructor(root: HTMLElement) {
    const cards = [this.facts, this.mailbox, this.budget].map((each) => each.root);
    const lists = [this.kinds, this.timers, this.crashes].map((each) => each.root);
    root.append(this.title, this.user, element("div", { class: "node-cards" }, ...cards), this.machine.root, ...lists);
  }

  show(said: Said): void {
    const { node } = said;
    if (!this.title.firstChild) this.head(node);
    this.facts.set(factsOf(said));
    this.mailbox.set(node.mailbox ? mailboxOf(node.mailbox, said.held ?? 0) : []);
    this.budget.set(budgetOf(said));
    this.machine.set(said.machine ?? null, said.drawing ?? "");
    this.kinds.set(pairs(said.waiting ?? [], [...(said.recent ?? [])].reverse()));
    this.timers.set((said.timers ?? []).map((each) => [named(each.name), named(each.message), duration(each.in)]));
    this.crashes.set(said.crashes.map((each) => [time(each.at * 1_000), link(each.summary, "crashes", each.id), named(each.path)]), said.crashes.map((each) => each.id).join());
  }

  private head({ id, path }: NodeFields): void {
    this.title.append(nameOf(id));
    const user = userOf(path);
    if (user !== null) this.user.append("Of user ", link(user, "users", user));
    this.user.hidden = user === null;
  }
}

type Fact = readonly [name: string, value: string];

function factsOf({ node, actor }: Said): Fact[] {
  return [
    ["Kind", actor === undefined ? node.kind : "actor"],
    ...(actor === undefined ? [] : [["Class", named(actor.slice(actor.lastIndexOf(":") + 1))] as const]),
    ["State", node.state],
    ["Up for", duration(node.uptime)],
    ["Processor now", node.cpu_share === null ? "not measured" : percent(node.cpu_share)],
    ...(node.cpu_seconds === null ? [] : [["Processor in all", duration(node.cpu_seconds)] as const]),
    ...(node.strategy === null ? [] : [["Strategy", node.strategy] as const, ["Children", number(node.hidden)] as const]),
    ...(node.left_behind.length ? [["Left behind", node.left_behind.map(named).join(", ")] as const] : []),
  ];
}

function mailboxOf(mailbox: Mailbox, held: number): Fact[] {
  return [
    ["Waiting", `${number(mailbox.depth + mailbox.in_hand)} of ${number(mailbox.capacity)}`],
    ["Oldest waits for", mailbox.depth + mailbox.in_hand ? duration(mailbox.age) : "–"],
    ["Most that waited", number(mailbox.peak)],
    ["Handled", number(mailbox.taken - mailbox.in_hand)],
    ["Dropped", number(mailbox.dropped)],
    ["Senders that wait", number(mailbox.senders_waiting)],
    ["Held in messages", bytes(held)],
  ];
}

function budgetOf({ node, supervisor, intensity, restart }: Said): Fact[] {
  return [
    ["Restarted", node.restarts === 1 ? "once" : `${number(node.restarts)} times`],
    ...(restart === undefined ? [] : [["Restart type", restart] as const]),
    ...(supervisor ? [["Its supervisor", `${supervisor.strategy}, ${number(supervisor.budget)} left of ${supervisor.intensity}`] as const] : []),
    ...(intensity === undefined || node.budget === null ? [] : [["Its children", `${number(node.budget)} left of ${intensity}`] as const]),
  ];
}

/** The user whose part of the tree it is; `users` percent-encodes what could end a name. */
function userOf(path: string): string | null {
  const part = path.split("/").find((each) => each.startsWith("user:"));
  if (part === undefined) return null;
  try {
    return decodeURIComponent(part.slice("user:".length));
  } catch {
    return part.slice("user:".length);
  }
}

const pairs = (one: readonly string[], other: readonly string[]): string[][] =>
  Array.from({ length: Math.max(one.length, other.length) }, (_, place) => [one[place] ?? "", other[place] ?? ""]);

/** Names and values, updated in place. */
class Facts {
  readonly root: HTMLElement;
  private readonly list = element("dl", { class: "node-facts" });
  private readonly values = new Map<string, HTMLElement>();

  constructor(title: string) {
    this.root = element("section", { class: "card", hidden: true }, title ? element("h3", {}, title) : null, this.list);
  }

  set(facts: readonly Fact[]): void {
    this.root.hidden = !facts.length;
    for (const [name, value] of facts) put(this.values.get(name) ?? this.add(name), value);
  }

  private add(name: string): HTMLElement {
    const made = element("dd");
    this.values.set(name, made);
    this.list.append(element("div", {}, element("dt", {}, name), made));
    return made;
  }
}

/** A table that is made again when something in it is another. */
class Lines {
  readonly root: HTMLElement;
  private readonly body = element("tbody");
  private last = "";

  constructor(title: string, columns: readonly string[]) {
    const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)));
    const table = element("table", {}, element("thead", {}, head), this.body);
    this.root = element("section", { class: "node-lines", hidden: true }, element("h3", {}, title), element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, table));
  }

  set(rows: readonly (readonly (string | HTMLElement)[])[], key = JSON.stringify(rows)): void {
    this.root.hidden = !rows.length;
    if (key === this.last) return;
    this.last = key;
    this.body.replaceChildren(...rows.map((cells) => element("tr", {}, ...cells.map((each) => element("td", {}, each)))));
  }
}
