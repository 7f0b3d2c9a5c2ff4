// A tree of any length: only the rows in sight have elements. The tree itself has the focus, and says which row is meant.

import { address, element, named, nameOf, number, put } from "../kit.js";
import { bytes, percent, type Row, type Whole } from "./rows.js";

const ROW = 36; // px, as in style.css
const AROUND = 8; // rows before and behind those in sight that have elements
const AHEAD = 60; // rows before and behind those in sight that are asked for
const MOST = 200; // rows that may be asked for

const COLUMNS = ["Node", "State", "Waiting", "Restarts", "CPU", "Held", "Last message"] as const;

export interface Range {
  readonly offset: number;
  readonly limit: number;
}

export interface Owner {
  isOpen(path: string): boolean;
  toggle(path: string): void;
  /** Other rows are wanted. */
  want(range: Range): void;
}

interface Shown {
  readonly root: HTMLElement;
  readonly cells: readonly HTMLElement[];
  row: Row | null;
}

export class Grid {
  readonly root: HTMLElement;
  private readonly body = element("div", { class: "tree-rows", role: "rowgroup" });
  private readonly shown = new Map<string, Shown>();
  private window: Whole = { found: true, total: 0, offset: 0, cpu_measured: false, rows: [] };
  private isList = false;
  private active = 0;
  private activePath = "";
  private drawing = 0;

  constructor(private readonly owner: Owner) {
    const header = element("div", { role: "row", class: "tree-row tree-header" }, ...COLUMNS.map((name) => element("span", { role: "columnheader" }, name)));
    this.root = element("div", { class: "tree-box", role: "treegrid", tabindex: 0, "aria-label": "Supervision tree", testid: "tree",
      onscroll: () => this.redraw(), onkeydown: (event: KeyboardEvent) => this.press(event) }, header, this.body);
  }

  /** Show this window. Where the reader is stays in its place. */
  set(window: Whole, isList: boolean): void {
    const moved = isList || this.isList ? 0 : this.movedBy(window);
    this.window = window;
    this.isList = isList;
    this.body.style.height = `${window.total * ROW}px`;
    this.root.setAttribute("aria-rowcount", String(window.total + 1));
    if (moved) this.root.scrollTop += moved * ROW;
    this.keepActive();
    this.draw();
  }

  toTop(): void {
    this.root.scrollTop = 0;
    this.active = 0;
    this.activePath = "";
  }

