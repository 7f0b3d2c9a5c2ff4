// Text of users, tools and crashes: hostile, and of any length.

import { element } from "../../page/src/dom.js";

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;
const CUT = 2_000; // characters of a text that are shown until more is asked for

/** A name on one line: characters that show nothing, or turn what follows, as escapes. */
export const named = (name: string): string =>
  name.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);

/** A name as an element that keeps its direction to itself. */
export const nameOf = (name: string): HTMLElement => element("bdi", { class: "name" }, named(name));

/** A text of several lines; of a long one the beginning, and a button for the rest. */
export function textBlock(text: string, cut = CUT): HTMLElement {
  const shown = element("pre", { class: "text", tabindex: 0 });
  const lines = text.replace(UNSEEN, (character) => (character === "\n" || character === "\t" ? character : named(character)));
  if (lines.length <= cut) {
    shown.append(lines);
    return shown;
  }
  shown.append(`${lines.slice(0, cut)}…`);
  const all = element("button", { type: "button", class: "quiet", testid: "show-all", onclick: () => {
    shown.replaceChildren(lines);
    all.remove();
    shown.focus();
  } }, `Show all ${lines.length.toLocaleString("en")} characters`);
  return element("div", { class: "long" }, shown, all);
}

/** The address of a view: address("users", "alice") */
export const address = (...parts: readonly string[]): string => `#/${parts.map(encodeURIComponent).join("/")}`;

/** A link to a view. */
export const link = (text: string, ...parts: readonly string[]): HTMLElement =>
  element("a", { href: address(...parts) }, nameOf(text));

const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
export const number = (value: number): string => exact.format(value);

/** Seconds as people read them: 120 ms, 3.2 s, 5 min, 2 h. */
export function duration(s: number): string {
  if (s === 0) return "0 s";
  if (s < 0.0995) return `${exact.format(s * 1_000)} ms`;
  if (s < 60) return `${exact.format(s)} s`;
  return s < 3_600 ? `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s` : `${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min`;
}

const ZONED: Intl.DateTimeFormatOptions = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short" };

/** A time of the last hour, in the reader's zone, which it names. */
export const timeOfDay = (ms: number): string => new Date(ms).toLocaleTimeString(undefined, { timeZoneName: "short" });

/** A time (ms since the Unix epoch) in the reader's zone, which it names, with the exact one in its title. */
export function time(ms: number): HTMLElement {
  const at = new Date(ms);
  const iso = Number.isNaN(at.getTime()) ? String(ms) : at.toISOString();
  return element("time", { datetime: iso, title: iso }, Number.isNaN(at.getTime()) ? iso : at.toLocaleString(undefined, ZONED));
}
