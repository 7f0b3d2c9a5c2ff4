// Events without WebSocket: what a stream says, and what is posted.

import { expect, it, onTestFinished, vi } from "vitest";
import { connect, type GreenroomEvent } from "../src/index.js";
import { event, partial, READY } from "./frames.js";

/** A server whose stream is written by hand, and which answers each post with nothing. */
class FakeHttp {
  readonly posts: { url: string; frames: { type: string }[] }[] = [];
  readonly headers: unknown[] = [];
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  status = 200;

  fetch = (async (url: string, init: RequestInit) => {
    this.headers.push(init.headers);
    if (init.method === "POST") {
      this.posts.push({ url, frames: JSON.parse(String(init.body)) as { type: string }[] });
      return new Response("[]");
    }
    if (this.status !== 200) return new Response("no", { status: this.status, headers: { "Retry-After": "7" } });
    return new Response(new ReadableStream({ start: (stream) => void (this.#stream = stream) }));
  }) as typeof fetch;

  say(text: string): void {
    this.#stream?.enqueue(new TextEncoder().encode(text));
  }

  ready(): void {
    this.say(`event: ready\nid: first:0\ndata: ${JSON.stringify(READY)}\n\n`);
  }
}

const message = (each: GreenroomEvent, id = `id: first:${each.offset}\n`) => `${id}data: ${JSON.stringify(each)}\n\n`;

async function open() {
  const http = new FakeHttp();
  const client = connect({
    url: "http://greenroom.test", getToken: async () => "token", store: null, random: () => 0, fetch: http.fetch,
    WebSocket: class { onclose?: (event: object) => void; constructor() { setTimeout(() => this.onclose?.({ code: 1006, reason: "" })); } close() {} } as unknown as typeof WebSocket,
  });
  onTestFinished(() => client.close());
  const events: GreenroomEvent[][] = [];
  client.on("events", (fresh) => events.push([...fresh]));
  await vi.waitFor(() => expect(http.headers).toEqual([{ Authorization: "Bearer token" }]));
  return { http, client, events };
}

it("delivers events that arrive in any pieces, and acknowledges them on its own stream", async () => {
  const { http, client, events } = await open();
  http.ready();
  await vi.waitFor(() => expect(client.state).toBe("ready"));
  const text = message(partial(1, "é"));
  http.say(": a comment\n\n" + text.slice(0, 40));
  http.say(text.slice(40));
  await vi.waitFor(() => expect(events.flat().map(({ offset }) => offset)).toEqual([1]));
  await vi.waitFor(() => expect(http.posts).toEqual([{ url: `http://greenroom.test/live/frames?connection=${READY.connection}`, frames: [{ type: "ack", offset: 1 }] }]));
});

it("takes a superseded event together with what stands for it", async () => {
  const { http, events } = await open();
  http.ready();
  http.say(message(event(1, "superseded", { through: 2 }), ""));
  http.say(message(event(3, "partial_result", { text: "abc", index: 0, merges: [1, 2] })));
  await vi.waitFor(() => expect(events.map((frame) => frame.map(({ offset }) => offset))).toEqual([[1, 3]]));
});

it("posts what waits together, in order", async () => {
  const { http, client } = await open();
  http.ready();
  await vi.waitFor(() => expect(client.state).toBe("ready"));
  for (const id of ["a", "b", "c"]) void client.say(id, { id });
  await vi.waitFor(() => expect(http.posts.flatMap(({ frames }) => frames)).toMatchObject([{ id: "a" }, { id: "b" }, { id: "c" }]));
  expect(http.posts).toHaveLength(2);
});
