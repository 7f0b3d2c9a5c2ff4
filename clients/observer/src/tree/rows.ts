// The tree as the server tells it: `greenroom.nodes/1`.

export interface Loads {
  readonly waiting: number;
  readonly restarts: number;
  readonly cpu: number | null;
  readonly held: number;
}

export interface Row extends Loads {
  readonly path: string;
  readonly id: string;
  readonly level: number;
  readonly children: number;
  readonly below: number;
  readonly total: Loads;
  readonly kind: "worker" | "supervisor";
  readonly state: string;
  readonly strategy?: string;
  readonly last_message?: string | null;
  readonly phase?: string;
}

export interface Figures {
  readonly found: boolean;
  readonly total: number;
  readonly offset: number;
  readonly cpu_measured: boolean;
}

/** All of a window. */
export interface Whole extends Figures {
  readonly rows: readonly Row[];
}

/** What has changed in it. */
export interface Change extends Whole {
  readonly order?: readonly string[];
}

export const SORTS = ["", "waiting", "restarts", "cpu", "held"] as const;
export type Sort = (typeof SORTS)[number];

/** What is asked for. */
export interface Query {
  readonly opened: readonly string[];
  readonly sort: Sort;
  readonly search: string;
  readonly offset: number;
  readonly limit: number;
}

const MOST_OPENED = 100;
const MOST_CHARACTERS = 12_000; // a request's head takes 32 KiB, cookies and all

/** The query's part of an address. Of the opened nodes, the last as far as there is room. */
export function queryOf({ opened, sort, search, offset, limit }: Query): string {
  const query = new URLSearchParams({ offset: String(offset), limit: String(limit) });
  if (sort) query.set("sort", sort);
  if (search) query.set("search", search);
  let left = MOST_CHARACTERS;
  for (const path of sort || search ? [] : opened.slice(-MOST_OPENED).reverse()) {
    left -= encodeURIComponent(path).length + 6;
    if (left > 0) query.append("open", path);
  }
  return query.toString();
}

/** The window after a change. */
export function changed(before: Whole, change: Change): Whole {
  const rows = new Map(before.rows.map((row) => [row.path, row]));
  for (const row of change.rows) rows.set(row.path, row);
  const order = change.order ?? before.rows.map((row) => row.path);
  return { ...change, rows: order.map((path) => rows.get(path)).filter((row) => row !== undefined) };
}

const UNITS = ["B", "KiB", "MiB", "GiB"];

/** A number of bytes as people read it. */
export function bytes(count: number): string {
  const unit = count < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** unit;
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** A share of a processor. */
export const percent = (share: number | null): string => (share === null ? "–" : `${Math.round(share * 1_000) / 10} %`);
