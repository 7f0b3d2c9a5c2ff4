// What the server answers of a user (schema greenroom.account/1), and the tables that show it.

import { address, type Child, duration, element, link, nameOf, number, time } from "../kit.js";
import { type Column, section } from "./columns.js";

interface Standing {
  readonly session: string;
  readonly sent: number;
  readonly received: number;
  readonly is_moving: boolean;
  readonly circuit: string;
  readonly failures: number;
}

interface Connection {
  readonly connection: string;
  readonly phase: string | null;
  readonly path: string;
  readonly seconds: number;
  readonly waiting: number;
  readonly standing: Standing | null;
}

interface Run {
  readonly run: string;
  readonly parent: string | null;
  readonly thread: string;
  readonly agent: string | null;
  readonly began: number | null;
  readonly last_at: number;
  readonly last_kind: string;
  readonly events: number;
  readonly ending: string | null;
}

interface Thread {
  readonly thread: string;
  readonly title: string | null;
  readonly updated: number;
  readonly runs: number;
  readonly last: { readonly kind: string; readonly text?: string };
}

interface Session {
  readonly session: string;
  readonly offset: number;
  readonly sent: number;
  readonly at: number;
}

interface Past {
  readonly at: number;
  readonly code: number;
  readonly by_server: boolean;
  readonly connection: string | null;
  readonly session: string | null;
}

interface Letter {
  readonly event: string;
  readonly kind: string;
  readonly outcome: string;
  readonly at: number;
}

interface Crash {
  readonly id: string;
  readonly at: number;
  readonly path: string;
  readonly summary: string;
}

export interface Account {
  readonly at: number;
  readonly user: string;
  readonly texts: boolean;
  readonly active: boolean;
  readonly is_kept: boolean;
  readonly bounds: { readonly first: number; readonly last: number };
  readonly banned_until: number | null;
  readonly live_runs: readonly string[];
  readonly open_runs: readonly { readonly run: string; readonly thread: string }[];
  readonly going_on: readonly { readonly run: string; readonly agent: string; readonly attempt: number }[];
  readonly runs: readonly Run[];
  readonly older: number | null;
  readonly threads: readonly Thread[];
  readonly more_threads: boolean;
  readonly connections: readonly Connection[];
  readonly past: readonly Past[];
  readonly sessions: readonly Session[];
  readonly letters: readonly Letter[];
  readonly crashes: readonly Crash[];
}

/** In one line: served or not, how far, refused or not. */
export function headline(account: Account): HTMLElement {
  const { first, last } = account.bounds, kept = last ? last - first + 1 : 0;
  return element("div", { class: "card headline", testid: "headline" },
    element("p", { class: "user" }, nameOf(account.user)),
    element("p", { class: "soft" }, account.active ? "Served by this server now" : "Not served by this server now",
      `; ${number(kept)} events kept${first > 1 && last ? `, earlier ones are trimmed` : ""}.`),
    account.banned_until === null ? null : element("p", { class: "error", testid: "refused" }, "Refused until ", time(account.banned_until), "."),
    element("p", {}, element("a", { href: address("why", account.user) }, "Why did the user not see it?")));
}

const PHASES: Readonly<Record<string, string>> = { READY: "ready" };
const far = ({ standing }: Connection): Child => standing && `${standing.received} of ${standing.sent}`;

export const connections = (account: Account): HTMLElement => section<Connection>("Connections", [
  { title: "Connection", of: (each) => element("a", { href: address("tree", each.path) }, nameOf(each.connection)) },
  { title: "Phase", of: ({ phase }) => (phase === null ? "starts" : PHASES[phase] ?? phase.toLowerCase()) },
  { title: "Session", of: ({ standing }) => standing && nameOf(standing.session) },
  { title: "Open since", of: ({ seconds }) => time(Math.round((account.at - seconds * 1_000) / 1_000) * 1_000) },
  { title: "Received, of sent", is: "num", of: far },
  { title: "Socket", of: ({ standing }) => standing && (standing.is_moving ? "bytes leave" : "quiet") },
  { title: "Breaker", of: ({ standing }) => standing && (standing.failures ? `${standing.circuit}, ${standing.failures} in vain` : standing.circuit) },
  { title: "Waiting", is: "num", of: ({ waiting }) => number(waiting) },
], account.connections, "None is open.");

