// What the machine cannot know by itself; tests give their own.

export interface Env {
  /** Milliseconds on a clock that only goes forward. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  date(): number;
  /** From 0 to 1. */
  random(): number;
  id(): string;
}
