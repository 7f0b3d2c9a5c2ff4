// @vitest-environment jsdom
// A client whose second half cannot be loaded, or not yet: what is there keeps to the protocol, and the rest is made up for.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Client, connect, type ConnectOptions, type GreenroomEvent, type Locks } from "../src/index.js";
import { FakeServer, FakeStore } from "./fake_server.js";
import { event, eventsFrame, partial, READY, RESUMED, RUN, THREAD } from "./frames.js";

/** The network as the import of the upkeep finds it: gone at first. */
const network = vi.hoisted(() => ({ isBarred: true, isSlow: false, tries: 0 }));

vi.mock("../src/upkeep.js", async (original) => {
  const upkeep: Record<string, unknown> = await original();
  const fetched = (name: string) => () => {
    network.tries += 1;
    if (network.isBarred) throw new TypeError("Failed to fetch dynamically imported module");
    return upkeep[name];
  };
  const never = { get: () => (network.isSlow ? () => {} : undefined) }; // what is awaited and has this method is waited for
  return Object.defineProperties({}, { then: never, ...Object.fromEntries(Object.keys(upkeep).map((name) => [name, { get: fetched(name), enumerable: true }])) });
});

let server: FakeServer;
let client: Client;
let store: FakeStore;

beforeEach(() => {
  vi.useFakeTimers();
  [server, store] = [new FakeServer(), new FakeStore()];
  Object.assign(network, { isBarred: true, isSlow: false, tries: 0 });
});
afterEach(() => {
  client.close();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** The upkeep can be had, and the client is given the time to ask for it again. */
async function letThrough(): Promise<void> {
  network.isBarred = false;
  await pass(20_000);
}

async function join(options: Partial<ConnectOptions> = {}): Promise<void> {
  client = connect({ url: "ws://greenroom.test", getToken: async () => "token", WebSocket: server.WebSocket, store, random: () => 0.5, ...options });
  await pass(0);
}

async function open(options: Partial<ConnectOptions> = {}, ready = READY): Promise<void> {
  await join(options);
  server.last.accept();
  server.last.say(ready);
  await pass(0);
}

const sent = (type: string) => server.last.sent.filter((frame) => frame.type === type);

it("is tried again, later each time", async () => {
  await open();
  const seen = [network.tries];
  for (const ms of [250, 500, 1_000, 2_000]) {
    await pass(ms);
    seen.push(network.tries);
  }
  expect(seen).toEqual([1, 2, 3, 4, 5]);
  client.close();
  await pass(60_000);
  expect(network.tries).toBe(5);
});

it("is not needed to hear events, to acknowledge them, and to say something", async () => {
  await open();
  const heard: number[] = [];
  client.on("events", (events) => heard.push(...events.map(({ offset }) => offset)));
  server.last.say(eventsFrame(partial(1, "a"), partial(2, "b")));
  await pass(50);
  const said = client.say("hi", { id: "s1" });
  server.last.say({ type: "reply", id: "s1", ok: true, run: RUN, thread: THREAD });
  expect(await said).toMatchObject({ run: RUN, thread: THREAD });
  expect([heard, sent("ack")]).toEqual([[1, 2], [{ type: "ack", offset: 2 }]]);
  server.last.say({ type: "ping" });
  expect(sent("pong")).toHaveLength(1);
});

it("is not needed to come back", async () => {
  await open();
  server.last.end(1006);
  expect(client.state).toBe("reconnecting");
  await pass(250);
  server.last.accept();
  server.last.say(RESUMED);
  expect([client.state, server.sockets.length]).toEqual(["ready", 2]);
});

it("reports what waited for it: what was displayed, confirmed, and no longer than it counts", async () => {
  await open();
  const [kept, lost] = [partial(1, "a"), partial(2, "b")];
  server.last.say(eventsFrame(kept, lost));
  client.displayed(kept, lost);
  client.confirm(kept, true);
  server.last.end(1006);
  await pass(250);
  server.last.accept();
  server.last.say({ ...READY, from: 1 });
  expect(sent("displayed")).toEqual([]);
  await letThrough();
  expect([sent("displayed"), sent("confirm")]).toEqual([[{ type: "displayed", offsets: [1] }], [{ type: "confirm", offset: 1, verdict: true }]]);
});

it("judges a refusal that waited for it, and the program may have gone on meanwhile", async () => {
  await open();
  server.last.say({ type: "closing", code: 4505, reason: "blocked", reconnect: null });
  server.last.end(4505);
  expect([client.state, client.reason?.code]).toEqual(["reconnecting", 4505]);
  await letThrough();
  expect([client.state, client.reason?.code, server.sockets.length]).toEqual(["closed", 4505, 1]);
  client.close();
  network.isBarred = true;
  await open({ store: null });
  server.last.end(4505);
  client.connect();
  await pass(0);
  server.last.accept();
  server.last.say(READY);
  await letThrough();
  expect(client.state).toBe("ready");
});

it("tries again what was refused for a while", async () => {
  await open();
  void client.say("hi", { id: "s1" });
  server.last.say({ type: "reply", id: "s1", ok: false, error: { code: 4507, message: "later", temporary: true } });
  await letThrough();
  await pass(2_000);
  expect(sent("say")).toHaveLength(2);
});

it("sets the pace: until then no more goes than the server takes at once", async () => {
  await open();
  for (let n = 0; n < 200; n += 1) void client.say(n);
  await pass(1_000);
  expect(sent("say")).toHaveLength(80);
  await letThrough();
  expect(sent("say")).toHaveLength(200);
});

it("follows the questions that were asked and answered meanwhile", async () => {
  const ask = (offset: number, ask: string) => event(offset, "input_requested", { ask, prompt: "Go on?" }) as GreenroomEvent<"input_requested">;
  await open({}, { ...READY, asks: [ask(1, "a1")], offset: 1, from: 1 });
  expect(client.asks).toHaveLength(1);
  server.last.say(eventsFrame(ask(2, "a2"), event(3, "input_closed", { ask: "a1", reason: "expired" })));
  await letThrough();
  expect(client.asks.map(({ data }) => data.ask)).toEqual(["a2"]);
});

it("shows that the browser is offline, also since before it was loaded", async () => {
  await open();
  vi.stubGlobal("navigator", { onLine: false });
  await letThrough();
  expect([client.state, client.reason?.offline]).toEqual(["reconnecting", true]);
  vi.unstubAllGlobals();
});

it("connects a reloaded page without it, where the server tells two tabs with one session apart", async () => {
  await open();
  client.close();
  const request = vi.fn();
  await open({ locks: { request } as unknown as Locks }, RESUMED);
  expect([client.state, server.last.take("hello")?.["session"]]).toEqual(["ready", READY.session]);
  expect(request).not.toHaveBeenCalled();
});

it("lets no more than 256 reports wait for it", async () => {
  await open();
  for (let n = 1; n <= 300; n += 1) client.displayed(partial(n, ""));
  await letThrough();
  expect(sent("displayed").flatMap((frame) => frame["offsets"])).toHaveLength(256);
});

it("fails a `for await` that cannot be read", async () => {
  await open();
  await expect(client[Symbol.asyncIterator]().next()).rejects.toThrow();
});

it("is not asked for any more by a client that was closed while it was fetched", async () => {
  network.isBarred = true;
  await join();
  server.last.accept();
  server.last.say(READY);
  client.close();
  await pass(60_000);
  expect([network.tries, vi.getTimerCount()]).toEqual([1, 0]);
});

it("does not work without a pause where what was refused for a while is due, and there is no connection", async () => {
  await open();
  void client.say("hi", { id: "s1" });
  server.last.say({ type: "reply", id: "s1", ok: false, error: { code: 4507, message: "later", temporary: true } });
  network.isBarred = false;
  server.last.say({ type: "closing", code: 4100, reason: "deploy", reconnect: { after_ms: 60_000, jitter_ms: 0 } });
  server.last.end(4100);
  await pass(10_000);
  const set = vi.spyOn(globalThis, "setTimeout");
  await pass(10_000);
  expect(set.mock.calls.filter(([, ms]) => (ms ?? 0) < 1_000)).toEqual([]);
});

it("shows no question of another user, nor one that was closed, after the server said which are open", async () => {
  await open();
  server.last.say(eventsFrame(event(1, "input_requested", { ask: "a1", prompt: "Alice?" })));
  server.last.end(1006);
  await pass(250);
  server.last.accept();
  server.last.say({ ...READY, user: "bob", from: 5, offset: 5 });
  await letThrough();
  expect([client.user, client.asks]).toEqual(["bob", []]);
});

it("says nothing of typing that is over", async () => {
  await open();
  for (let n = 0; n < 100; n += 1) client.typing(THREAD);
  client.confirm(partial(1, "a"), true);
  await letThrough();
  expect([sent("typing"), sent("confirm").length]).toEqual([[], 1]);
});

it("is not needed to answer pings, however much was acknowledged", async () => {
  await open();
  for (let n = 1; n <= 100; n += 1) {
    server.last.say(eventsFrame(partial(n, "a")));
    await pass(50);
  }
  server.last.say({ type: "ping" });
  expect([sent("pong").length, sent("ack").at(-1)]).toEqual([1, { type: "ack", offset: 100 }]);
});

it("knows of a page that was hidden before it was loaded", async () => {
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  await open();
  await letThrough();
  server.last.say(eventsFrame(partial(1, "a")));
  expect(sent("ack")).toHaveLength(1);
});

it("holds a reloaded page back from its first attempt alone, should it never come", async () => {
  await open();
  client.close();
  network.isSlow = true;
  await join();
  expect(server.sockets).toHaveLength(1);
  await pass(15_000 + 250);
  server.last.accept();
  expect(server.last.take("hello")?.["session"]).toBe(READY.session);
});