/** Those that are open, whether or not they are among the recent ones. */
export function openRuns(account: Account): HTMLElement {
  const live = new Set(account.live_runs), going = new Map(account.going_on.map((each) => [each.run, each]));
  return section("Open runs", [
    { title: "Run", of: ({ run }) => link(run, "runs", run) },
    { title: "State", of: ({ run }) => (live.has(run) ? "runs here" : "not in this process") },
    { title: "Goes on after a loss", of: ({ run }) => (going.has(run) ? `yes: attempt ${going.get(run)?.attempt}` : "no") },
    { title: "Why not seen?", of: ({ run }) => element("a", { href: address("why", run) }, "why") },
  ], account.open_runs, "None is open.");
}

export const RUNS: readonly Column<Run>[] = [
  { title: "Run", of: ({ run }) => link(run, "runs", run) },
  { title: "Agent", of: ({ agent }) => agent && nameOf(agent) },
  { title: "Began", of: ({ began }) => (began === null ? "earlier" : time(began)) },
  { title: "Ended", of: ({ ending, last_at, began }) => (ending === null ? null : `${ending}${began === null ? "" : ` after ${duration((last_at - began) / 1_000)}`}`) },
  { title: "Last event", of: ({ last_kind }) => last_kind },
  { title: "Events", is: "num", of: ({ events }) => number(events) },
  { title: "Sub-run of", of: ({ parent }) => parent && link(parent, "runs", parent) },
];

export const threads = (account: Account): HTMLElement => section<Thread>("Threads", [
  { title: "Thread", of: ({ thread }) => nameOf(thread) },
  ...(account.texts ? [{ title: "Title", of: ({ title }: Thread) => title && nameOf(title) }] : []),
  { title: "Runs", is: "num" as const, of: ({ runs }: Thread) => number(runs) },
  { title: "Last event", of: ({ last }) => last.kind },
  { title: "Last used", of: ({ updated }) => time(updated) },
], account.threads, "There are none.", account.more_threads ? element("p", { class: "soft" }, "These are the last used ones; there are others.") : null);

export const sessions = (account: Account): HTMLElement => section<Session>("Sessions", [
  { title: "Session", of: ({ session }) => nameOf(session) },
  { title: "Received, of sent", is: "num", of: ({ offset, sent }) => `${offset} of ${sent}` },
  { title: "Heard of", of: ({ at }) => time(at) },
], account.sessions, "The journal knows none.");

export const past = (account: Account): HTMLElement => section<Past>("Past connections", [
  { title: "Ended", of: ({ at }) => time(at) },
  { title: "Connection", of: ({ connection }) => (connection === null ? "refused" : nameOf(connection)) },
  { title: "Session", of: ({ session }) => session && nameOf(session) },
  { title: "Close code", is: "num", of: ({ code }) => String(code) },
  { title: "Closed by", of: ({ by_server }) => (by_server ? "the server" : "the client's side") },
], [...account.past].reverse(), "None since this server started.");

export const letters = (account: Account): HTMLElement => section<Letter>("Dead letters", [
  { title: "Event", of: ({ event }) => element("a", { href: address("why", event) }, nameOf(event)) },
  { title: "Kind", of: ({ kind }) => kind },
  { title: "Given up", of: ({ at }) => time(at) },
  { title: "As", of: ({ outcome }) => outcome },
], account.letters, "There are none.");

export const crashes = (account: Account): HTMLElement | null => (account.crashes.length ? section<Crash>("Crashes", [
  { title: "When", of: ({ at }) => time(at) },
  { title: "Crash", of: ({ id }) => link(id, "crashes", id) },
  { title: "Of", of: ({ path }) => nameOf(path) },
  { title: "Error", of: ({ summary }) => nameOf(summary) },
], [...account.crashes].reverse(), "") : null);
