// An answer that streams in: pieces of one text, drawn as Markdown. Blocks that are whole stay as they are; only the end is drawn again.

import { type GreenroomEvent, offsetsOf } from "greenroom";
import { element } from "./dom.js";
import type { Eyes } from "./eyes.js";
import { blocksOf, drawBlock } from "./markdown.js";

const EVERY_MS = 40; // pieces that come together are drawn together

interface Piece {
  readonly event: GreenroomEvent<"partial_result">;
  readonly mark: HTMLElement;
  /** Where it ends in the text. */
  readonly end: number;
}

interface Block {
  readonly start: number;
  readonly end: number;
  readonly drawn: HTMLElement;
}

export class AnswerView {
  readonly block = element("div", { class: "prose answer", testid: "answer", hidden: true });
  readonly #eyes: Eyes;
  readonly #marks = element("div", { hidden: true });
  #pieces: Piece[] = [];
  #blocks: Block[] = [];
  #drawnTo = 0; // of the text
  #timer: ReturnType<typeof setTimeout> | undefined;
  text = "";

  constructor(eyes: Eyes) {
    this.#eyes = eyes;
    this.block.append(this.#marks);
  }

  /** A slow connection gets several pieces merged into one; history may have brought some of them already. Returns its mark. */
  add(event: GreenroomEvent<"partial_result">): HTMLElement {
    this.block.hidden = false;
    this.#forget(new Set(offsetsOf(event)));
    this.text += event.data.text;
    const mark = this.#marks.appendChild(element("span"));
    this.#pieces.push({ event, mark, end: this.text.length });
    this.#timer ??= setTimeout(() => this.draw(), EVERY_MS);
    return mark;
  }

  #forget(offsets: ReadonlySet<number>): void {
    const kept = this.#pieces.filter(({ event }) => !offsets.has(event.offset));
    if (kept.length === this.#pieces.length) return;
    for (const { event, mark } of this.#pieces) if (offsets.has(event.offset)) mark.remove();
    for (const { drawn } of this.#blocks) this.#drop(drawn);
    [this.text, this.#blocks, this.#pieces, this.#drawnTo] = ["", [], [], 0];
    for (const { event, mark } of kept) {
      this.text += event.data.text;
      this.#pieces.push({ event, mark, end: this.text.length });
    }
  }

  draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#drawnTo === this.text.length) return;
    const last = this.#blocks.pop(); // more text may change it
    if (last) this.#drop(last.drawn);
    const start = last?.start ?? 0;
    this.#drawFrom(start);
    this.#drawnTo = this.text.length;
    for (const { event, end } of this.#pieces) if (end > start) this.#eyes.watch(this.#at(end), event);
  }

  #drawFrom(start: number): void {
    let at = start;
    for (const token of blocksOf(this.text.slice(start))) {
      const drawn = drawBlock(token);
      const end = at + token.raw.length;
      if (drawn) {
        this.#marks.before(drawn);
        this.#blocks.push({ start: at, end, drawn });
      }
      at = end;
    }
  }

  /** The block in which a piece ends, or the last one. */
  #at(end: number): HTMLElement {
    return (this.#blocks.find((block) => end <= block.end) ?? this.#blocks.at(-1))?.drawn ?? this.block;
  }

  #drop(drawn: HTMLElement): void {
    this.#eyes.forget(drawn);
    drawn.remove();
  }
}
