// The shipped alert rules, as this server judges them.

import { duration, element, put } from "./kit.js";

export interface Alert {
  readonly name: string;
  readonly severity: "critical" | "warning";
  readonly state: "firing" | "pending" | "true" | "quiet" | "unknown";
  readonly says: readonly string[];
  readonly advice: string;
  /** Seconds for which it must be true before it fires. */
  readonly hold: number;
}

const STATES: Readonly<Record<Alert["state"], string>> = {
  firing: "fires", pending: "true, and not for long enough to fire", true: "true now; since when is not kept", quiet: "quiet", unknown: "cannot be judged here",
};
const LOUD: readonly Alert["state"][] = ["firing", "true", "pending"];

export class Alerts {
  readonly element: HTMLElement;
  private readonly sum = element("p", { role: "status", testid: "alerts-sum" });
  private readonly loud = element("ul", { class: "alerts", testid: "alerts" });
  private readonly rows = element("tbody");
  private shown = "";

  constructor() {
    const head = ["Rule", "Severity", "Waits", "State"].map((name) => element("th", { scope: "col" }, name));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), this.rows);
    this.element = element("section", { class: "card", "aria-labelledby": "alerts-title" },
      element("h2", { id: "alerts-title" }, "Alerts"), this.sum, this.loud,
      element("details", { class: "numbers" }, element("summary", {}, "All rules"),
        element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All rules" }, table)));
  }

  show(alerts: readonly Alert[]): void {
    const seen = JSON.stringify(alerts.map(({ name, state, says }) => [name, state, says]));
    if (seen === this.shown) return;
    this.shown = seen;
    const loud = LOUD.flatMap((state) => alerts.filter((each) => each.state === state));
    const unknown = alerts.filter(({ state }) => state === "unknown").length;
    const firing = loud.filter(({ state }) => state !== "pending").length;
    put(this.sum, `${firing ? `${firing} of ${alerts.length} rules ${firing === 1 ? "is" : "are"} true` : `None of ${alerts.length} rules fires`}; ${unknown} cannot be judged by this server alone.`);
    this.loud.replaceChildren(...loud.map(item));
    this.rows.replaceChildren(...alerts.map(row));
  }
}

const item = ({ name, severity, state, says, advice }: Alert): HTMLElement =>
  element("li", { class: `alert ${state === "pending" ? "pending" : severity}`, "data-alert": name },
    ...says.map((sentence) => element("p", {}, element("strong", {}, sentence))),
    element("p", {}, advice),
    element("p", { class: "soft" }, element("code", {}, name), ` · ${severity} · ${STATES[state]}`));

const row = ({ name, severity, state, says, hold }: Alert): HTMLElement =>
  element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, severity), element("td", {}, hold ? duration(hold) : "–"),
    element("td", {}, state === "unknown" ? `${STATES.unknown}: ${says.join(" ")}` : STATES[state]));
