"""The lane of a run: what it says leaves in order, many entries in one request, each once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import quote

import anyio
import attrs
import orjson

from greenroom.actors.errors import GreenroomError, another
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.text_buffer import PACE, TextBuffer
from greenroom.remote.errors import NotAnswered
from greenroom.remote.requests import Asking, new_key
from greenroom.services.problems import RunOver

MOST_WAITING: Final = 1_000
"""Entries that may wait in a lane; emitters wait for room."""

MOST_ENTRIES, MOST_BYTES = 500, 1024 * 1024
"""Entries and bytes of one request, but for one entry that is larger."""

logger = logging.getLogger("greenroom.remote")


@attrs.define(eq=False)
class LaneEntry:
    """An entry on its way. `buffer`: its text, to which more may be added while it waits last."""

    kind: str
    data: dict[str, JSON]
    buffer: TextBuffer | None = None
    refused: Callable[[GreenroomError], None] | None = None
    result: Mapping[str, Any] | None = None
    error: GreenroomError | None = None
    done: anyio.Event = attrs.field(factory=anyio.Event)

    def encoded(self) -> bytes:
        return orjson.dumps({"kind": self.kind, "data": self.data})

    def freeze(self) -> None:
        """No more text is added to it."""
        if self.buffer is not None:
            self.data["text"] = self.buffer.text()
            self.buffer.clear()
            self.buffer = None

    def succeed(self, result: Mapping[str, Any]) -> None:
        self.result = result
        self.done.set()

    def fail(self, error: GreenroomError) -> None:
        if self.done.is_set():
            return
        self.error = error
        if self.refused is not None:
            self.refused(error)
        self.done.set()


class RemoteLane:
    """Sends the entries of one run. `heard` is called with the run's state in each answer."""

    def __init__(
        self, server: Asking, run: str, user: str, heard: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._server = server
        self._path = f"/api/runs/{run}/events?user={_quoted(user)}"
        self._heard = heard
        self._waiting: deque[LaneEntry] = deque()
        self._news = anyio.Event()
        self._room = anyio.Event()
        self._idle = anyio.Event()
        self._idle.set()
        self._in_flight: list[LaneEntry] = []
        self._broken: GreenroomError | None = None
        self._sent_at = -PACE.interval

    async def put(self, kind: str, **data: JSON) -> Mapping[str, Any]:
        """Send an entry after those before it; what the server answers. Waits while too many wait.
        Raises what the server refused it with; and `NotAnswered`."""
        waiting = LaneEntry(
            kind, {name: value for name, value in data.items() if value is not None}
        )
        _check(waiting)
        while len(self._waiting) >= MOST_WAITING and self._broken is None:
            self._room = anyio.Event()
            await self._room.wait()
        self._add(waiting)
        await waiting.done.wait()
        if waiting.error is not None:
            raise another(waiting.error)
        assert waiting.result is not None, "it is done, and did not fail"
        return waiting.result

    def put_soon(self, kind: str, **data: JSON) -> None:
        """Send an entry that nothing waits for. What refuses it is logged."""
        if len(self._waiting) < MOST_WAITING:
            self._add(LaneEntry(kind, data, refused=_log))

    def put_text(self, waiting: LaneEntry) -> None:
        """Send text that is in the buffer of an entry, with what is added to it meanwhile."""
        self._add(waiting)

    def more_text(self) -> None:
        """A buffer has more text, perhaps enough to leave."""
        self._news.set()

    async def flushed(self) -> None:
        """Wait until nothing waits, and all was answered."""
        while not self._idle.is_set():
            await self._idle.wait()

    async def serve(self) -> None:
        """Send what comes, for ever."""
        while True:
            while not self._waiting:
                self._idle.set()
                self._news = anyio.Event()
                await self._news.wait()
            await self._pause()
            self._in_flight = self._take()
            await self._send(self._in_flight)

    def close(self, error: GreenroomError) -> None:
        """Nothing is sent any more: whatever waits, or comes, fails with `error`."""
        self._break([*self._in_flight, *self._waiting], self._broken or error)
        self._idle.set()

    def _add(self, waiting: LaneEntry) -> None:
        if self._broken is not None:
            return waiting.fail(self._broken)
        for each in self._waiting if waiting.buffer is None else ():
            each.freeze()  # what is written after this entry must not leave before it
        self._waiting.append(waiting)
        self._idle = anyio.Event() if self._idle.is_set() else self._idle
        self._news.set()
        return None

    async def _pause(self) -> None:
        """Text waits for more of it; anything else takes it along at once."""
        due = self._sent_at + PACE.interval
        while all(each.buffer is not None for each in self._waiting):
            left = due - anyio.current_time()
            if left <= 0 or _size(self._waiting) >= PACE.bytes:
                return
            self._news = anyio.Event()
            with anyio.move_on_after(left):
                await self._news.wait()

    def _take(self) -> list[LaneEntry]:
        for each in self._waiting:
            each.freeze()
        taken = [self._waiting.popleft()]
        size = len(taken[0].encoded())
        while self._waiting and len(taken) < MOST_ENTRIES:
            size += len(self._waiting[0].encoded())
            if size > MOST_BYTES:
                break
            taken.append(self._waiting.popleft())
        self._room.set()
        return taken

    async def _send(self, batch: list[LaneEntry]) -> None:
        """Each entry of a batch is independent: after one that is refused the rest is sent."""
        self._sent_at = anyio.current_time()
        while batch:
            body: JSON = {"events": [{"kind": each.kind, "data": each.data} for each in batch]}
            try:
                answer = await self._server.post(self._path, body, new_key())
            except RunOver as error:
                self._heard(cast("Mapping[str, Any]", error.extra.get("run", {})))
                return self._break([*batch, *self._waiting], error)
            except NotAnswered as error:
                return self._break([*batch, *self._waiting], error)
            except GreenroomError as error:
                batch = self._refused(batch, error)
            else:
                self._heard(answer["run"])
                _answer(batch, answer["results"])
                return None
        return None

    def _refused(self, batch: list[LaneEntry], error: GreenroomError) -> list[LaneEntry]:
        """Fail the entry that was refused; those after it, which were not carried out."""
        said = getattr(error, "problem", None) or {}
        results, index = said.get("results", []), said.get("index", 0)
        _answer(batch[:index], results)
        if "index" not in said:  # the whole request was refused
            for each in batch:
                each.fail(error)
            return []
        batch[index].fail(error)
        return batch[index + 1 :]

    def _break(self, left: list[LaneEntry], error: GreenroomError) -> None:
        self._broken = error
        self._waiting.clear()
        self._room.set()
        for each in left:
            each.fail(error)


def _answer(batch: list[LaneEntry], results: list[Mapping[str, Any]]) -> None:
    for each, result in zip(batch, results, strict=False):
        each.succeed(result)


def _size(waiting: deque[LaneEntry]) -> int:
    return sum(each.buffer.size for each in waiting if each.buffer is not None)


def _check(waiting: LaneEntry) -> None:
    try:
        waiting.encoded()
    except TypeError as error:
        raise BadEvent(f"{waiting.kind}: the data must be JSON: {error}") from error


def _log(error: GreenroomError) -> None:
    logger.warning("the server refused what was said: %s", error)


def _quoted(user: str) -> str:
    return quote(user, safe="")
