"""The Python client plays the protocol's vectors, which clients of every language play, over real
sockets. Reconnects and silences take no time: the clock jumps when the sockets are idle."""

from base64 import b64decode
from contextlib import suppress
from functools import partial

import pytest
import trio
import trio.testing

from greenroom.delivery.events.ids import RunId, ThreadId
from greenroom.delivery.files.taken import File
from greenroom.transport.client.client_error import ClientError
from greenroom.transport.client.frames import RequestFailed
from tests.protocol.vectors import vectors_of
from tests.transport.client.scripted_server import join, server

IDLE = 0.01  # seconds in which loopback brings everything
NOT_OURS = {"assembled"}  # the Python client hands events on as they are


@pytest.mark.parametrize("vector", vectors_of("client"), ids=str)
def test_the_python_client_plays_the_vector(vector):
    clock = trio.testing.MockClock(autojump_threshold=2 * IDLE)
    trio.run(play, vector, clock=clock)


async def play(vector):
    sockets = sum("connect" in step for step in vector.steps)
    peers, arriving = trio.open_memory_channel(sockets)

    async def script(peer):
        await peers.send(peer)
        await trio.sleep_forever()

    with trio.CancelScope() as scope:
        async with server(*[script] * sockets) as url, trio.open_nursery() as nursery:
            part = ClientsPart(nursery, arriving)
            nursery.start_soon(part.live, url)
            for step in vector.steps:
                ((name, value),) = step.items()
                if name not in NOT_OURS:
                    await getattr(part, f"play_{name}")(value)
            scope.cancel()


class ClientsPart:
    """A program with the client, and the server's end of its sockets."""

    def __init__(self, nursery, arriving):
        self._nursery = nursery
        self._arriving = arriving
        self._peer = self._client = None
        self._kept, self._events, self._resets, self._results = [], [], [], {}
        self._epoch, self._id = None, ""

    async def live(self, url):
        async with join(url, new_id=lambda: self._id, on_ready=self._ready) as self._client:
            with suppress(ClientError):
                async for event in self._client.events():
                    self._events.append(event.offset)
            await trio.sleep_forever()

    def _ready(self, ready):
        if self._epoch is not None and not ready.recovered:
            self._resets.append(ready.after if self._epoch == ready.epoch else 0)
        self._epoch = ready.epoch

    async def play_connect(self, _):
        with trio.fail_after(60):
            self._peer = await self._arriving.receive()
        self._kept = []

    async def play_client(self, expected):
        with trio.fail_after(60):
            frame = await self._take(expected["type"])
        wanted = {k: v for k, v in expected.items() if v is not None}
        if "features" in frame:
            frame["features"].sort()
            wanted["features"] = sorted(wanted["features"])
        assert {name: frame.get(name) for name in wanted} == wanted
        assert not {name for name, value in expected.items() if value is None} & frame.keys()

    async def _take(self, type_):
        for index, frame in enumerate(self._kept):
            if frame["type"] == type_:
                return self._kept.pop(index)
        while (frame := await self._peer.frame())["type"] != type_:
            self._kept.append(frame)
        return frame

    async def play_server(self, frame):
        frame = dict(frame)
        await self._peer.send(frame.pop("type"), **frame)

    async def play_close(self, close):
        await self._peer.close(close["code"])

    async def play_cut(self, _):
        await self._peer.cut()

    async def play_leaves(self, _):
        with trio.fail_after(60):
            await self._peer.closed_with()

    async def play_wait(self, ms):
        await trio.sleep(ms / 1000)

    async def play_state(self, expected):
        await trio.testing.wait_all_tasks_blocked(IDLE)
        assert self._state == expected

    @property
    def _state(self):
        if self._client._watch.failure is not None:
            return "closed"
        return "reconnecting" if self._client._session.ready is None else "ready"

    async def play_events(self, expected):
        await trio.testing.wait_all_tasks_blocked(IDLE)
        assert self._events == [each["offset"] for each in expected]
        self._events = []

    async def play_reset(self, expected):
        await trio.testing.wait_all_tasks_blocked(IDLE)
        assert self._resets.pop(0) == expected["beyond"]

    async def play_asks(self, expected):
        await trio.testing.wait_all_tasks_blocked(IDLE)
        assert [event.data["ask"] for event in self._client.asks] == expected

    async def play_never(self, type_):
        await trio.testing.wait_all_tasks_blocked(IDLE)
        with trio.move_on_after(IDLE):
            while True:
                self._kept.append(await self._peer.frame())
        assert type_ not in [frame["type"] for frame in self._kept]

    async def play_call(self, request):
        self._id = request["id"]
        self._nursery.start_soon(self._call, request)
        await trio.testing.wait_all_tasks_blocked(IDLE)

    async def _call(self, request):
        id_ = request["id"]
        try:
            result = await self._method(request)()
        except RequestFailed as failed:
            error = {"code": failed.code, "temporary": failed.temporary}
            self._results[id_] = {"id": id_, "ok": False, "error": error}
        else:
            self._results[id_] = {"id": id_, "ok": True, **self._shown(request["type"], result)}

    def _method(self, request):
        match request:
            case {"type": "say", "id": id_, "body": body}:
                files = [File.from_json(each) for each in request.get("files", ())]
                return partial(self._client.say, body, id=id_, files=files)
            case {"type": "file", "name": name, "media": media, "data": data}:
                return partial(self._client.upload, name, b64decode(data), media=media)
            case {"type": "discard", "file": file}:
                return partial(self._client.discard, File(file, "a.txt", "text/plain", 2))
            case {"type": "answer", "ask": ask, "value": value}:
                return partial(self._client.answer, ask, value)
            case {"type": "cancel", "run": run}:
                return partial(self._client.cancel, RunId.parse(run))
            case {"type": "history", "thread": thread, "limit": limit}:
                before = request.get("before")
                return partial(
                    self._client.history, ThreadId.parse(thread), before=before, limit=limit
                )
            case {"type": "threads", "limit": limit}:
                return partial(self._client.threads, limit=limit)
        raise AssertionError(f"no such call: {request}")

    def _shown(self, type_, result):
        match type_:
            case "say":
                return {"run": result.run, "thread": result.thread}
            case "file":
                return result.as_json()
            case "answer":
                return {"offset": result}
            case "history" | "threads":
                return {"more": result.more}
        return {}

    async def play_result(self, expected):
        await trio.testing.wait_all_tasks_blocked(IDLE)
        result = self._results[expected["id"]]
        for name, value in expected.items():
            wanted = (
                {k: v for k, v in value.items() if k != "message"} if name == "error" else value
            )
            found = result[name]
            if isinstance(wanted, dict):
                found = {k: found[k] for k in wanted}
            assert found == wanted
