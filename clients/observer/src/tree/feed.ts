// Follows a window on the tree: by an event stream, or by asking again where there is none.

import { adminUrl, ApiError, isRefused, Patience, type Place } from "../kit.js";
import { type Change, changed, type Query, queryOf, type Whole } from "./rows.js";

const ASK_AGAIN = 2_000; // ms

export interface Watcher {
  show(window: Whole): void;
  /** Null once there is none. */
  trouble(error: unknown): void;
}

export class Feed {
  private stream: EventSource | null = null;
  private window: Whole | null = null;
  private timer = 0;
  private isOver = false;
  private readonly patience = new Patience(ASK_AGAIN);
  private asked = "";

  constructor(private readonly place: Place, private readonly watcher: Watcher) {
    place.signal.addEventListener("abort", () => this.stop());
    document.addEventListener("visibilitychange", () => this.resume(), { signal: place.signal });
  }

  /** Follow this window and no other. */
  follow(query: Query): void {
    const asked = queryOf(query);
    if (asked === this.asked) return;
    this.asked = asked;
    this.begin();
  }

  private begin(): void {
    this.stop();
    if (this.place.signal.aborted || this.isOver) return;
    const stream = (this.stream = new EventSource(adminUrl(`nodes/changes?${this.asked}`)));
    stream.addEventListener("window", (event) => this.set(JSON.parse(event.data) as Whole));
    stream.addEventListener("change", (event) => {
      if (this.window) this.set(changed(this.window, JSON.parse(event.data) as Change));
    });
    stream.addEventListener("end", () => this.askInstead());
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) this.askInstead();
      else this.watcher.trouble(new ApiError(0, "The server does not answer."));
    });
  }

  private stop(): void {
    this.stream?.close();
    this.stream = null;
    clearTimeout(this.timer);
  }

  /** A hidden page follows nothing. */
  private resume(): void {
    if (document.hidden) this.stop();
    else if (this.asked) this.begin();
  }

  private set(window: Whole): void {
    this.window = window;
    this.patience.succeed();
    this.watcher.trouble(null);
    this.watcher.show(window);
  }

  /** The stream was refused, or has ended. */
  private askInstead(): void {
    this.stop();
    void this.ask(this.asked);
  }

  private async ask(asked: string): Promise<void> {
    try {
      const window = await this.place.api.get<Whole>(`nodes?${asked}`, this.place.signal);
      if (asked === this.asked) this.set(window);
    } catch (error) {
      this.fail(error);
    }
    if (asked === this.asked && !this.isOver && !document.hidden && !this.place.signal.aborted) this.timer = setTimeout(() => void this.ask(asked), this.patience.wait);
  }

  private fail(error: unknown): void {
    if (this.place.signal.aborted) return;
    this.patience.fail();
    this.isOver = isRefused(error);
    this.watcher.trouble(error);
  }
}
