"""The reconnecting Python client: a trio shell around `ClientSession`."""

from __future__ import annotations

import logging
import random
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import attrs

from greenroom.actors.guard import call_guarded
from greenroom.actors.reactors.own_thread import check_trio
from greenroom.actors.reply import Reply
from greenroom.actors.text.escaping import one_line
from greenroom.delivery.events.ids import AskId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON, Event
from greenroom.delivery.events.threads import Thread, ThreadsPage
from greenroom.delivery.files.taken import File
from greenroom.transport.client.client_error import ClientError
from greenroom.transport.client.frames import Position, Ready, RequestFailed, integer
from greenroom.transport.client.handshake import CannotConnect, Refused
from greenroom.transport.client.inbox import Inbox, moved
from greenroom.transport.client.line import ConditionWatch, Line, SessionClosed
from greenroom.transport.client.open_asks import OpenAsks
from greenroom.transport.client.session import (
    ClientCommand,
    ClientSession,
    Complaint,
    DeliverArrivals,
    Opened,
    RequestAnswered,
    TypingSeen,
)
from greenroom.transport.client.socket import ServerUrl, plain_nursery
from greenroom.transport.client.token import TokenSource
from greenroom.transport.client.uploading import Uploads
from greenroom.transport.protocol import wire

MAX_WAITING_EVENTS = 1024
OFFSET_BYTES = 17
"""The most that an offset and its comma take in a frame."""

logger = logging.getLogger("greenroom.client")


class ClientClosed(ClientError):
    """The client was closed before the answer came."""


@attrs.frozen
class StartedRun:
    """The run and the thread that a `say` started."""

    run: RunId
    thread: ThreadId


@attrs.frozen
class HistoryPage:
    """Past events in ascending order of their offsets; `more` says that there are earlier ones."""

    events: tuple[Event, ...]
    more: bool


def _random_id() -> str:
    return secrets.token_urlsafe(12)


