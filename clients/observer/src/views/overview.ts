// What the server does now, what it did in the last hour, and which alerts fire.

import { type Alert, Alerts } from "../alerts.js";
import { type Measure, TimeChart } from "../chart.js";
import { duration, element, link, number, type Place, put, refreshing, type View } from "../kit.js";

interface Gauge {
  readonly labels: readonly string[];
  readonly value: number;
}

type Values = readonly (number | null)[];
type Named<T> = Readonly<Record<string, T>>;

interface Overview {
  readonly at: number;
  readonly every: number;
  readonly now: Named<readonly Gauge[]>;
  readonly so_far: Named<number>;
  readonly fullest: readonly { readonly path: string; readonly waiting: number }[];
  readonly alerts: readonly Alert[];
  readonly hour: { readonly rates: Named<Values>; readonly levels: Named<Values>; readonly p50: Named<Values>; readonly p99: Named<Values>; readonly lag: Values };
}

const SECONDS = 5; // between two looks; the points of the hour are ten apart
const RATE: Measure = { unit: "per second", format: number };
const TIME: Measure = { unit: "time since acceptance", format: duration };
const LATE: Measure = { unit: "how late timers ring", format: duration };
const COUNT: Measure = { unit: "at a time", format: number };

/** Each chart: its title, its measure, and its lines. */
const CHARTS: readonly (readonly [string, Measure, (hour: Overview["hour"]) => Named<Values | undefined>])[] = [
  ["Events", RATE, ({ rates }) => ({ accepted: rates["accepted"], received: rates["received"], displayed: rates["displayed"] })],
  ["To received", TIME, ({ p50, p99 }) => ({ p50: p50["received_seconds"], p99: p99["received_seconds"] })],
  ["To displayed", TIME, ({ p50, p99 }) => ({ p50: p50["displayed_seconds"], p99: p99["displayed_seconds"] })],
  ["Connections and runs", COUNT, ({ levels }) => ({ ready: levels["ready"], runs: levels["runs"], "breakers open": levels["breakers_open"] })],
  ["Redeliveries", RATE, ({ rates }) => ({ "sent again": rates["retried"], "given up": rates["given_up"] })],
  ["Event loop", LATE, ({ lag }) => ({ latest: lag })],
];

/** The view that shows more of a tile. */
const LINKED: Named<string> = { Users: "users", Crashes: "crashes", "Dead letters": "letters", "Deepest mailbox": "tree" };

export const overview: View = { title: "Overview", show: (place) => new Shown(place).begin() };

class Shown {
  private readonly numbers = new Map<string, HTMLElement>();
  private readonly tiles = element("dl", { class: "tiles", testid: "tiles" });
  private readonly alerts = new Alerts();
  private readonly fullest = element("ul", { class: "plain", testid: "fullest" });
  private readonly charts = CHARTS.map(([title, measure]) => new TimeChart(title, measure));

  constructor(private readonly place: Place) {}

  begin(): Promise<void> {
    return refreshing(this.place, SECONDS, async () => {
      const seen = await this.place.api.get<Overview>("overview", this.place.signal);
      if (!this.place.signal.aborted) this.show(seen);
    });
  }

  private show(seen: Overview): void {
    for (const [name, value, more] of tilesOf(seen)) this.tile(name, value, more);
    this.alerts.show(seen.alerts);
    this.showFullest(seen);
    CHARTS.forEach(([, , linesOf], index) => {
      const lines = Object.entries(linesOf(seen.hour)).map(([name, values = []]) => ({ name, values }));
      this.charts[index]?.show(lines, seen.every, seen.at);
    });
    if (!this.tiles.isConnected)
      this.place.root.append(this.alerts.element, this.tiles,
        element("div", { class: "charts" }, ...this.charts.map((chart) => chart.element)),
        element("section", { class: "card" }, element("h2", {}, "Fullest mailboxes"), this.fullest));
  }

  private tile(name: string, value: string, more: string): void {
    const made = this.numbers.get(name) ?? element("dd", {}, element("span", { class: "value" }), element("span", { class: "soft" }));
    if (!this.numbers.has(name)) this.tiles.append(element("div", { "data-tile": name }, element("dt", {}, name in LINKED ? link(name, LINKED[name] ?? "") : name), made));
    this.numbers.set(name, made);
    if (made.children[0] && made.children[1]) [put(made.children[0], value), put(made.children[1], more)];
  }

  private showFullest({ fullest }: Overview): void {
    const key = JSON.stringify(fullest);
    if (this.fullest.dataset["shown"] === key || this.fullest.contains(document.activeElement)) return;
    this.fullest.dataset["shown"] = key;
    this.fullest.replaceChildren(...fullest.map(({ path, waiting }) => element("li", {}, link(path, "tree", path), ` ${number(waiting)} waiting`)));
    if (!fullest.length) this.fullest.append(element("li", { class: "soft" }, "All mailboxes are empty."));
  }
}

function tilesOf({ now, so_far, hour, fullest, every }: Overview): readonly (readonly [string, string, string])[] {
  const all = (name: string): number => (now[name] ?? []).reduce((sum, { value }) => sum + value, 0);
  const of = (name: string, label: string): number => (now[name] ?? []).find(({ labels }) => labels[0] === label)?.value ?? 0;
  const last = (values: Values | undefined): number | null => values?.at(-1) ?? null;
  const known = (values: Values | undefined): number | null => values?.findLast((value) => value !== null) ?? null;
  const inHour = (name: string): string => `${number((hour.rates[name] ?? []).reduce<number>((sum, value) => sum + (value ?? 0) * every, 0))} in the last hour`;
  const phases = (now["connections"] ?? []).filter(({ labels, value }) => value && labels[0] !== "ready").map(({ labels, value }) => `${number(value)} ${labels[0]?.replaceAll("_", " ")}`);
  const rate = (name: string): string => (last(hour.rates[name]) === null ? "–" : `${number(last(hour.rates[name]) ?? 0)}/s`);
  const time = (value: number | null): string => (value === null ? "–" : duration(value));
  return [
    ["Users", number(all("users_active")), "with a subtree"],
    ["Connections", number(of("connections", "ready")), ["ready", ...phases].join(", ")],
    ["Runs", number(all("runs_live")), `${number(so_far["runs_ended"] ?? 0)} ended since the start`],
    ["Events", rate("accepted"), `${rate("received")} received, ${number(all("backlog_events"))} on their way`],
    ["To received", time(known(hour.p50["received_seconds"])), `p99 ${time(known(hour.p99["received_seconds"]))}`],
    ["To displayed", time(known(hour.p50["displayed_seconds"])), `p99 ${time(known(hour.p99["displayed_seconds"]))}`],
    ["Redeliveries", rate("retried"), inHour("retried")],
    ["Breakers open", number(of("breakers", "open")), `${number(of("breakers", "half_open"))} half open`],
    ["Dead letters", number(so_far["dead_letters"] ?? 0), "since the start"],
    ["Crashes", number(so_far["crashes"] ?? 0), `${number(all("restarts"))} restarts since the start`],
    ["Deepest mailbox", number(fullest[0]?.waiting ?? 0), `${number(all("mailbox_messages"))} messages wait in all`],
    ["Lag", time(last(hour.lag)), "of the latest timer"],
  ];
}
