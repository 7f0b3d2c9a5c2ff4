// A sequence diagram as SVG: time runs down; the agent, the journal and each session have a line. Every mark has a shape of its
// own, so that none depends on colour: a ring is sent, a dot received, a square displayed, a tick confirmed.

import { named } from "../kit.js";
import { clock, FROM_USER, type Moment, sessionsOf, type Sight, tailOf, timesSent, titleOf } from "./run_story.js";

const NS = "http://www.w3.org/2000/svg";
const ROW = 30, HEAD = 34, INDENT = 8;
const MOST_SESSIONS = 12, MOST_INDENTS = 6;

/** Where the lines are, and the characters of a title. */
interface Lanes {
  readonly agent: number;
  readonly journal: number;
  readonly apart: number;
  readonly title: number;
}

const WIDE: Lanes = { agent: 88, journal: 268, apart: 92, title: 26 }, NARROW: Lanes = { agent: 58, journal: 188, apart: 64, title: 18 };
const PHONE = matchMedia("(max-width: 40rem)");

function node(name: string, attributes: Readonly<Record<string, string | number>>, text?: string): SVGElement {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

const label = (text: string, x: number, y: number, kind: string): SVGElement => node("text", { x, y, class: kind }, text);

export class Sequence {
  readonly root: HTMLElement;
  private readonly steps: readonly SVGElement[];
  private readonly lanes = PHONE.matches ? NARROW : WIDE;

  constructor(moments: readonly Moment[], private readonly chosen: (step: number) => void) {
    const sessions = sessionsOf(moments).slice(0, MOST_SESSIONS);
    const width = this.laneOf(Math.max(1, sessions.length)) + 36, height = moments.length * ROW + 8;
    const head = canvas(width, HEAD, "lanes"), body = canvas(width, height, "steps");
    const lines = [this.lanes.agent, ...sessions.map((_, index) => this.laneOf(index + 1)), this.lanes.journal];
    head.append(label("agent", this.lanes.agent, 22, "head"), label("journal", this.lanes.journal, 22, "head"),
      ...sessions.map((session, index) => label(named(tailOf(session)), this.laneOf(index + 1), 22, "head id")));
    body.append(...lines.map((x) => node("line", { class: "lane", x1: x, x2: x, y1: 0, y2: height })));
    this.steps = moments.map((moment, step) => this.step(moment, step, sessions, width));
    body.append(...this.steps);
    this.root = document.createElement("div");
    this.root.className = "sequence";
    this.root.dataset["testid"] = "sequence";
    this.root.append(head, body);
  }

  /** Light this step; those after it have not happened yet. */
  show(step: number): void {
    this.steps.forEach((each, index) => each.setAttribute("class", `step${index > step ? " later" : index === step ? " now" : ""}`));
    const lit = this.steps[step]?.querySelector(".hit")?.getBoundingClientRect(), box = this.root.getBoundingClientRect();
    if (!lit) return;
    if (lit.top < box.top + HEAD) this.root.scrollTop += lit.top - box.top - HEAD;
    else if (lit.bottom > box.bottom) this.root.scrollTop += lit.bottom - box.bottom;
  }

  private laneOf(session: number): number {
    return this.lanes.journal + this.lanes.apart * session;
  }

  private step(moment: Moment, step: number, sessions: readonly string[], width: number): SVGElement {
    const y = step * ROW + ROW - 10, { agent, journal } = this.lanes, group = node("g", { class: "step" });
    group.append(node("rect", { class: "hit", x: 0, y: step * ROW + 1, width, height: ROW - 2, rx: 4 }),
      label(clock(moment.since), agent - 10, y + 4, "clock"), ...this.accepted(moment, y));
    sessions.forEach((session, index) => {
      const sight = moment.sessions.find((each) => each.session === session);
      if (sight) group.append(...this.delivery(moment, sight, this.laneOf(index + 1), y));
    });
    group.append(moment.given_up ? node("path", { class: "bad", d: `M${journal - 5} ${y - 5}l10 10m0 -10l-10 10` }) : node("circle", { class: "kept", cx: journal, cy: y, r: 3 }));
    group.addEventListener("click", () => this.chosen(step));
    return group;
  }

  /** The arrow into the journal, from the agent or from the user's side, and what came. */
  private accepted(moment: Moment, y: number): readonly SVGElement[] {
    const { agent, journal, title } = this.lanes, from = agent + INDENT * Math.min(moment.depth, MOST_INDENTS);
    const words = named(titleOf(moment)), cut = words.length > title ? `${words.slice(0, title - 1)}…` : words;
    const way = isOfUser(moment) ? `M${journal + 30} ${y}H${journal + 6}m5 -4l-5 4l5 4` : `M${from} ${y}H${journal - 6}m-5 -4l5 4l-5 4`;
    return [node("path", { class: "arrow", d: way }), label(cut, from + 8, y - 5, "title")];
  }

  /** From the journal to a session: dashed until something comes back. */
  private delivery(moment: Moment, { session, stage }: Sight, x: number, y: number): readonly SVGElement[] {
    const sent = timesSent(moment, session), from = this.lanes.journal + (isOfUser(moment) ? 36 : 6);
    const parts = [node("path", { class: stage === "sent" ? "arrow unsure" : "arrow", d: `M${from} ${y}H${x - 7}` }), mark(stage, x, y)];
    if (sent > 1) parts.push(label(`×${sent}`, x - 10, y - 5, "again"));
    return parts;
  }
}

const isOfUser = ({ event }: Moment): boolean => FROM_USER.has(event.kind);

function canvas(width: number, height: number, kind: string): SVGElement {
  return node("svg", { class: kind, width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
}

function mark(stage: Sight["stage"], x: number, y: number): SVGElement {
  if (stage === "confirmed") return node("path", { class: "mark confirmed", d: `M${x - 5} ${y}l4 4l7 -8` });
  if (stage === "displayed") return node("rect", { class: "mark displayed", x: x - 4.5, y: y - 4.5, width: 9, height: 9 });
  return node("circle", { class: `mark ${stage}`, cx: x, cy: y, r: 4 });
}
