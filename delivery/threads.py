"""A user's threads, for the service that embeds the runtime: list, name, archive, erase."""

from __future__ import annotations

from greenroom.delivery.events.ids import ThreadId, UserId, named
from greenroom.delivery.events.threads import (
    Thread,
    ThreadsPage,
    UnknownThread,
    checked_title,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadThread, ReadThreads
from greenroom.delivery.user.messages import EraseThread
from greenroom.delivery.user.users import Users


class Threads:
    """One user's threads. Raises `BadId` for what is no thread's id, and `JournalError`s."""

    def __init__(self, users: Users, journal: Journal, user: UserId) -> None:
        self._users = users
        self._journal = journal
        self._user = user

    async def list(
        self, *, before: str | int | None = None, limit: int = 100, archived: bool = False
    ) -> ThreadsPage:
        """The threads that are archived, or those that are not; the one used last first.

        `before`: the last thread of the page before, or its `updated` (ms). Raises `UnknownThread`,
        and `ValueError` for a limit that is not from 1 to 100.
        """
        place = ThreadId.parse(before) if isinstance(before, str) else before
        question = ReadThreads(self._user, place, limit, archived)
        return await self._journal.ask(question, whose=self._user).wait()

    async def show(self, thread: str) -> Thread:
        """One thread. Raises `UnknownThread`."""
        known = named(ThreadId.parse(thread))
        found = await self._journal.ask(ReadThread(self._user, known), whose=self._user).wait()
        if found is None:
            raise _unknown(known)
        return found

    async def title(self, thread: str, title: str) -> None:
        """Name a thread. Raises `UnknownThread`, and `ValueError` for a title that is not 1 to 200
        characters long or is only spaces."""
        await self._change(named(ThreadId.parse(thread)), title=checked_title(title))

    async def archive(self, thread: str, *, archived: bool = True) -> None:
        """Archive a thread, or take it back. Raises `UnknownThread`."""
        await self._change(named(ThreadId.parse(thread)), archived=archived)

    async def erase(self, thread: str) -> None:
        """Erase a thread for good: its events, their marks and dead letters.

        Its live runs are cancelled first. Returns once everything is gone; a call that is cancelled
        or fails may have erased a part. Erasing what is not there does nothing. Raises
        `UserUnavailable`.
        """
        known = named(ThreadId.parse(thread))
        async with self._users.lease(self._user) as user:
            await user.actor.ask(EraseThread(known))

    async def _change(
        self, thread: ThreadId, *, title: str | None = None, archived: bool | None = None
    ) -> None:
        journal = self._journal
        reply = journal.change_thread_soon(self._user, thread, title=title, archived=archived)
        if not await reply.wait():
            raise _unknown(thread)


def _unknown(thread: ThreadId) -> UnknownThread:
    return UnknownThread(f"there is no thread {thread}", advice="list the user's threads")
