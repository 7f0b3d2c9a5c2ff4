// @vitest-environment jsdom
// A client in a page, on a fake clock.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Client, connect, type ConnectOptions, displayedInView, eventLog, type GreenroomEvent, type Locks } from "../src/index.js";
import { FakeServer, FakeStore, type Frame } from "./fake_server.js";
import { event, eventsFrame, partial, READY, RESUMED, RUN, THREAD } from "./frames.js";

let server: FakeServer;
let client: Client;
const store = { now: new FakeStore() };

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  store.now = new FakeStore();
});
afterEach(() => {
  client.close();
  Object.defineProperty(document, "hidden", { value: false, configurable: true });
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function join(options: Partial<ConnectOptions> = {}): Promise<Client> {
  client = connect({
    url: "ws://greenroom.test", getToken: async () => "token", WebSocket: server.WebSocket, store: store.now, random: () => 0.5, ...options,
  });
  await pass(0);
  return client;
}

async function open(options: Partial<ConnectOptions> = {}, ready = READY): Promise<Client> {
  await join(options);
  await welcome(ready);
  return client;
}

async function welcome(ready = RESUMED): Promise<void> {
  server.last.accept();
  server.last.say(ready);
  await pass(0);
}

const show = (isHidden: boolean) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};

const types = (frames: readonly Frame[]) => frames.map(({ type }) => type);

describe("a page that wakes", () => {
  it.each([
    ["is shown", () => show(false)],
    ["is online", () => window.dispatchEvent(new Event("online"))],
    ["is resumed", () => document.dispatchEvent(new Event("resume"))],
  ])("notices within 3 s that its socket is dead: it %s", async (_, wake) => {
    await open();
    wake();
    expect(server.last.take("history")).toMatchObject({ before: 1, limit: 1 });
    await pass(3_000);
    expect(server.sockets).toHaveLength(2);
    expect(client.state).toBe("reconnecting");
  });

  it("keeps a socket whose server answers", async () => {
    await open();
    show(false);
    server.last.say({ type: "reply", id: server.last.take("history")?.["id"], ok: true, events: [], more: false });
    await pass(10_000);
    expect([client.state, server.sockets.length]).toEqual(["ready", 1]);
  });

  it("comes back at once, and does not wait for its back-off", async () => {
    await open({ random: () => 1 });
    server.last.end(1006);
    expect(server.sockets).toHaveLength(1);
    window.dispatchEvent(new Event("online"));
    await pass(0);
    expect(server.sockets).toHaveLength(2);
  });

  it("looks for a sign of life when the clock shows that the machine slept", async () => {
    await open();
    vi.setSystemTime(Date.now() + 60_000);
    await pass(1_000);
    expect(server.last.take("history")).toBeDefined();
  });
});

describe("a page that is left", () => {
  it("acknowledges at once what it received", async () => {
    await open();
    server.last.say(eventsFrame(partial(1, "a")));
    show(true);
    expect(server.last.take("ack")).toMatchObject({ offset: 1 });
  });

  it("closes its socket if the browser keeps it, and resumes when it returns", async () => {
    await open();
    window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    expect(server.last.readyState).toBe(3);
    await pass(60_000);
    expect(server.sockets).toHaveLength(1);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    await pass(0);
    expect(server.sockets).toHaveLength(2);
  });
});

it("shows at once that the browser is offline, and that the server answers nevertheless", async () => {
  await open();
  window.dispatchEvent(new Event("offline"));
  expect([client.state, client.reason?.offline]).toEqual(["reconnecting", true]);
  server.last.say({ type: "reply", id: server.last.take("history")?.["id"], ok: true, events: [], more: false });
  expect([client.state, client.reason]).toEqual(["ready", null]);
});

describe("coming back", () => {
  it("waits longer after each failure, with jitter, and at most 20 s", async () => {
    await join();
    const waits: number[] = [];
    for (let failures = 0; failures < 8; failures += 1) {
      const sockets = server.sockets.length;
      server.last.end(1006);
      waits.push((client.reason?.retryAt ?? 0) - Date.now());
      while (server.sockets.length === sockets) {
        await pass(50);
        if (failures % 3 === 2) break; // the third of three takes the other transport
      }
    }
    expect(waits.slice(0, 2)).toEqual([250, 500]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
  });

  it("waits as long as `closing` says", async () => {
    await open();
    server.last.say({ type: "closing", code: 1001, reason: "drain", reconnect: { after_ms: 3_000, jitter_ms: 1_000 } });
    server.last.end(1001);
    expect((client.reason?.retryAt ?? 0) - Date.now()).toBe(3_500);
    await pass(3_499);
    expect(server.sockets).toHaveLength(1);
    await pass(1);
    expect(server.sockets).toHaveLength(2);
  });

  it("takes server-sent events after WebSocket failed twice", async () => {
    const asked: string[] = [];
    const fetch = async (url: unknown) => (asked.push(String(url)), new Promise<Response>(() => {}));
    await join({ fetch: fetch as typeof globalThis.fetch });
    for (const wait of [250, 500]) {
      server.last.end(1006);
      await pass(wait);
    }
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    expect(server.sockets).toHaveLength(2);
    expect(asked[0]).toBe("http://greenroom.test/live/events?features=position%2Clarge%2Casks%2Cthreads");
  });
});

describe("tokens", () => {
  it("asks again, with back-off, when `getToken` fails", async () => {
    const getToken = vi.fn().mockRejectedValueOnce(new Error("no network")).mockResolvedValue("token");
    await join({ getToken });
    expect(client.reason?.message).toBe("no token: no network");
    await pass(250);
    await welcome(READY);
    expect(client.state).toBe("ready");
  });

  it("keeps the live connection while no new token can be had, and asks again", async () => {
    let asked = 0;
    const getToken = async () => {
      asked += 1;
      if (asked === 2) throw new Error("no network");
      return `token ${asked}`;
    };
    await open({ getToken }, { ...READY, expires: Date.now() + 10_000 });
    await pass(5_000);
    expect([asked, client.state]).toEqual([2, "ready"]);
    await pass(1_500);
    expect(server.last.take("refresh")).toMatchObject({ token: "token 3" });
    expect(server.sockets).toHaveLength(1);
  });

  it.each([
    ["raises at once", () => { throw new Error("no network"); }, "ready"],
    ["fails later", async () => { throw new Error("no network"); }, "ready"],
    ["says that the user is signed out", async () => null, "closed"],
  ])("a renewal that %s: the connection lives on unless there is no user", async (_, renew, state) => {
    const getToken = ({ reason }: { reason: string }) => (reason === "refresh" ? renew() : Promise.resolve("token"));
    await open({ getToken }, { ...READY, expires: Date.now() + 10_000 });
    await pass(5_000);
    expect(client.state).toBe(state);
  });

  it("is closed when the user is signed out, or when three tokens in a row are refused", async () => {
    await join({ getToken: async () => null });
    expect([client.state, client.reason?.code]).toEqual(["closed", 4500]);
    await join();
    for (let refused = 0; refused < 3; refused += 1) {
      server.last.accept();
      server.last.end(4500, "bad token");
      await pass(1_000);
    }
    expect([client.state, client.reason?.code]).toEqual(["closed", 4500]);
  });

  it("forgets what one user left unsent when another is signed in", async () => {
    await open();
    const said = expect(client.say("mine")).rejects.toMatchObject({ code: 4503 });
    const resets: object[] = [];
    client.on("reset", (reset) => resets.push(reset));
    server.last.take("say");
    server.last.end(1006);
    await pass(250);
    await welcome({ ...READY, user: "bob" });
    await said;
    expect(server.last.take("say")).toBeUndefined();
    expect(resets).toEqual([{ beyond: 0, isOther: true }]);
  });
});

describe("over a reload", () => {
  it("resumes its session, and sends what was said and not answered", async () => {
    await open();
    server.last.say(eventsFrame(partial(1, "a")));
    void client.say("hi", { id: "s1" });
    client.close();
    const told: object[] = [];
    await join();
    client.on("said", (said) => told.push(said));
    await welcome();
    expect(server.last.take("hello")).toMatchObject({ session: READY.session, epoch: "first", offset: 1, event: "evt_1" });
    expect(server.last.take("say")).toEqual({ type: "say", id: "s1", body: "hi" });
    server.last.say({ type: "reply", id: "s1", ok: true, run: RUN, thread: THREAD });
    expect(told).toEqual([{ id: "s1", run: RUN, thread: THREAD }]);
    client.close();
    await open({}, RESUMED);
    expect(server.last.take("say")).toBeUndefined();
  });

  it("drops a say that is refused, and tells it", async () => {
    await open();
    const refused: object[] = [];
    client.on("refused", (each) => refused.push(each));
    void client.say("hi", { id: "s1" });
    server.last.say({ type: "reply", id: "s1", ok: false, error: { code: 4502, message: "no", temporary: false } });
    expect(refused).toEqual([{ id: "s1", body: "hi", error: { code: 4502, message: "no", temporary: false } }]);
    expect([...store.now.items.values()]).toContain("[]");
  });

  it("shows what was said and has no answer yet, also from before a reload, unless it can have none", async () => {
    store.now.setItem("greenroom:http://greenroom.test/live:unanswered", `[{"type": "say", "id": "${"x".repeat(129)}", "body": 1}]`);
    await join();
    void client.say("hi", { id: "s1" });
    client.close();
    await open();
    expect(client.unanswered).toMatchObject([{ id: "s1", body: "hi" }]);
    expect(client.features).toContain("threads");
    server.last.say({ type: "reply", id: "s1", ok: true, run: RUN, thread: THREAD });
    expect(client.unanswered).toEqual([]);
  });

  it("sends no token where the page's cookies say who the user is, and asks for no other before it is closed", async () => {
    const getToken = vi.fn(async () => "");
    await open({ getToken }, { ...READY, expires: Date.now() + 10_000 });
    expect(server.last.protocols).toEqual(["greenroom.v1"]);
    await pass(9_000);
    expect(getToken.mock.calls).toEqual([[{ reason: "connect" }], [{ reason: "refresh" }]]);
  });

  it("shows each frame as it goes over the wire", async () => {
    await join();
    const wire: string[] = [];
    client.on("frame", ({ isSent, frame }) => wire.push(`${isSent ? ">" : "<"} ${frame.type}`));
    await welcome(READY);
    server.last.say(eventsFrame(partial(1, "a")));
    await pass(100);
    expect(wire).toEqual(["> hello", "< ready", "< events", "> ack"]);
  });

  it("begins a session of its own, at the same place, where another tab holds the lock", async () => {
    await open();
    server.last.say(eventsFrame(partial(1, "a")));
    client.close();
    const taken = Object.assign(new Error("taken"), { name: "AbortError" });
    await join({ locks: { request: () => Promise.reject(taken) } as unknown as Locks });
    server.last.accept();
    const hello = server.last.take("hello");
    expect(hello).toMatchObject({ epoch: "first", offset: 1, event: "evt_1" });
    expect(hello).not.toHaveProperty("session");
  });

  it("bears a store that holds what is not ours, or that is denied", async () => {
    store.now.setItem("greenroom:http://greenroom.test/live:position", "{{");
    store.now.setItem("greenroom:http://greenroom.test/live:unanswered", '[{"type": "ack"}, 7]');
    await open();
    expect(types(server.last.sent)).toEqual(["hello"]);
    client.close();
    const denied = () => { throw new Error("denied"); };
    await open({ store: { getItem: denied, setItem: denied, removeItem: denied } });
    expect(client.state).toBe("ready");
  });
});

describe("what leaves", () => {
  it("stays below the server's limits after a time away", async () => {
    await open();
    server.last.end(1006);
    for (let n = 0; n < 200; n += 1) void client.say(n);
    await pass(250);
    await welcome();
    expect(types(server.last.sent).filter((type) => type === "say")).toHaveLength(80);
    await pass(1_000);
    expect(types(server.last.sent).filter((type) => type === "say")).toHaveLength(120);
  });

  it("has U+FFFD in place of half a surrogate pair", async () => {
    await open();
    void client.say("a\ud800b \ud83d\ude00 \\ud800");
    expect(server.last.take("say")?.["body"]).toBe("a\ufffdb \ud83d\ude00 \\ud800");
  });

  it("is one ack for many events: at once after 32, otherwise after 50 ms", async () => {
    await open();
    server.last.say(eventsFrame(partial(1, "a")));
    server.last.say(eventsFrame(partial(2, "b")));
    expect(server.last.take("ack")).toBeUndefined();
    await pass(50);
    expect(server.last.take("ack")).toMatchObject({ offset: 2 });
    server.last.say(eventsFrame(...Array.from({ length: 32 }, (_, n) => partial(3 + n, "c"))));
    expect(server.last.take("ack")).toMatchObject({ offset: 34 });
  });

  it("reports as displayed what was merged, too, after it is acknowledged, and again after a reconnect", async () => {
    await open();
    const merged = event(3, "partial_result", { text: "abc", index: 0, merges: [1, 2] });
    server.last.say(eventsFrame(event(1, "superseded", { through: 2 }), merged));
    let look: (entries: object[]) => void = () => {};
    vi.stubGlobal("IntersectionObserver", class { constructor(seen: typeof look) { look = seen; } observe() {} disconnect() {} });
    displayedInView(client, document.body, merged);
    look([{ isIntersecting: true }]);
    server.last.end(1006);
    await pass(250);
    await welcome();
    expect(server.last.take("displayed")).toMatchObject({ offsets: [1, 2, 3] });
  });

  it("is a report that waited for its turn when the connection was lost", async () => {
    await open();
    for (let n = 0; n < 80; n += 1) void client.say(n);
    client.confirm(partial(1, "a"), true);
    expect(server.last.take("confirm")).toBeUndefined();
    server.last.end(1006);
    await pass(250);
    await welcome();
    await pass(1_000);
    expect(server.last.take("confirm")).toMatchObject({ offset: 1, verdict: true });
  });

  it("is no report on what no longer counts", async () => {
    await open();
    const [kept, lost] = [partial(1, "a"), partial(2, "b")];
    server.last.say(eventsFrame(kept, lost));
    server.last.end(1006);
    client.displayed(kept, lost);
    client.confirm(lost, true);
    await pass(250);
    await welcome({ ...READY, from: 1 });
    expect(server.last.take("displayed")).toMatchObject({ offsets: [1] });
    expect(server.last.take("confirm")).toBeUndefined();
  });
});

describe("a request", () => {
  it("fails when the client closes; what was said is kept", async () => {
    await open();
    const page = expect(client.history()).rejects.toMatchObject({ code: 1006, temporary: true });
    const said = client.say("hi", { id: "s1" });
    client.close();
    await page;
    client.connect();
    await pass(0);
    await welcome();
    server.last.say({ type: "reply", id: "s1", ok: true, run: RUN, thread: THREAD });
    expect(await said).toMatchObject({ run: RUN });
  });

  it("with an id that waits for its answer is refused, and the first one goes on", async () => {
    await open();
    const said = client.say("hi", { id: "s1" });
    await expect(client.say("hi", { id: "s1" })).rejects.toMatchObject({ code: 4502 });
    server.last.say({ type: "reply", id: "s1", ok: true, run: RUN, thread: THREAD });
    expect(await said).toMatchObject({ run: RUN });
  });

  it("that was said before a reload is waited for by who says it again", async () => {
    await open();
    void client.say("hi", { id: "s1" });
    client.close();
    await join();
    const said = client.say("hi", { id: "s1" });
    await welcome();
    server.last.say({ type: "reply", id: "s1", ok: true, run: RUN, thread: THREAD });
    expect(await said).toMatchObject({ run: RUN });
    expect(types(server.last.sent).filter((type) => type === "say")).toHaveLength(1);
  });
});

describe("listeners", () => {
  it("do not stop each other, or the client, when one raises", async () => {
    await open();
    const complain = vi.spyOn(console, "error").mockImplementation(() => {});
    const heard: number[] = [];
    client.on("partial_result", () => { throw new Error("mine"); });
    client.on("partial_result", ({ offset, data }) => heard.push(offset, data.index));
    server.last.say(eventsFrame(partial(1, "a")));
    expect(heard).toEqual([1, 1]);
    expect(complain).toHaveBeenCalledOnce();
    complain.mockRestore();
  });

  it("may close the client, which then opens nothing", async () => {
    await open();
    client.on("state", ({ newState }) => newState === "reconnecting" && client.close());
    server.last.end(1006);
    await pass(60_000);
    expect([client.state, server.sockets.length]).toEqual(["closed", 1]);
  });

  it("read events with `for await`, to the client's end", async () => {
    await open();
    const offsets: number[] = [];
    const reading = (async () => { for await (const { offset } of client) offsets.push(offset); })();
    server.last.say(eventsFrame(partial(1, "a"), partial(2, "b")));
    await pass(0);
    client.close();
    await reading;
    expect(offsets).toEqual([1, 2]);
  });

  it("get an error in place of events that waited too long to be read", async () => {
    await open();
    const stream = client[Symbol.asyncIterator]();
    for (let n = 0; n < 42; n += 1)
      server.last.say(eventsFrame(...Array.from({ length: 100 }, (_, each) => partial(100 * n + each + 1, ""))));
    await expect(stream.next()).rejects.toMatchObject({ code: 4103 });
  });
});

describe("the log", () => {
  it("tells a run: what was said, its tools, questions, and how it ended", async () => {
    await open();
    const log = eventLog(client);
    const states: string[] = [];
    log.run(RUN).subscribe(() => states.push(log.run(RUN).state.status));
    const events: GreenroomEvent[] = [
      event(1, "user_said", { body: "hi", say: "s1" }),
      event(2, "agent_started", { agent: "analyst" }),
      event(3, "tool_executing", { tool_call: "c1", tool_name: "add" }),
      event(4, "tool_completed", { tool_call: "c1", tool_name: "add", error: "The tool failed.", duration_ms: 1 }),
      event(5, "input_requested", { ask: "a1", prompt: "Go on?" }),
      event(6, "input_closed", { ask: "a1", reason: "expired" }),
      event(7, "final_report", { report: { saving: "10%" } }),
      event(8, "agent_completed", { outcome: "cancelled" }),
    ];
    for (const each of events) server.last.say(eventsFrame(each));
    expect(log.run(RUN).state).toMatchObject({
      thread: THREAD, agent: "analyst", said: "hi", status: "cancelled", report: { saving: "10%" },
      tools: [{ tool_name: "add", status: "failed" }], questions: [{ prompt: "Go on?", status: "expired" }],
    });
    expect(states.at(-1)).toBe("cancelled");
  });

  it("tells the text of a run's last attempt, those of interrupted ones apart, and what the run used", async () => {
    await open();
    const log = eventLog(client);
    const pieces = [partial(2, "One "), event(3, "agent_started", { agent: "analyst", attempt: 2 }), partial(4, "One "), partial(5, "two")];
    const end = event(6, "agent_completed", { outcome: "ok", usage: { input_tokens: 120 } });
    server.last.say(eventsFrame(event(1, "agent_started", { agent: "analyst" }), ...pieces, end));
    expect(log.run(RUN).state).toMatchObject({ attempt: 2, text: "One two", earlier: ["One "], usage: { input_tokens: 120 } });
  });

  it("reads a run's events with `for await`: those that are known first, to its end, or the client's", async () => {
    await open();
    const run = eventLog(client).run(RUN);
    const read = async () => {
      const offsets: number[] = [];
      for await (const { offset } of run) offsets.push(offset);
      return offsets;
    };
    server.last.say(eventsFrame(partial(1, "a")));
    const reading = read();
    server.last.say(eventsFrame(partial(2, "b"), event(3, "agent_completed", { outcome: "ok" }), { ...partial(4, "c"), run: "run_2" }));
    expect(await reading).toEqual([1, 2, 3]);
    const other = read.call(undefined);
    client.close();
    expect(await other).toEqual([1, 2, 3]);
  });

  it("keeps the same state of a thread until something in it changes", async () => {
    await open();
    const thread = eventLog(client).thread(THREAD);
    const before = thread.state;
    expect(thread.state).toBe(before);
    server.last.say(eventsFrame(partial(1, "a")));
    expect(thread.state.runs).toHaveLength(1);
    expect(thread.state).toBe(thread.state);
    server.last.say({ type: "erased", thread: THREAD });
    expect(thread.state.runs).toHaveLength(0);
  });

  it("loads earlier events of a thread page by page", async () => {
    await open();
    const thread = eventLog(client).thread(THREAD);
    server.last.say(eventsFrame(partial(1, "b")));
    const loaded = thread.load(2);
    const asked = server.last.take("history");
    expect(asked).toMatchObject({ thread: THREAD, before: 1, limit: 2 });
    server.last.say({ type: "reply", id: asked?.["id"], ok: true, events: [], more: false });
    await loaded;
    expect(thread.state.more).toBe(false);
  });
});
