"""A client's requests about the threads of its user: the list, titles, the archive, erasure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs
import outcome

from greenroom.actors.ref import Ref
from greenroom.actors.reply import ReplyOutcome
from greenroom.delivery.events.threads import Thread, ThreadsPage, UnknownThread
from greenroom.delivery.journal.reads import ReadThread, ReadThreads
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import EraseThread
from greenroom.transport.connection.machine.events import RequestDone, RequestRefused
from greenroom.transport.connection.messages import ConnectionMessage
from greenroom.transport.protocol import wire

ThreadRequest: TypeAlias = wire.ThreadsRequest | wire.ChangeThread | wire.EraseRequest


@attrs.frozen
class ThreadRequests:
    """One connection's requests about threads; `answer` takes what becomes of each."""

    user: UserHandle
    connection: Ref[ConnectionMessage]
    answer: Callable[[object], None]
    failed: Callable[[wire.ClientRequest, BaseException], RequestRefused]

    def carry(self, request: ThreadRequest) -> None:
        """Carry out one request, without waiting for what that takes."""
        match request:
            case wire.ThreadsRequest():
                self._list(request)
            case wire.ChangeThread():
                self._change(request)
            case wire.EraseRequest():
                erase = EraseThread(request.thread)
                self.user.ask_soon(erase, partial(self._erased, request))

    def _list(self, request: wire.ThreadsRequest) -> None:
        whose, archived = self.user.user, bool(request.archived)
        question = ReadThreads(whose, request.before, request.limit, archived)
        reply = self.user.journal.ask(question, whose=whose, asker=self.connection)
        reply.then(partial(self._listed, request))

    def _listed(self, request: wire.ThreadsRequest, page: ReplyOutcome[ThreadsPage]) -> None:
        if isinstance(page, outcome.Error):
            self.answer(self.failed(request, page.error))
            return
        threads = [thread.as_json() for thread in page.value.threads]
        self.answer(RequestDone(request.id, {"threads": threads, "more": page.value.more}))

    def _change(self, request: wire.ChangeThread) -> None:
        whose, title, archived = self.user.user, request.title, request.archived
        journal = self.user.journal
        reply = journal.change_thread_soon(whose, request.thread, title=title, archived=archived)
        reply.then(partial(self._changed, request))

    def _changed(self, request: wire.ChangeThread, changed: ReplyOutcome[bool]) -> None:
        if isinstance(changed, outcome.Error):
            self.answer(self.failed(request, changed.error))
            return
        whose = self.user.user
        question = ReadThread(whose, request.thread)
        reply = self.user.journal.ask(question, whose=whose, asker=self.connection)
        reply.then(partial(self._shown, request))

    def _shown(self, request: wire.ChangeThread, thread: ReplyOutcome[Thread | None]) -> None:
        if isinstance(thread, outcome.Error):
            self.answer(self.failed(request, thread.error))
        elif thread.value is None:
            unknown = UnknownThread(f"there is no thread {request.thread}")
            self.answer(self.failed(request, unknown))
        else:
            self.answer(RequestDone(request.id, thread.value.as_json()))

    def _erased(self, request: wire.EraseRequest, done: ReplyOutcome[None]) -> None:
        if isinstance(done, outcome.Error):
            self.answer(self.failed(request, done.error))
        else:
            self.answer(RequestDone(request.id, {"thread": request.thread}))
