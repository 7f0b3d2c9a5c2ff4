// A run as a sequence diagram that can be played, a page of its events at a time.

import { address, type Child, duration, element, link, named, nameOf, number, type Place, put, textBlock, time, type View } from "../kit.js";
import { tableOf } from "./columns.js";
import { Player } from "./player.js";
import { clock, type Moment, type RunPage, type Sight, tailOf, textOf, timesSent, titleOf } from "./run_story.js";
import { Sequence } from "./sequence.js";

const LEGEND = "A ring: sent. A dot: received. A square: displayed. A tick: confirmed. A cross in the journal's line: given up. ×3: sent three times.";
const EMPTY_PAGES = 50; // pages without an event of the run that are passed over at once

export const runs: View = {
  title: "Run",
  async show(place) {
    await new RunView(place, place.parts[0] ?? "").open();
  },
};

class RunView {
  private readonly head = element("div", { class: "card headline", testid: "headline" });
  private readonly stage = element("div", { class: "view" });
  private readonly back = element("button", { type: "button", class: "quiet", testid: "earlier", onclick: () => void this.turn(-1) }, "Earlier events");
  private readonly next = element("button", { type: "button", class: "quiet", testid: "later", onclick: () => void this.turn(1) }, "Later events");
  private readonly said = element("p", { class: "error said", role: "status" });
  private readonly texts = element("input", { type: "checkbox", testid: "texts", onchange: () => void this.again() });
  /** Where this page and those before it begin, and the number of its first event. */
  private readonly starts: { readonly after: number | null; readonly number: number }[] = [{ after: null, number: 1 }];
  private page: RunPage | null = null;
  private playing = new AbortController();

  constructor(private readonly place: Place, private readonly run: string) {
    place.signal.addEventListener("abort", () => this.playing.abort());
  }

  /** Rejects, and shows nothing, for a run that is not there. */
  async open(): Promise<void> {
    const { place } = this;
    await this.look();
    place.root.append(this.head, element("div", { class: "row" }, this.back, this.next,
      place.role === "act" ? element("label", { class: "check" }, this.texts, "Show what events say") : null,
      element("button", { type: "button", class: "quiet", testid: "look-again", onclick: () => void this.again() }, "Look again")), this.said, this.stage);
  }

  async look(): Promise<void> {
    const page = await this.pageFrom(this.starts.at(-1)?.after ?? null);
    this.page = page;
    this.head.replaceChildren(...headOf(page));
    this.back.disabled = this.starts.length === 1;
    this.next.disabled = page.after === null;
    this.playing.abort();
    this.playing = new AbortController();
    this.stage.replaceChildren(...this.staged(page));
  }

  /** The page after this offset. The user's other runs may fill whole pages. */
  private async pageFrom(after: number | null): Promise<RunPage> {
    for (let passed = 0; ; passed++) {
      const query = new URLSearchParams();
      if (after !== null) query.set("after", String(after));
      if (this.texts.checked) query.set("texts", "yes");
      const page = await this.place.api.get<RunPage>(`runs/${encodeURIComponent(this.run)}?${query}`, this.place.signal);
      if (page.moments.length || page.after === null || passed >= EMPTY_PAGES) return page;
      after = page.after;
    }
  }

  private async turn(by: 1 | -1): Promise<void> {
    if (by < 0) this.starts.pop();
    else this.starts.push({ after: this.page?.after ?? null, number: (this.starts.at(-1)?.number ?? 1) + (this.page?.moments.length ?? 0) });
    await this.again();
  }

  private async again(): Promise<void> {
    put(this.said, "");
    try {
      await this.look();
    } catch (error) {
      if (!this.place.signal.aborted) put(this.said, error instanceof Error ? error.message : String(error));
    }
  }

