// The client keeps the protocol, as every client of greenroom.v1 does: tests/protocol/vectors has the frames.

import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connect, eventLog, type GreenroomEvent, type JSON as Json, type SentFile, type UploadOptions } from "../src/index.js";
import "../src/upload.js"; // its import takes real time, and the tests have none
import { type Frame, FakeServer, FakeStore } from "./fake_server.js";

const FOLDER = new URL("../../../tests/protocol/vectors/", import.meta.url);
const OURS = ["client", "browser"];

interface Vector { claim: string; of: string[]; steps: Record<string, never>[] }

const vectors = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => ({ name, ...(JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Vector) }))
  .filter(({ of }) => of.some((each) => OURS.includes(each)));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("greenroom.v1", () => {
  it.each(vectors)("$name: $claim", async ({ steps }) => {
    const player = new Player();
    for (const step of steps) await player.play(step);
    player.client.close();
  });
});

class Player {
  readonly server = new FakeServer();
  readonly resets: unknown[] = [];
  readonly results = new Map<string, unknown>();
  events: GreenroomEvent[] = [];
  seen = new Map<number, GreenroomEvent>();
  nextId = "";
  socket = 0;
  client = connect({
    url: "ws://greenroom.test/live",
    getToken: async () => "token",
    WebSocket: this.server.WebSocket,
    store: new FakeStore(),
    random: () => 0.5,
    newId: () => this.nextId,
  });

  constructor() {
    eventLog(this.client);
    this.client.on("reset", (reset) => this.resets.push(reset));
    this.client.on("events", (events) => {
      this.events.push(...events);
      for (const event of events) this.seen.set(event.offset, event);
    });
  }

  async play(step: Record<string, never>): Promise<void> {
    const [name, value] = Object.entries(step)[0] as [keyof this & string, never];
    await vi.advanceTimersByTimeAsync(0);
    await (this[`step_${name}` as keyof this] as (value: never) => unknown)(value);
    await vi.advanceTimersByTimeAsync(0);
  }

  async step_connect(): Promise<void> {
    await until(() => this.server.sockets.length > this.socket);
    this.socket += 1;
    this.server.last.accept();
  }

  async step_client(expected: Frame): Promise<void> {
    let frame: Frame | undefined;
    await until(() => (frame = this.server.last.take(expected.type)) !== undefined);
    expect(compared(frame as Frame)).toMatchObject(present(expected));
    for (const [field, value] of Object.entries(expected)) if (value === null) expect((frame as Frame)[field]).toBeUndefined();
  }

  step_server(frame: Frame): void {
    this.server.last.say(frame);
  }

  step_close({ code, reason }: { code: number; reason: string }): void {
    this.server.last.end(code, reason);
  }

  step_cut(): void {
    this.server.last.end(1006);
  }

  async step_leaves(): Promise<void> {
    await until(() => this.server.sockets[this.socket - 1]?.readyState === 3);
  }

  step_state(state: string): void {
    expect(this.client.state).toBe(state);
  }

  step_events(expected: object[]): void {
    expect(this.events).toMatchObject(expected);
    this.events = [];
  }

  step_reset(expected: object): void {
    expect(this.resets.shift()).toMatchObject(expected);
  }

  step_asks(expected: string[]): void {
    expect(this.client.asks.map(({ data }) => data.ask)).toEqual(expected);
  }

  step_assembled({ run, ...expected }: { run: string }): void {
    expect(eventLog(this.client).run(run).state).toMatchObject(expected);
  }

  step_never(type: string): void {
    expect(this.server.last.take(type)).toBeUndefined();
  }

  step_displayed(offsets: number[]): void {
    this.client.displayed(...offsets.map((offset) => this.seen.get(offset) as GreenroomEvent));
  }

  async step_wait(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  step_call(request: Frame & { id: string }): void {
    const { id } = request;
    this.nextId = id;
    this.#call(request).then(
      (result) => this.results.set(id, { id, ok: true, ...(result as object) }),
      ({ code, message, temporary }) => this.results.set(id, { id, ok: false, error: { code, message, temporary } }),
    );
  }

  async #call({ type, id, ...fields }: Frame & { id: string }): Promise<unknown> {
    switch (type) {
      case "say": return this.client.say(fields["body"] as Json, { id, files: fields["files"] as SentFile[] | undefined });
      case "file": return this.client.upload(new Blob([Buffer.from(String(fields["data"]), "base64")]), fields as UploadOptions);
      case "discard": return this.client.discard(String(fields["file"]));
      case "cancel": return this.client.cancel(String(fields["run"]));
      case "answer": return this.client.answer(String(fields["ask"]), fields["value"] as Json);
      case "threads": return this.client.threads(fields as object);
      case "erase": return this.client.erase(String(fields["thread"]));
      case "history": {
        const page = await this.client.history(fields as object);
        eventLog(this.client).add(page.events);
        return page;
      }
    }
    throw new Error(`no call ${type}`);
  }

  step_result(expected: { id: string }): void {
    expect(this.results.get(expected.id)).toMatchObject(expected);
  }
}

/** Let time pass until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  for (let waited = 0; !isSo(); waited += 50) {
    if (waited > 60_000) throw new Error("it never came");
    await vi.advanceTimersByTimeAsync(50);
  }
}

/** A list of features has no order. */
const compared = (frame: Frame): Frame =>
  "features" in frame ? { ...frame, features: [...(frame["features"] as string[])].sort() } : frame;

const present = (expected: Frame): Frame =>
  compared(Object.fromEntries(Object.entries(expected).filter(([, value]) => value !== null)) as Frame);
