// The texts of one run as parts that begin, grow and end, as chat protocols have them. Pure.

import type { GreenroomEvent, Kind } from "../protocol/events.js";

/** `id` is the same each time the events of a run are read. */
export interface TextStep {
  readonly step: "begin" | "add" | "end";
  readonly as: "text" | "thought";
  readonly id: string;
  readonly text: string;
}

const ENDS_TEXT: ReadonlySet<Kind> = new Set([
  "agent_started", "tool_executing", "input_requested", "final_report", "agent_completed", "agent_failed",
]);

export class Texts {
  readonly #open = new Map<string, TextStep["as"]>();
  readonly #counts = new Map<string, number>();

  /** Whether the answer has any text. */
  get hasText(): boolean {
    return this.#counts.has("text");
  }

  /** The parts that are open, as they began. */
  get open(): TextStep[] {
    return [...this.#open].map(([id, as]) => step("begin", as, id));
  }

  take({ kind, data, offset }: GreenroomEvent): TextStep[] {
    if (kind === "partial_result") return this.#piece("text", "text", data.text);
    if (kind === "agent_thinking") return this.#thought(data, offset);
    return ENDS_TEXT.has(kind) ? this.end() : [];
  }

  /** End what is open; of one kind, if it is named. */
  end(as?: TextStep["as"]): TextStep[] {
    const ended = [...this.#open].filter(([, each]) => !as || each === as);
    for (const [id] of ended) this.#open.delete(id);
    return ended.map(([id, each]) => step("end", each, id));
  }

  /** A whole text that is no piece of another. */
  whole(as: TextStep["as"], id: string, text: string): TextStep[] {
    return [step("begin", as, id), step("add", as, id, text), step("end", as, id)];
  }

  #thought({ text, thought, index }: GreenroomEvent<"agent_thinking">["data"], offset: number): TextStep[] {
    if (thought === undefined || index === undefined) return this.whole("thought", `thinking-${offset}`, text);
    return this.#piece("thought", `thought-${thought}`, text);
  }

  /** The next piece of the part `name`. Where that had ended, the piece begins another part. */
  #piece(as: TextStep["as"], name: string, text: string): TextStep[] {
    const count = this.#counts.get(name) ?? 0;
    const open = `${name}-${count - 1}`;
    if (this.#open.has(open)) return [step("add", as, open, text)];
    const id = `${name}-${count}`;
    const ended = count && as === "thought" ? [] : this.end(as === "text" ? "thought" : undefined);
    this.#counts.set(name, count + 1);
    this.#open.set(id, as);
    return [...ended, step("begin", as, id), step("add", as, id, text)];
  }
}

const step = (does: TextStep["step"], as: TextStep["as"], id: string, text = ""): TextStep => ({ step: does, as, id, text });
