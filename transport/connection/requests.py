"""What a client asks for with an `id`: carried out, and answered with an event for the machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import attrs
import outcome

from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.actors.ref import Ref
from greenroom.actors.reply import ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.asks.questions import AnswerRefused
from greenroom.delivery.errors import is_of_the_server, words_for_clients
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.ids import SessionId
from greenroom.delivery.events.record import Page
from greenroom.delivery.events.threads import UnknownThread
from greenroom.delivery.files.taken import FileRefused
from greenroom.delivery.journal.reads import ReadHistory
from greenroom.delivery.user.asks import (
    AlreadyAnswered,
    AskClosed,
    TooManyAnswers,
    UnknownAsk,
)
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import AnswerAsk, RunStarted, UserSays
from greenroom.delivery.user.runs.run_queue import TooManyRuns
from greenroom.delivery.user.runs.says import SayConflict
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.connection.file_requests import FileRequests, TooManyUploads
from greenroom.transport.connection.machine.events import (
    HistoryRead,
    RequestDone,
    RequestRefused,
    RunBegan,
    RunCancelled,
    TokenRefreshed,
)
from greenroom.transport.connection.messages import Answered, ConnectionMessage
from greenroom.transport.connection.socket.ordered_writer import Starter
from greenroom.transport.connection.thread_requests import ThreadRequests
from greenroom.transport.connection.token_watch import TokenWatch
from greenroom.transport.protocol import frame_codec, wire
from greenroom.transport.protocol.close_codes import CloseCode

logger = logging.getLogger("greenroom.transport")

HISTORY_WAITING, TOKENS_WAITING = 100, 10
"""How many requests for history of one connection, and how many new tokens, may wait while another
is answered."""


@attrs.define(eq=False)
class Requests:
    """One connection's requests. `connection`, its actor's ref, gets the answers.

    History is read a page at a time, the next page once the last one is written. So a client that
    asks and does not read costs one page at most. New tokens are checked one after another, in a
    task that `beside` starts and that lives only meanwhile.
    """

    user: UserHandle
    token: TokenWatch
    wall_clock: Callable[[], float]
    connection: Ref[ConnectionMessage]
    beside: Starter
    _histories: list[wire.HistoryRequest] = attrs.field(factory=list)
    _page: object = None  # the answer that is owed, or on its way to the socket
    _reading: bool = False
    _files: FileRequests | None = None
    _refreshes: list[wire.Refresh] = attrs.field(factory=list)  # the first one is being checked

    def carry(self, request: wire.ClientRequest, session: SessionId | None) -> None:
        """Carry out one request, without waiting for what that takes."""
        match request:
            case wire.Say():
                self._say(request, session)
            case wire.FileUpload() | wire.DiscardFile():
                self._uploads().take(request)
            case wire.CancelRun():
                self._cancel(request)
            case wire.HistoryRequest():
                self._ask_history(request)
            case wire.ThreadsRequest() | wire.ChangeThread() | wire.EraseRequest():
                threads = ThreadRequests(self.user, self.connection, self._answer, self._failed)
                threads.carry(request)
            case wire.AnswerRequest():
                self._answer_ask(request, session)
            case wire.Refresh():
                self._check(request)

    def is_page(self, event: object) -> bool:
        """Whether the answer is a page of history: it must leave before the next one is read."""
        return event is self._page

    def page_has_left(self) -> None:
        """The page of history that was written is with the system: the next one may be read."""
        self._page, self._reading = None, False
        if self._histories:
            self._read_history(self._histories.pop(0))

    def drop(self) -> None:
        """The connection ends: requests that wait are dropped."""
        self._histories.clear()
        if self._files is not None:
            self._files.drop()
        del self._refreshes[1:]

    def _uploads(self) -> FileRequests:
        if self._files is None:
            self._files = FileRequests(self.user, self.connection, self._answer, self._failed)
        return self._files

    def lifetime(self, identity: Identity) -> tuple[float | None, int | None]:
        """How long the token stays valid, in seconds, and until when, in ms since the Unix epoch.
        Both are None if it never expires."""
        if identity.expires_at is None:
            return None, None
        left = identity.expires_at - self.wall_clock()
        return max(0.0, left), round(identity.expires_at * 1000)

    def _say(self, say: wire.Say, session: SessionId | None) -> None:
        request = UserSays(say.id, say.thread, session, say.body, say.files)
        self.user.ask_soon(request, partial(self._said, say))

    def _said(self, say: wire.Say, result: ReplyOutcome[RunStarted]) -> None:
        if isinstance(result, outcome.Error):
            self._answer(self._failed(say, result.error))
        else:
            self._answer(RunBegan(say.id, result.value))

    def _answer_ask(self, answer: wire.AnswerRequest, session: SessionId | None) -> None:
        request = AnswerAsk(answer.ask, session, answer.value)
        self.user.ask_soon(request, partial(self._ask_answered, answer))

    def _ask_answered(self, answer: wire.AnswerRequest, result: ReplyOutcome[int]) -> None:
        if isinstance(result, outcome.Error):
            self._answer(self._failed(answer, result.error))
        else:
            self._answer(RequestDone(answer.id, {"offset": result.value}))

    def _cancel(self, cancel: wire.CancelRun) -> None:
        kept = self.user.cancel(cancel.run)
        if kept is not None:
            kept.then(partial(self._cancelled, cancel))
        else:
            message = f"no run {cancel.run} of yours is going on"
            self.user.observer.lookup_failed("run")
            self._answer(self._refused(cancel, CloseCode.PROTOCOL_ERROR, message))

    def _cancelled(self, cancel: wire.CancelRun, _: ReplyOutcome[None]) -> None:
        """The run is cancelled here even if the journal could not keep that."""
        self._answer(RunCancelled(cancel.id, cancel.run))

    def _ask_history(self, request: wire.HistoryRequest) -> None:
        if not self._reading:
            self._read_history(request)
        elif len(self._histories) < HISTORY_WAITING:
            self._histories.append(request)
        else:
            waiting = f"at most {HISTORY_WAITING} requests for history may wait: ask again later"
            self._answer(self._refused(request, CloseCode.RATE_LIMIT, waiting, temporary=True))

    def _read_history(self, request: wire.HistoryRequest) -> None:
        self._reading = True
        user = self.user.user
        question = ReadHistory(user, request.thread, request.before, request.limit)
        reply = self.user.journal.ask(question, whose=user, asker=self.connection)
        reply.then(partial(self._history_read, request, self.user.gauge.erasures))

    def _history_read(
        self, request: wire.HistoryRequest, erasures: int, result: ReplyOutcome[Page]
    ) -> None:
        if erasures != self.user.gauge.erasures:
            self._read_history(request)  # the page may have events that were erased since
            return
        if isinstance(result, outcome.Error):
            self._page = self._failed(request, result.error)
        else:
            self._page = self._page_of(request, result.value)
        self._answer(self._page)

    def _page_of(self, request: wire.HistoryRequest, page: Page) -> HistoryRead:
        if request.thread is not None and request.before is None and not page.records:
            self.user.observer.lookup_failed("thread")
        return HistoryRead(request.id, page, page.more)

    def _check(self, refresh: wire.Refresh) -> None:
        if len(self._refreshes) > TOKENS_WAITING:
            waiting = f"at most {TOKENS_WAITING} new tokens may wait: send another one later"
            self._answer(self._refused(refresh, CloseCode.RATE_LIMIT, waiting, temporary=True))
            return
        self._refreshes.append(refresh)
        if len(self._refreshes) == 1:
            self.beside.start_soon(self._check_all)

    async def _check_all(self) -> None:
        while self._refreshes:
            self._answer(await self._check_token(self._refreshes[0]))
            del self._refreshes[0]

    async def _check_token(self, refresh: wire.Refresh) -> TokenRefreshed | RequestRefused:
        try:
            identity = await self.token.validity.authenticate(refresh.token)
        except BadToken as error:
            logger.info("a new token was refused: %s", error.message)
            return self._refused(refresh, CloseCode.BAD_TOKEN, error.message)
        except BaseException as error:
            if must_go_on(error):
                raise
            log_failure(logger, error, "a new token could not be checked")
            words = "the server cannot check tokens now"
            return self._refused(refresh, CloseCode.SERVER_ERROR, words, temporary=True)
        if identity.user != self.user.user:
            logger.warning("a new token was refused: it is another user's")
            self._count_refusal(refresh, CloseCode.IDENTITY_CHANGED)
        else:
            self.token.identity = identity
        return TokenRefreshed(refresh.id, identity.user, *self.lifetime(identity))

    def _failed(self, request: wire.ClientRequest, error: BaseException) -> RequestRefused:
        if is_of_the_server(error):
            logger.warning("%s was not done: %s", frame_codec.type_of(request), safe_str(error))
        temporary = not isinstance(error, GreenroomError) or error.temporary
        return self._refused(
            request, _code_of(error), words_for_clients(error), temporary=temporary
        )

    def _refused(
        self, request: wire.ClientRequest, code: CloseCode, message: str, *, temporary: bool = False
    ) -> RequestRefused:
        self._count_refusal(request, code)
        return RequestRefused(request.id, code, message, temporary)

    def _answer(self, event: object) -> None:
        self.connection.tell_owed(Answered(event))

    def _count_refusal(self, request: wire.ClientRequest, code: CloseCode) -> None:
        self.user.observer.request_refused(frame_codec.type_of(request), code)


def _code_of(error: BaseException) -> CloseCode:
    match error:
        case TooManyRuns() | TooManyAnswers() | TooManyUploads():
            return CloseCode.RATE_LIMIT
        case SayConflict() | FileRefused() | BadEvent() | UnknownThread():
            return CloseCode.PROTOCOL_ERROR
        case AnswerRefused() | UnknownAsk() | AskClosed():
            return CloseCode.PROTOCOL_ERROR
        case AlreadyAnswered():
            return CloseCode.ALREADY_ANSWERED
    return CloseCode.SERVER_ERROR
