"""What an operator of a running server does about one run: cancel it, or have it tried again."""

from __future__ import annotations

from typing import ClassVar

import attrs

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError, UnknownEvent
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.files.taken import files_in
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.user.messages import UserSays
from greenroom.delivery.user.runs.run_queue import WaitingRun
from greenroom.delivery.user.users import Users


class NotThatRun(DeliveryError):
    """The run is not in a state in which this can be done."""

    fault: ClassVar[Fault] = Fault.CALLER


@attrs.frozen
class RunsDesk:
    """Acts on the runs of a running server. Raises `UserUnavailable` and `JournalError`s, too."""

    users: Users
    journal: Journal

    async def cancel(self, user: UserId, run: RunId) -> None:
        """Cancel a run as its user could; returns once it will not go on. Raises `NotThatRun`."""
        async with self.users.lease(user) as handle:
            kept = handle.cancel(run)
            if kept is None:
                raise NotThatRun(
                    f"run {run} is not going on",
                    advice="`greenroom runs list` lists those that are",
                )
            await kept.wait()

    async def retry(self, user: UserId, run: RunId, say: str) -> RunId:
        """Have a run that waits for its next attempt begin it now; for one that has ended, say
        its message again, and return the new run. A second call returns the same run.

        `say`: the key of the run's message. Raises `NotThatRun` for a run that is at work, and
        `UnknownEvent` if the message was trimmed.
        """
        async with self.users.lease(user) as handle:
            live = handle.live_runs.get(run)
            if isinstance(live, WaitingRun) and live.is_again:
                live.hurry()
                return run
            if live is not None or run in {each.run for each in await self.journal.open_runs(user)}:
                raise NotThatRun(f"run {run} is going on", advice="greenroom runs cancel ends it")
            said = await self.journal.said(user, say)
            if said is None or said.run != run:
                raise UnknownEvent(f"what the user said to {run} is not in the journal")
            message = Event.decode(said.body)
            if message.kind is not Kind.USER_SAID:
                raise NotThatRun(f"run {run} was not begun by its user")
            body: JSON = message.data["body"]
            files = files_in(message.data)
            again = UserSays(f"retry of {run}", said.thread, None, body, files)
            return (await handle.actor.ask(again)).run