@asynccontextmanager
async def connect(
    url: str,
    *,
    token: TokenSource,
    position: Position | None = None,
    on_ready: Callable[[Ready], object] | None = None,
    on_typing: Callable[[ThreadId, str], object] | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
    new_id: Callable[[], str] = _random_id,
    wall_clock: Callable[[], float] = time.time,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """A client of the server at `url` (`ws://…` or `wss://…`; the path is `/live` if it has none).

    Entered once the session is ready, however long that takes: bound it with a cancel scope.
    `token` may be an async callable, asked before each connect and before a token expires, so that
    the connection outlives its tokens; when it fails, or gives an old one, it is asked again.
    `position` resumes a session of an earlier process. `on_ready` is called at each (re)connect:
    `recovered` False after a resume says that events were missed, and that events taken with an
    offset beyond its `after` no longer count. `ssl_context`: the authorities to trust for `wss://`.

    Raises `BadUrl`, `WrongHost` outside of trio, `TypeError` for a token of another type, and
    `CannotConnect`, `Refused` or `SessionClosed` when there is no use in coming back; so do the
    client's methods later. Any other trouble on the way is logged as a warning, once for each
    cause, and tried again.
    """
    check_trio("greenroom.connect()", "use trio.run, or asyncio.to_thread(trio.run, …)")
    where = ServerUrl.parse(url, ssl_context)
    client = Client(where, token, ClientSession(position), uniform, new_id, wall_clock)
    client.on_ready = on_ready
    client.on_typing = on_typing
    try:
        async with plain_nursery() as nursery:
            nursery.start_soon(client._run)
            try:
                await client._watch.until(lambda: client._session.ready is not None)
                yield client
            finally:
                await client._line.say_goodbye()
                nursery.cancel_scope.cancel()
    finally:
        client._fail(partial(ClientClosed, "the client was closed"))


class Client(Uploads):
    """One session with a server, across any number of sockets. Made by `connect`.

    Received events are kept until `events` takes them; past `MAX_WAITING_EVENTS` the client
    stops reading, unless an answer is awaited.
    """

    on_ready: Callable[[Ready], object] | None = None
    on_typing: Callable[[ThreadId, str], object] | None = None

    def __init__(
        self,
        url: ServerUrl,
        token: TokenSource,
        session: ClientSession,
        uniform: Callable[[float, float], float],
        new_id: Callable[[], str],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._new_id = new_id
        self._user: UserId | None = None
        self._inbox = Inbox()
        self._asks = OpenAsks()
        self._answers: dict[str, Reply[Mapping[str, JSON]]] = {}
        self._watch = ConditionWatch()
        self._line = Line(
            url,
            token,
            session,
            self._watch,
            perform=self._perform,
            has_room=self._has_room,
            uniform=uniform,
            refresh=self.refresh,
            wall_clock=wall_clock,
        )

    @property
    def user(self) -> UserId:
        """The user whose token it is. Raises `ClientError` before the client is connected."""
        if self._user is None:
            raise ClientError("the client is not connected", advice="use it inside `connect(…)`")
        return self._user

    @property
    def position(self) -> Position | None:
        """Where a later process may resume: behind the last event that was taken from `events`.

        Store it after you have handled an event: later events that were received come again then.
        """
        taken, now = self._inbox.position, self._session.position
        return taken if taken is None or now is None else moved(taken, now)

    def events(self) -> AsyncIterator[Event]:
        """Iterate over every event, in order, once; wait for the next one if there is none.

        You may leave the loop and start another at any time. Raises `SessionClosed`, `Refused` or
        `CannotConnect` once the session has ended for good.
        """
        return _EventIterator(self._next_event)

    async def _next_event(self) -> Event:
        await self._watch.until(lambda: len(self._inbox) > 0)
        event = self._inbox.take()
        self._watch.wake()
        return event

    async def say(
        self,
        body: JSON,
        *,
        thread: ThreadId | None = None,
        id: str | None = None,  # noqa: A002
        files: Sequence[File] = (),
    ) -> StartedRun:
        """Speak; starts a run. Sent again after a reconnect until answered, never run twice.

        Raises `RequestFailed`, and its kind `BadMessage` for what cannot be sent: it is bigger than
        the server takes, or no JSON, or has text with half a surrogate pair. Give `id` to make it
        the same `say` across processes, too. `files`: what `upload` returned.
        """
        answer = await self._ask(wire.Say(id or self._new_id(), body, thread, tuple(files)))
        return StartedRun(RunId.parse(str(answer["run"])), ThreadId.parse(str(answer["thread"])))

    @property
    def asks(self) -> tuple[Event, ...]:
        """The `input_requested` of each question that is open, oldest first, in any thread."""
        return self._asks.events

    async def answer(self, ask: str | Event, value: JSON) -> int:
        """Answer a question, by its id or its `input_requested`; returns the answer's offset.

        Sent again after a reconnect until answered. The first answer counts: the same one again
        returns the same offset. Raises `BadId`, and `RequestFailed`: code 4508 if there is another
        answer, 4502 if the question does not allow this one, is closed, or is not this user's.
        """
        id_ = AskId.parse(str(ask.data["ask"]) if isinstance(ask, Event) else ask)
        answer = await self._ask(wire.AnswerRequest(self._new_id(), id_, value))
        return integer(answer["offset"])

    async def cancel(self, run: RunId) -> None:
        """Stop a run of this user; its end arrives as an event.

        Raises `RequestFailed` if no such run is going on.
        """
        await self._ask(wire.CancelRun(self._new_id(), run))

    async def history(
        self, thread: ThreadId | None = None, *, before: int | None = None, limit: int = 100
    ) -> HistoryPage:
        """Read a page of past events: the last `limit` (1 to 200) before the offset `before`.

        Without `before` the page ends with the newest event; without `thread` it has the events of
        all threads. For the page before it, pass the offset of its first event. Raises
        `RequestFailed`.
        """
        answer = await self._ask(wire.HistoryRequest(self._new_id(), limit, thread, before))
        events = answer["events"]
        if not isinstance(events, list):
            raise ClientError("the server's answer to `history` has no list of events")
        return HistoryPage(tuple(map(Event.from_json, events)), answer["more"] is True)

    async def threads(
        self,
        *,
        before: ThreadId | int | None = None,
        limit: int = 100,
        archived: bool = False,
    ) -> ThreadsPage:
        """The user's threads that are archived, or those that are not; the one used last first.

        `before`: the last thread of the page before, or its `updated`. `limit` ≤ 100. Raises
        `RequestFailed`.
        """
        request = wire.ThreadsRequest(self._new_id(), limit, before, archived or None)
        answer = await self._ask(request)
        threads = answer["threads"]
        if not isinstance(threads, list):
            raise ClientError("the server's answer to `threads` has no list of threads")
        return ThreadsPage(tuple(map(Thread.from_json, threads)), answer["more"] is True)

    async def set_title(self, thread: ThreadId, title: str) -> Thread:
        """Name a thread, in at most 200 characters. Raises `RequestFailed`."""
        answer = await self._ask(wire.ChangeThread(self._new_id(), thread, title=title))
        return Thread.from_json(answer)

    async def archive(self, thread: ThreadId, *, archived: bool = True) -> Thread:
        """Archive a thread, or take it back. Raises `RequestFailed`."""
        answer = await self._ask(wire.ChangeThread(self._new_id(), thread, archived=archived))
        return Thread.from_json(answer)

    async def erase(self, thread: ThreadId) -> None:
        """Erase a thread for good; its live runs are cancelled first. Raises `RequestFailed`."""
        await self._ask(wire.EraseRequest(self._new_id(), thread))

    async def refresh(self, token: str) -> int | None:
        """Give the server a new token before the old one expires.

        Returns when the new one expires, in ms since the Unix epoch; None if it never does. Raises
        `RequestFailed` if the server refuses it, and `SessionClosed` if it is another user's.
        """
        answer = await self._ask(wire.Refresh(self._new_id(), token))
        if isinstance(self._line.tokens.given, str):
            self._line.tokens.given = token
        expires = answer.get("expires")
        return expires if isinstance(expires, int) else None

    async def displayed(self, offsets: Iterable[int]) -> None:
        """Report that the events at these offsets were shown to the user.

        Waits for a socket that takes the report, but not for an answer: there is none. Raises
        `BadMessage`.
        """
        shown = tuple(offsets)
        at_once = max(1, min(wire.MAX_DISPLAYED, self._line.limit // OFFSET_BYTES - 1))
        for start in range(0, len(shown), at_once):
            await self._line.send(wire.Displayed(shown[start : start + at_once]))

    async def confirm(self, offset: int, verdict: JSON = None, note: str | None = None) -> None:
        """Report what the user thinks of the event at `offset`.

        `verdict` is any JSON that your program understands, such as True; `note` is the user's
        text. Waits as `displayed` does. Raises `BadMessage`.
        """
        await self._line.send(wire.Confirm(offset, verdict, note))

    async def typing(self, thread: ThreadId) -> None:
        """Show that the user is typing. Dropped silently while there is no connection."""
        await self._line.send_volatile(wire.Typing(thread))

    async def _ask(self, request: wire.ClientRequest) -> Mapping[str, JSON]:
        """Send a request, now or after the next `ready`, and wait for its answer."""
        self._watch.check_thread()
        if self._watch.failure is not None:
            raise self._watch.failure()
        if request.id in self._answers:
            raise ClientError(f"the request {request.id!r} still waits for its answer")
        self._session.request(request)
        reply = self._answers[request.id] = Reply()
        self._watch.wake()
        try:
            return await reply.wait()
        finally:
            self._session.forget(request.id)
            del self._answers[request.id]

    async def _run(self) -> None:
        try:
            await self._line.run()
        except SessionClosed as error:
            self._fail(partial(SessionClosed, error.code, error.reason))
        except Refused as error:
            self._fail(partial(Refused, error.status, error.text))
        except CannotConnect as error:
            self._fail(partial(CannotConnect, error.message, advice=error.advice))

    def _perform(self, command: ClientCommand) -> None:
        match command:
            case Opened(ready, position, lost):
                self._opened(ready, position, lost=lost)
            case DeliverArrivals(arrivals):
                self._asks.arrived([each.event for each in arrivals])
                self._inbox.put(arrivals)
            case RequestAnswered(id_, answer):
                self._answer(id_, answer)
            case TypingSeen(thread, sender) if self.on_typing is not None:
                self._tell(partial(self.on_typing, ThreadId.trusted(thread), sender))
            case Complaint(code, message):
                said = one_line(message)
                logger.warning("the server could not use a frame: %s [%d]", said, code)

    def _opened(self, ready: Ready, position: Position, *, lost: bool) -> None:
        self._user = ready.user
        self._asks.ready(ready)
        if lost:
            self._inbox.forget(ready.after, ready.epoch)
        if lost or self._inbox.position is None:
            self._inbox.begin(position)
        if self.on_ready is not None:
            self._tell(partial(self.on_ready, ready))

    def _tell(self, callback: Callable[[], object]) -> None:
        """It runs among what keeps the connection, which its failure must not end."""
        call_guarded("a callback of the program failed", callback)

    def _answer(self, id_: str, answer: Mapping[str, JSON] | RequestFailed) -> None:
        reply = self._answers.get(id_)
        if reply is None:
            return
        if isinstance(answer, RequestFailed):
            reply.fail(answer)
        else:
            reply.succeed(answer)

    def _has_room(self) -> bool:
        """An awaited answer may come behind any number of events, so its reading goes on."""
        return len(self._inbox) < MAX_WAITING_EVENTS or self._session.is_waiting

    def _fail(self, failure: Callable[[], ClientError]) -> None:
        """Each waiter gets its own exception. The first failure stays."""
        failure = self._watch.failure = self._watch.failure or failure
        for reply in self._answers.values():
            reply.fail(failure())
        self._watch.wake()


class _EventIterator(AsyncIterator[Event]):
    """Not an async generator: a generator left by `break` would need closing."""

    def __init__(self, take: Callable[[], Awaitable[Event]]) -> None:
        self._take = take

    async def __anext__(self) -> Event:
        return await self._take()
