// Runs are shown as the server's own faces of AG-UI and the AI SDK show them: tests/protocol/projections has both.

import { readdirSync, readFileSync } from "node:fs";
import { type BaseEvent, enforceEvents, transformChunks, verifyEvents } from "@ag-ui/client";
import { parseJsonEventStream, uiMessageChunkSchema } from "ai";
import { from, lastValueFrom, toArray } from "rxjs";
import { describe, expect, it } from "vitest";
import { AgUiEvents } from "../src/ag_ui/events.js";
import { Chunks } from "../src/ai_sdk/chunks.js";
import type { GreenroomEvent } from "../src/protocol/events.js";
import { RUN, THREAD } from "./frames.js";

const FOLDER = new URL("../../../tests/protocol/projections/", import.meta.url);

interface Vector {
  claim: string;
  events: Partial<GreenroomEvent>[];
  ag_ui: object[];
  ai_sdk: object[];
}

const vectors = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => ({ name, ...(JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Vector) }));

describe("a run", () => {
  it.each(vectors)("is shown as AG-UI: $name: $claim", ({ events, ag_ui }) => {
    const face = new AgUiEvents(RUN, { threadId: "thread-1", runId: "run-1" });
    const shown = [...face.begin(), ...eventsOf(events).flatMap((event) => face.of(event))];
    expect(asJson([...shown, ...(face.asks.size ? face.left("interrupt") : [])])).toEqual(ag_ui);
  });

  it.each(vectors)("is accepted by AG-UI: $name", async ({ ag_ui }) => {
    const checked = from(ag_ui as BaseEvent[]).pipe(enforceEvents(), transformChunks(), verifyEvents(), toArray());
    expect(await lastValueFrom(checked)).toHaveLength(ag_ui.length);
  });

  it.each(vectors)("is accepted by the AI SDK: $name", async ({ ai_sdk }) => {
    const stream = new Response(ai_sdk.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")).body as ReadableStream<Uint8Array>;
    const chunks = parseJsonEventStream({ stream, schema: uiMessageChunkSchema });
    let count = 0;
    for await (const chunk of chunks) if (chunk.success) count += 1;
    expect(count).toBe(ai_sdk.length);
  });

  it.each(vectors)("is shown as a message of the AI SDK: $name: $claim", ({ events, ai_sdk }) => {
    const chunks = new Chunks(RUN);
    expect(asJson([...chunks.begin(), ...eventsOf(events).flatMap((event) => chunks.of(event))])).toEqual(ai_sdk);
  });
});

/** What a page gets of the events: `followRun` leaves out a `superseded`. */
const eventsOf = (events: Partial<GreenroomEvent>[]): GreenroomEvent[] =>
  events
    .map((event, index) => ({ offset: index + 1, id: `evt_${index + 1}`, run: RUN, thread: THREAD, request: "req_1", at: 0, ...event }) as unknown as GreenroomEvent)
    .filter(({ kind }) => kind !== "superseded");

const asJson = (value: object): unknown => JSON.parse(JSON.stringify(value));
