// One sentence: why a user did not see something, with what shows it.

import { address, type Child, element, FreshParts, link, nameOf, named, refreshing, time, type View } from "../kit.js";

interface Why {
  readonly user: string;
  readonly event: string;
  /** Null of an event that was erased. */
  readonly run: string | null;
  readonly kind: string;
  readonly at: number;
  readonly stage: string;
  readonly cause: string;
  readonly sentence: string;
  readonly advice: string;
  readonly evidence: readonly string[];
}

const SECONDS = 5;
const IDS = /\b(evt|run)_[0-9a-hjkmnp-tv-z]{26}\b|\bcrash ([0-9a-z]{8})\b/g;

/** How far it got, in words that promise nothing. */
const STAGES: Readonly<Record<string, string>> = {
  accepted: "kept by the server, sent to no tab", sent: "sent, and acknowledged by no tab", received: "received by a tab, and not reported as displayed",
  displayed: "displayed by a tab", confirmed: "confirmed by the user",
};

/** Where to do here what the advice says in commands. */
const PLACES: Readonly<Record<string, readonly [string, string]>> = {
  given_up: ["letters", "Settle it under Dead letters"], journal_trouble: ["", "See the alerts on the Overview"],
};

/** Of the user's page, which has the runs to cancel and the ban to lift. */
const OF_USER: ReadonlySet<string> = new Set(["silent_agent", "banned", "thrown_out"]);

export const why: View = {
  title: "Why did the user not see it?",
  async show(place) {
    const { root, parts, api, signal } = place;
    const subject = parts[0] ?? "";
    const answer = element("div", { class: "view", testid: "why" });
    const said = element("span", { class: "error", role: "alert" });
    const fresh = new FreshParts(answer);
    const look = async (): Promise<void> => {
      fresh.putAll(answerOf(await api.get<Why>(`why/${encodeURIComponent(subject)}`, signal)));
      said.textContent = "";
    };
    await refreshing(place, SECONDS, look);
    root.append(answer, element("p", {}, element("button", { type: "button", class: "quiet", testid: "look-again", onclick: () => void look().catch((error: unknown) => {
      if (!signal.aborted) said.textContent = error instanceof Error ? error.message : String(error);
    }) }, "Look again"), " ", said));
  },
};

function answerOf(why: Why): readonly HTMLElement[] {
  const facts: readonly (readonly [string, Child])[] = [
    ["User", link(why.user, "users", why.user)],
    ["Event", element("span", {}, nameOf(why.event), ", ", nameOf(why.kind))],
    ...(why.run === null ? [] : [["Run", link(why.run, "runs", why.run)] as const]),
    ["Accepted", time(why.at)],
    ["Delivery", STAGES[why.stage] ?? why.stage],
    ["Cause", element("code", {}, why.cause)],
  ];
  return [
    element("div", { class: "card answer" },
      element("p", { class: "sentence", testid: "sentence" }, ...linked(why.sentence)),
      why.advice ? element("p", { testid: "advice" }, ...linked(why.advice)) : null,
      placeFor(why)),
    element("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    element("section", { class: "part" }, element("h2", {}, "What shows it"),
      element("ul", { class: "evidence", testid: "evidence" }, ...why.evidence.map((line) => element("li", {}, ...linked(line))))),
  ];
}

function placeFor({ cause, user }: Why): HTMLElement | null {
  const place = PLACES[cause];
  if (place) return element("p", {}, link(place[1], place[0]));
  return OF_USER.has(cause) ? element("p", {}, link("Do it on the user's page", "users", user)) : null;
}

/** The text, with the ids that have a page of their own as links. */
function linked(text: string): readonly Child[] {
  const parts: Child[] = [];
  let end = 0;
  for (const found of text.matchAll(IDS)) {
    parts.push(named(text.slice(end, found.index)), placeOf(found));
    end = found.index + found[0].length;
  }
  return [...parts, named(text.slice(end))];
}

function placeOf([text, kind, crash]: RegExpMatchArray): HTMLElement {
  if (crash !== undefined) return element("a", { href: address("crashes", crash) }, text);
  return element("a", { href: address(kind === "run" ? "runs" : "why", text) }, text);
}
