// Against a real server: what an agent says arrives in order and each once, whatever breaks.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import WebSocket from "ws";
import { type Client, connect, type ConnectOptions, eventLog, type GreenroomEvent, type TokenContext } from "../src/index.js";
import { FakeStore } from "./fake_server.js";
import { hasGreenroom, LiveServer, token, Wire } from "./live_server.js";

const server = new LiveServer();
const wire = new Wire(() => server.port);
let url: string;
let users = 0;

describe.skipIf(!hasGreenroom)("a client of a real server", () => {
  beforeAll(async () => {
    await server.start();
    url = `ws://127.0.0.1:${await wire.listen()}`;
  });
  afterAll(async () => {
    wire.close();
    await server.stop();
  });

  it("hears a run to its end", async () => {
    const { client, events } = joined();
    const completed = heard(client, "agent_completed");
    const { run } = await client.say({ count: 3 });
    await completed;
    expect(eventLog(client).run(run).state).toMatchObject({ status: "ok", text: "0 1 2 ", said: { count: 3 } });
    expect(offsets(events)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("hears each event once when the network is cut", async () => {
    const { client, events } = joined();
    const completed = heard(client, "agent_completed");
    client.on("partial_result", ({ data }) => data.index === 0 && wire.cut());
    await client.say({ count: 40 });
    await completed;
    expect(offsets(events)).toEqual(upTo(43));
  });

  it("hears that a run was lost when the server is killed and comes back", async () => {
    const { client, events } = joined({ url: server.url });
    const heardAll = new Promise<void>((resolve) => client.on("events", (fresh) => fresh.at(-1)?.offset === 7 && resolve()));
    const { run } = await client.say({ count: 5, waits: true });
    await heardAll;
    await server.kill();
    const failed = heard(client, "agent_failed");
    await server.start();
    await failed;
    expect(eventLog(client).run(run).state.error?.reason).toBe("lost");
    expect(offsets(events)).toEqual(upTo(8));
  });

  it("sends what was said while the server was away, once", async () => {
    const { client, events } = joined({ url: server.url });
    await stateIs(client, "ready");
    await server.kill();
    await stateIs(client, "reconnecting");
    const completed = heard(client, "agent_completed");
    void client.say({ count: 1 });
    await server.start();
    await completed;
    expect(offsets(events)).toEqual(upTo(4));
  });

  it("takes server-sent events where WebSockets do not pass", async () => {
    const { client, events } = joined({ WebSocket: BlockedSocket as unknown as ConnectOptions["WebSocket"] & object });
    const completed = heard(client, "agent_completed");
    await client.say({ count: 40 });
    await completed;
    expect(offsets(events)).toEqual(upTo(43));
    expect((await client.history({ limit: 2 })).events.map(({ offset }) => offset)).toEqual([42, 43]);
  });

  it.each([["over WebSocket", undefined], ["over server-sent events", () => BlockedSocket as unknown as ConnectOptions["WebSocket"] & object]])(
    "sends a file whole when the network is cut: %s",
    async (_, socket) => {
      const { client, events } = joined(socket && { WebSocket: socket() });
      await stateIs(client, "ready");
      expect(client.files).toMatchObject({ types: ["text/*"], most: 5 });
      const bytes = Uint8Array.from({ length: 150_000 }, (_, index) => index % 251);
      const onProgress = (sent: number) => sent < 60_000 && wire.cut();
      const file = await client.upload(new Blob([bytes], { type: "text/plain" }), { name: "a.txt", onProgress });
      expect(file).toMatchObject({ name: "a.txt", media: "text/plain", size: 150_000 });
      const completed = heard(client, "agent_completed");
      await client.say({ count: 0 }, { files: [file] });
      await completed;
      const told = events.flatMap((event) => (event.kind === "partial_result" ? [event.data.text] : []));
      expect(told).toEqual([`a.txt ${createHash("sha256").update(bytes).digest("hex")}`]);
    },
  );

  it("tells at the first part that a file is too large", async () => {
    const { client } = joined();
    const large = { size: 11_000_000, type: "text/plain", slice: () => new Blob(["x"]) } as unknown as Blob;
    await expect(client.upload(large)).rejects.toMatchObject({ code: 4502, message: expect.stringContaining("at most 10,000,000") });
  });

  it("asks for another token when one is refused", async () => {
    const reasons: string[] = [];
    const getToken = async ({ reason }: TokenContext) => (reasons.push(reason), token("alice", reasons.length < 2 ? -60 : 600));
    const { client } = joined({ getToken });
    await stateIs(client, "ready");
    expect(reasons).toEqual(["connect", "refused"]);
  });

  it("has the token refreshed on the open connection before it expires", async () => {
    const reasons: string[] = [];
    const getToken = async ({ reason }: TokenContext) => (reasons.push(reason), token(`refreshed-${users}`, reasons.length < 2 ? 4 : 600));
    const { client } = joined({ getToken });
    await stateIs(client, "ready");
    while (reasons.length < 2) await new Promise((later) => setTimeout(later, 20));
    expect(reasons).toEqual(["connect", "refresh"]);
    expect(await client.threads()).toMatchObject({ more: false });
    expect(client.state).toBe("ready");
  });
});

class BlockedSocket {
  onclose?: (event: { code: number; reason: string }) => void;
  constructor() {
    setTimeout(() => this.onclose?.({ code: 1006, reason: "" }));
  }
  close(): void {}
}

/** A user's client, and all events that it delivers. */
function joined(options: Partial<ConnectOptions> = {}): { client: Client; events: GreenroomEvent[] } {
  const user = `user-${(users += 1)}`;
  const events: GreenroomEvent[] = [];
  const client = connect({
    url,
    getToken: async () => token(user),
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    store: new FakeStore(),
    random: () => 0.1,
    ...options,
  });
  eventLog(client);
  client.on("events", (fresh) => events.push(...fresh));
  onTestFinished(() => client.close());
  return { client, events };
}

const heard = (client: Client, kind: GreenroomEvent["kind"]): Promise<unknown> => new Promise((resolve) => client.on(kind, resolve));

const stateIs = (client: Client, state: Client["state"]): Promise<void> =>
  new Promise((resolve) => {
    if (client.state === state) resolve();
    else client.on("state", ({ newState }) => newState === state && resolve());
  });

const offsets = (events: GreenroomEvent[]): number[] => events.map(({ offset }) => offset);

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