  private staged(page: RunPage): readonly Node[] {
    const { moments } = page;
    if (!moments.length) return [element("p", { class: "soft" }, "There is no event of the run here.")];
    const details = element("div", { class: "card details", testid: "details", role: "region", "aria-label": "The event" });
    const sequence = new Sequence(moments, (step) => player.choose(step));
    const show = (step: number): void => {
      const moment = moments[step];
      if (!moment) return;
      sequence.show(step);
      details.replaceChildren(...detailsOf(moment, page));
    };
    const words = (step: number): string => moments.slice(step, step + 1).map((each) => `${titleOf(each)}, ${clock(each.since)} s, ${each.stage}`).join("");
    const player = new Player({ count: moments.length, since: (step) => moments[step]?.since ?? 0, words, show }, this.playing.signal);
    sequence.root.tabIndex = 0;
    sequence.root.setAttribute("role", "group");
    sequence.root.setAttribute("aria-label", "Sequence diagram. The slider goes through its events, whose details stand below.");
    const first = this.starts.at(-1)?.number ?? 1;
    requestAnimationFrame(() => player.choose(page.goes_on || page.after !== null ? 0 : moments.length - 1));
    return [element("p", { class: "soft" }, `Events ${number(first)} to ${number(first + moments.length - 1)}${page.after === null ? ", the last" : ""}. ${LEGEND}`),
      player.root, element("div", { class: "stage" }, sequence.root, details)];
  }
}

function headOf(page: RunPage): readonly Node[] {
  const ended = page.ending === null ? (page.goes_on ? "goes on" : "has ended, later than here") : `${page.ending} after ${duration(((page.ended ?? page.began) - page.began) / 1_000)}`;
  return [
    element("p", { class: "user" }, nameOf(page.run)),
    element("p", {}, page.agent === null ? "no agent yet" : nameOf(page.agent), " for ", link(page.user, "users", page.user), ", in ", nameOf(page.thread),
      ...(page.parent === null ? [] : [", a sub-run of ", link(page.parent, "runs", page.parent)])),
    element("p", { class: "soft" }, "Began ", time(page.began), `; ${ended}.`),
    element("p", {}, element("a", { href: address("why", page.run) }, "Why did the user not see it?")),
  ];
}

function detailsOf(moment: Moment, page: RunPage): readonly Node[] {
  const { event } = moment;
  const facts: readonly (readonly [string, Child])[] = [
    ["Event", element("a", { href: address("why", event.id) }, nameOf(event.id))],
    ["Accepted", element("span", {}, `${clock(moment.since)} s, `, time(event.at), `, as event ${event.offset}`)],
    ["Size", `${number(moment.bytes)} bytes`],
    ...(moment.took === null ? [] : [["Took", duration(moment.took / 1_000)] as const]),
    ...(event.run === page.run ? [] : [["Sub-run", link(event.run, "runs", event.run)] as const]),
    ["Got as far as", moment.stage],
    ...(moment.outcome === null ? [] : [["Outcome", moment.outcome] as const]),
    ...(moment.given_up === null ? [] : [["Given up", element("span", { class: "error" }, time(moment.given_up.at), `: ${moment.given_up.why}`)] as const]),
  ];
  return [
    element("h2", {}, nameOf(titleOf(moment))),
    element("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    moment.sessions.length ? sightsOf(moment, page) : element("p", { class: "soft" }, "Not sent to any session yet."),
    ...said(moment),
  ];
}

function sightsOf(moment: Moment, page: RunPage): HTMLElement {
  const at = (ms: number | null): Child => (ms === null ? null : `${clock(Math.max(0, ms - page.began))} s`);
  return tableOf<Sight>("Sessions", [
    { title: "Session", of: ({ session }) => element("code", { title: named(session) }, named(tailOf(session))) },
    { title: "Sent", is: "num", of: ({ session }) => `${timesSent(moment, session)} ×` },
    { title: "Received by", is: "num", of: ({ received_by }) => at(received_by) },
    { title: "Displayed", is: "num", of: ({ displayed_at }) => at(displayed_at) },
    { title: "Confirmed", is: "num", of: ({ confirmed_at }) => at(confirmed_at) },
    { title: "Verdict", of: ({ verdict, note }) => [verdict, note].filter((each) => each !== null && each !== undefined).map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join(": ") || null },
  ], moment.sessions);
}

/** What it says, if that was asked for. */
function said({ event }: Moment): readonly Node[] {
  if (event.kind === "superseded") return [element("p", { class: "soft" }, "Forgotten or erased: only its place is left.")];
  return event.data === undefined ? [] : [textBlock(textOf(event.data))];
}