  redraw(): void {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.draw());
  }

  /** How many rows the first one in sight has moved by. */
  private movedBy(next: Whole): number {
    const first = Math.floor(this.root.scrollTop / ROW), path = this.at(first)?.path;
    const place = path === undefined || first === 0 ? -1 : next.rows.findIndex((row) => row.path === path);
    return place < 0 ? 0 : place + next.offset - first;
  }

  private at(index: number): Row | undefined {
    return this.window.rows[index - this.window.offset];
  }

  /** The active row is the same node if it is still there, or else the one in its place. */
  private keepActive(): void {
    const place = this.window.rows.findIndex((row) => row.path === this.activePath);
    if (place >= 0) this.active = place + this.window.offset;
    this.active = Math.max(0, Math.min(this.active, this.window.total - 1));
    this.activePath = this.at(this.active)?.path ?? this.activePath;
  }

  private draw(): void {
    const height = this.root.clientHeight, top = this.root.scrollTop;
    const first = Math.floor(top / ROW), last = Math.ceil((top + height) / ROW);
    const seen = new Set<string>();
    for (let index = Math.max(0, first - AROUND); index < Math.min(this.window.total, last + AROUND); index++) {
      const row = this.at(index);
      if (!row) continue;
      seen.add(row.path);
      this.drawRow(row, index);
    }
    for (const [path, each] of this.shown)
      if (!seen.has(path)) {
        each.root.remove();
        this.shown.delete(path);
      }
    this.pointAt();
    this.wantAround(first, last);
  }

  private wantAround(first: number, last: number): void {
    const { offset, rows, total } = this.window, end = offset + rows.length;
    const misses = first < offset || Math.min(last, total) > end;
    const isNear = (offset > 0 && first - AHEAD / 2 < offset) || (end < total && last + AHEAD / 2 > end);
    if (!misses && !isNear) return;
    const from = Math.max(0, first - AHEAD);
    this.owner.want({ offset: from, limit: Math.min(MOST, last + AHEAD - from) });
  }

  private drawRow(row: Row, index: number): void {
    const made = this.shown.get(row.path) ?? this.makeRow(row);
    made.root.style.transform = `translateY(${index * ROW}px)`;
    made.root.setAttribute("aria-rowindex", String(index + 2));
    const isOpen = row.children > 0 && !this.isList && (row.level === 1 || this.owner.isOpen(row.path));
    if (row.children && !this.isList) made.root.setAttribute("aria-expanded", String(isOpen));
    else made.root.removeAttribute("aria-expanded");
    if (made.row !== row) this.fill(made, row);
    made.row = row;
  }

  private makeRow(row: Row): Shown {
    const twist = element("span", { class: "twist", "aria-hidden": "true", onclick: (event: Event) => {
      event.stopPropagation();
      if (row.level > 1) this.owner.toggle(row.path);
    } });
    const name = element("a", { href: address("tree", row.path), tabindex: -1, title: named(row.path) }, nameOf(row.id));
    const cells = COLUMNS.map((_, place) => element("span", { role: "gridcell", class: place > 1 && place < 6 ? "num" : "" }));
    cells[0]?.append(twist, name, element("span", { class: "soft" }));
    const root = element("div", { class: "tree-row", role: "row", testid: "tree-row", onclick: () => this.activate(row.path) }, ...cells);
    root.id = `row-${ids++}`;
    this.body.append(root);
    const made: Shown = { root, cells, row: null };
    this.shown.set(row.path, made);
    return made;
  }

  private fill({ root, cells }: Shown, row: Row): void {
    const loads = this.isList ? row : row.total;
    root.setAttribute("aria-level", String(row.level));
    root.dataset["state"] = row.state;
    root.style.setProperty("--level", String(this.isList ? 1 : row.level));
    const below = cells[0]?.lastElementChild;
    if (below) put(below, row.children ? number(row.children) : this.isList ? named(row.path.slice(0, -row.id.length - 1)) : "");
    const texts = [row.phase ?? (row.state === "running" ? row.strategy ?? "" : row.state), some(loads.waiting), some(loads.restarts), percent(loads.cpu), loads.held ? bytes(loads.held) : "", row.last_message ?? ""];
    texts.forEach((text, place) => put(cells[place + 1] as HTMLElement, text));
    root.classList.toggle("is-busy", loads.waiting > 0);
  }

  // Keys

  private press(event: KeyboardEvent): void {
    const row = this.at(this.active), page = Math.max(1, Math.floor(this.root.clientHeight / ROW) - 2);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => this.goTo(this.active + 1),
      ArrowUp: () => this.goTo(this.active - 1),
      PageDown: () => this.goTo(this.active + page),
      PageUp: () => this.goTo(this.active - page),
      Home: () => this.goTo(0),
      End: () => this.goTo(this.window.total - 1),
      ArrowRight: () => this.right(row),
      ArrowLeft: () => this.left(row),
      Enter: () => row && (location.hash = address("tree", row.path)),
    };
    const move = event.altKey || event.ctrlKey || event.metaKey ? undefined : moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }

  private right(row: Row | undefined): void {
    if (!row?.children || this.isList) return;
    if (row.level === 1 || this.owner.isOpen(row.path)) this.goTo(this.active + 1);
    else this.owner.toggle(row.path);
  }

  private left(row: Row | undefined): void {
    if (!row || this.isList) return;
    if (row.level > 1 && this.owner.isOpen(row.path)) return this.owner.toggle(row.path);
    for (let index = this.active - 1; index >= this.window.offset; index--)
      if ((this.at(index)?.level ?? row.level) < row.level) return this.goTo(index);
  }

  private activate(path: string): void {
    this.activePath = path;
    this.keepActive();
    this.pointAt();
  }

  private goTo(index: number): void {
    this.active = Math.max(0, Math.min(index, this.window.total - 1));
    this.activePath = this.at(this.active)?.path ?? "";
    const top = this.active * ROW, box = this.root, room = box.clientHeight - 2 * ROW;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top > box.scrollTop + room) box.scrollTop = top - room;
    this.draw();
  }

  private pointAt(): void {
    for (const [path, { root }] of this.shown) root.classList.toggle("is-active", path === this.activePath);
    const active = this.shown.get(this.activePath)?.root.id;
    if (active) this.root.setAttribute("aria-activedescendant", active);
    else this.root.removeAttribute("aria-activedescendant");
  }
}

let ids = 0;
const some = (count: number): string => (count ? number(count) : "");
