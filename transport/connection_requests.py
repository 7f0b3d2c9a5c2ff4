"""What a client asks for with an `id`: carried out, and answered with an event for the machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import attrs
import outcome

from greenroom.actors.errors import ActorError, GreenroomError
from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.actors.ref import Request
from greenroom.actors.reply import Outcome, Reply
from greenroom.actors.safe_text import safe_str
from greenroom.delivery.errors import is_of_the_server, words_for_clients
from greenroom.delivery.ids import SessionId, UserId
from greenroom.delivery.journal import Page
from greenroom.delivery.journal_writer import LookUp
from greenroom.delivery.run_queue import TooManyRuns
from greenroom.delivery.user_handle import UserHandle
from greenroom.delivery.user_messages import RunStarted, UserSays
from greenroom.supervisor.errors import SupervisorError
from greenroom.transport import wire
from greenroom.transport.auth import Authenticator, Identity
from greenroom.transport.close_codes import CloseCode
from greenroom.transport.connection_events import (
    HistoryRead,
    RequestFailed,
    RunBegan,
    RunCancelled,
    TokenRefreshed,
)
from greenroom.transport.errors import BadToken

logger = logging.getLogger("greenroom.transport")

R = TypeVar("R")

HISTORY_BYTES = 1024 * 1024
"""A page of history ends early here; `more` then says that there is more."""

ClientRequest: TypeAlias = wire.Say | wire.CancelRun | wire.HistoryRequest | wire.Refresh


@attrs.frozen
class Requests:
    """One connection's requests. `answer` takes the event, now or when the answer is there."""

    user: UserHandle
    authenticator: Authenticator
    wall_clock: Callable[[], float]
    answer: Callable[[object], None]

    async def carry(self, request: ClientRequest, session: SessionId | None) -> None:
        """Carry out one request. Waits for nothing but the check of a token."""
        match request:
            case wire.Say():
                self._say(request, session)
            case wire.CancelRun():
                self.answer(self._cancel(request))
            case wire.HistoryRequest():
                self._read_history(request)
            case wire.Refresh():
                self.answer(await self._check_token(request))

    def ask_user(
        self,
        request: Request[R],
        done: Callable[[R], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Ask the user actor without waiting; the answer is an event made by `done` or `failed`."""
        self._pipe(lambda: self.user.actor.request(request), done, failed)

    def lifetime(self, identity: Identity) -> tuple[float | None, int | None]:
        """How long the token is good for, in seconds; and until when, in ms."""
        if identity.expires_at is None:
            return None, None
        left = identity.expires_at - self.wall_clock()
        return max(0.0, left), round(identity.expires_at * 1000)

    def _say(self, say: wire.Say, session: SessionId | None) -> None:
        def began(started: RunStarted) -> object:
            return RunBegan(say.id, started)

        request = UserSays(say.id, say.thread, session, say.body)
        self.ask_user(request, began, lambda error: self._failed(say, error))

    def _cancel(self, cancel: wire.CancelRun) -> RunCancelled | RequestFailed:
        if self.user.cancel(cancel.run):
            return RunCancelled(cancel.id, cancel.run)
        message = f"no run {cancel.run} of yours is going on"
        self.user.observer.lookup_failed("run")
        return self._refused(cancel, CloseCode.PROTOCOL_ERROR, message)

    def _read_history(self, request: wire.HistoryRequest) -> None:
        def read(page: Page) -> object:
            if request.thread is not None and request.before is None and not page.records:
                self.user.observer.lookup_failed("thread")
            kept = _newest_within(page, HISTORY_BYTES)
            return HistoryRead(request.id, kept, page.more or len(kept.records) < len(page.records))

        question = _history_of(self.user.user, request)
        self._pipe(
            lambda: self.user.look_up.request(question),
            read,
            lambda error: self._failed(request, error),
        )

    async def _check_token(self, refresh: wire.Refresh) -> TokenRefreshed | RequestFailed:
        try:
            identity = await self.authenticator.authenticate(refresh.token)
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
        return TokenRefreshed(refresh.id, identity.user, *self.lifetime(identity))

    def _pipe(
        self,
        ask: Callable[[], Reply[R]],
        done: Callable[[R], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        def answered(result: Outcome[R]) -> None:
            if isinstance(result, outcome.Error):
                self.answer(failed(result.error))
            else:
                self.answer(done(result.value))

        try:
            ask().then(answered)
        except (ActorError, SupervisorError) as error:
            self.answer(failed(error))

    def _failed(self, request: ClientRequest, error: BaseException) -> RequestFailed:
        if is_of_the_server(error):
            logger.warning("%s was not done: %s", wire.type_of(request), safe_str(error))
        temporary = not isinstance(error, GreenroomError) or error.temporary
        too_many = isinstance(error, TooManyRuns)
        code = CloseCode.RATE_LIMIT if too_many else CloseCode.SERVER_ERROR
        return self._refused(request, code, words_for_clients(error), temporary=temporary)

    def _refused(
        self, request: ClientRequest, code: CloseCode, message: str, *, temporary: bool = False
    ) -> RequestFailed:
        self._count_refusal(request, code)
        return RequestFailed(request.id, code, message, temporary)

    def _count_refusal(self, request: ClientRequest, code: CloseCode) -> None:
        self.user.observer.request_refused(wire.type_of(request), code)


def _history_of(user: UserId, request: wire.HistoryRequest) -> LookUp[Page]:
    return LookUp(
        lambda journal: journal.history(
            user, thread=request.thread, before=request.before, limit=request.limit
        )
    )


def _newest_within(page: Page, limit: int) -> Page:
    size, kept = 0, 0
    for record in reversed(page.records):
        size += len(record.body)
        if size > limit and kept:
            break
        kept += 1
    return Page(page.records[len(page.records) - kept :], page.more)
