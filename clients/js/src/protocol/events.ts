// What a server says to the user: docs/protocol.md, "An event".

export type JSON = null | boolean | number | string | readonly JSON[] | { readonly [key: string]: JSON };

/** Counts under names of the agent's own, such as `input_tokens`. */
export type Usage = Readonly<Record<string, number>>;

/** What each kind of event carries in `data`. */
export interface EventData {
  agent_started: { agent: string; input?: JSON; attempt?: number };
  agent_thinking: { text: string; thought?: number; index?: number; merges?: readonly number[] };
  partial_result: { text: string; index: number; merges?: readonly number[] };
  tool_executing: { tool_call: string; tool_name: string; arguments?: JSON };
  tool_completed: {
    tool_call: string;
    tool_name: string;
    result?: JSON;
    error?: string;
    reference?: string;
    duration_ms: number;
  };
  input_requested: { ask: string; prompt: string; options?: readonly JSON[]; schema?: JSON; expires?: number };
  input_answered: { ask: string; value: JSON; session: string };
  input_closed: { ask: string; reason: "expired" | "withdrawn" };
  final_report: { report: JSON };
  agent_completed: { outcome: "ok" | "cancelled"; usage?: Usage };
  agent_failed: { error: string; message: string; reason: "crash" | "timeout" | "lost"; reference: string };
  user_said: { body: JSON; say: string; files?: readonly { file: string; name: string; media: string; size: number }[] };
  superseded: { through: number };
}

export type Kind = keyof EventData;

interface EventOf<K extends Kind> {
  readonly kind: K;
  readonly data: Readonly<EventData[K]>;
  /** Per user, from 1, ascending. */
  readonly offset: number;
  readonly id: string;
  readonly class: "critical" | "progress";
  readonly thread: string;
  readonly run: string;
  /** The enclosing run of a sub-agent's run. */
  readonly parent?: string | null;
  readonly request: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

/** An event; of these kinds, if any are named. `switch (event.kind)` tells the type of `event.data`. */
export type GreenroomEvent<K extends Kind = Kind> = { [P in K]: EventOf<P> }[K];

/** The offsets of the events that one event stands for, its own the last. */
export function offsetsOf({ offset, data }: GreenroomEvent): readonly number[] {
  return "merges" in data && data.merges ? [...data.merges, offset] : [offset];
}
