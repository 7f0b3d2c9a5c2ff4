// The conversation on screen. Each event is drawn once, into its run's block; which events are really visible to the
// user is reported to `onShown`.

import type { GreenroomEvent, JSON, SentFile } from "greenroom";
import { Asked } from "./asked.js";
import { drawBubble, markRefused, markUnsent } from "./bubble.js";
import type { Delivery } from "./delivery.js";
import { element } from "./dom.js";
import { Eyes } from "./eyes.js";
import { type Drawn, RunView, type RunViewParts } from "./run_view.js";

const topOf = (shown: Element | null | undefined): number | null => shown?.getBoundingClientRect().top ?? null;

const OPEN_QUESTION = ".question[data-state=open]";

/** What the user said, with the files. */
export interface Spoken {
  readonly body: JSON;
  readonly files?: readonly SentFile[] | undefined;
}

export interface ConversationEvents {
  onShown(events: readonly GreenroomEvent[]): void;
  readonly delivery: Delivery;
  /** The user wants to say it again. */
  again(said: Spoken): void;
  /** To a question of an agent. */
  answer(ask: string, value: JSON): Promise<unknown>;
}

export class Conversation {
  readonly #root: HTMLElement;
  readonly #eyes: Eyes;
  readonly #asked = new Asked();
  readonly #parts: RunViewParts;
  readonly #runs = new Map<string, RunView>();
  readonly #drawn = new Set<number>();
  readonly #unsent = new Map<string, HTMLElement>();
  readonly #spoken = new Map<string, Spoken & { readonly bubble: HTMLElement }>(); // what was said, by run

  constructor(root: HTMLElement, { onShown, again, answer, delivery }: ConversationEvents) {
    this.#root = root;
    this.#eyes = new Eyes(onShown);
    this.#parts = {
      eyes: this.#eyes,
      delivery,
      answer,
      askAgain: (run) => {
        const spoken = this.#spoken.get(run);
        return spoken === undefined ? null : () => again({ body: spoken.body, files: spoken.files });
      },
      merged: (offsets) => { for (const offset of offsets) this.#drawn.add(offset); },
    };
  }

  get isEmpty(): boolean { return this.#root.childElementCount === 0; }

  /** The latest top-level run that has begun and not ended. */
  get going(): string | null { return this.#topLevel.findLast(({ hasEnded }) => !hasEnded)?.id ?? null; }

  /** Whether a question waits for its user. */
  get isAsking(): boolean { return this.#root.querySelector(OPEN_QUESTION) !== null; }

  /** What the latest report offers to ask next. */
  get questions(): readonly string[] { return this.#topLevel.findLast(({ questions }) => questions)?.questions ?? []; }

  get #topLevel(): RunView[] { return [...this.#runs.values()].filter(({ parent }) => !parent); }

  /** Where what is to be read begins, in px from the window's top: the agent's open question; what the user said, with the answer to it
   * no more than half a window below; or else that answer. Null while there is none. */
  get readingTop(): number | null {
    const last = this.#root.lastElementChild;
    const question = topOf(last?.querySelector(OPEN_QUESTION));
    if (question !== null) return question;
    const answer = topOf(last?.querySelector(":scope > .answer:not([hidden]), :scope > .reports > .report"));
    const said = topOf(last?.previousElementSibling?.closest(".you"));
    return said !== null && (answer ?? said) - said <= innerHeight / 2 ? said : answer;
  }

  clear(): void {
    this.#eyes.clear();
    this.#asked.clear();
    for (const each of [this.#runs, this.#drawn, this.#unsent, this.#spoken]) each.clear();
    this.#root.replaceChildren();
  }

  /** A message that the server has not answered yet. */
  addUnsent(say: string, { body, files }: Spoken): void {
    const bubble = drawBubble(body, files);
    markUnsent(bubble);
    this.#unsent.set(say, bubble);
    this.#root.append(bubble);
  }

  /** If it was taken after all, the event puts it right. */
  refuse(say: string, why: string): void {
    const bubble = this.#unsent.get(say);
    if (bubble) markRefused(bubble, why);
  }

  /** Draw an event, unless it is drawn already: history and the live stream overlap. */
  add(event: GreenroomEvent): boolean {
    if (event.kind === "superseded" || this.#drawn.has(event.offset)) return false;
    this.#drawn.add(event.offset);
    const { mark, seen } = event.kind === "user_said" ? this.#said(event) : this.#run(event).draw(event);
    const own = mark.dataset["offset"] === undefined ? mark : mark.appendChild(element("span", { hidden: true }));
    Object.assign(own.dataset, { testid: own.dataset["testid"] ?? "event", offset: event.offset, kind: event.kind });
    if (seen) this.#eyes.watch(seen, event);
    return true;
  }

  /** Leave nothing to be drawn later: where what stands below must not move. */
  drawNow(): void { for (const run of this.#runs.values()) run.drawNow(); }

  #said({ run, data: { body, say, files } }: GreenroomEvent<"user_said">): Drawn {
    this.#unsent.get(say)?.remove();
    this.#unsent.delete(say);
    const bubble = drawBubble(body, files), answer = this.#runs.get(run);
    this.#spoken.set(run, { body, files, bubble });
    if (answer) answer.block.before(bubble);
    else this.#root.append(bubble);
    if (answer) this.#asked.watch(bubble, answer);
    return { mark: bubble, seen: bubble };
  }

  #run(event: GreenroomEvent): RunView {
    const known = this.#runs.get(event.run);
    if (known) return known;
    const run = new RunView(event, this.#parts);
    const parent = run.parent && this.#runs.get(run.parent);
    if (parent) parent.addNested(run.block);
    else this.#root.append(run.block);
    this.#runs.set(event.run, run);
    const said = this.#spoken.get(event.run);
    if (said) this.#asked.watch(said.bubble, run);
    return run;
  }
}
