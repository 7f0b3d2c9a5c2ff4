// @vitest-environment jsdom
// The hooks under StrictMode, as a page uses them: with React 19, and with React 18 (vitest.config.ts).

import { act, StrictMode, version } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, it } from "vitest";
import { GreenroomProvider, useConnection, useRun, useThread } from "../src/react.js";
import { FakeServer, FakeStore } from "./fake_server.js";
import { eventsFrame, partial, READY, RUN, THREAD } from "./frames.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let server: FakeServer;
let root: Root;
let place: HTMLElement;

beforeEach(() => {
  server = new FakeServer();
  place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
});
afterEach(() => act(() => root.unmount()));

function Page() {
  const { state } = useConnection();
  const { run } = useRun(RUN);
  const { thread } = useThread(THREAD);
  return <p>{`${state} ${run.text} ${thread.runs.length}`}</p>;
}

const app = () => (
  <StrictMode>
    <GreenroomProvider url="ws://greenroom.test" getToken={async () => "token"} WebSocket={server.WebSocket} store={new FakeStore()}>
      <Page />
    </GreenroomProvider>
  </StrictMode>
);

const settled = () => act(() => new Promise<void>((resolve) => setTimeout(resolve, 0)));

async function open() {
  await act(() => root.render(app()));
  await settled();
  await act(() => {
    server.last.accept();
    server.last.say(READY);
  });
}

it("shows the connection, a run and a thread as events come", async () => {
  await open();
  expect(place.textContent).toBe("ready  0");
  await act(() => server.last.say(eventsFrame(partial(1, "Hello, "), partial(2, "you"))));
  expect(place.textContent).toBe("ready Hello, you 1");
  await act(() => server.last.end(1006));
  expect(place.textContent).toBe("reconnecting Hello, you 1");
});

it("opens one connection under StrictMode, and closes it with the provider", async () => {
  await open();
  expect(server.sockets.filter(({ readyState }) => readyState === 1)).toHaveLength(1);
  await act(() => root.unmount());
  expect(server.sockets.filter(({ readyState }) => readyState === 1)).toHaveLength(0);
});

it("fetches again what a reset server has of a run and a thread", async () => {
  await open();
  await act(() => {
    server.last.say(eventsFrame(partial(1, "Hello")));
    for (let asked; (asked = server.last.take("history")); ) server.last.say({ type: "reply", id: asked["id"], ok: true, events: [], more: false });
  });
  await act(() => server.last.end(1006));
  await act(() => new Promise((resolve) => setTimeout(resolve, 600)));
  await act(() => {
    server.last.accept();
    server.last.say({ ...READY, epoch: "second" });
  });
  expect(place.textContent).toBe("ready  0");
  expect(server.last.sent.filter(({ type }) => type === "history")).toMatchObject([{ limit: 200 }, { thread: THREAD }]);
});

it("runs with the React that it says", () => {
  expect(version.split(".")[0]).toBe(process.env["REACT"] ?? "19");
});

it("renders on a server, without a connection", () => {
  expect(renderToString(app())).toBe("<p>connecting  0</p>");
  expect(server.sockets).toHaveLength(0);
});
