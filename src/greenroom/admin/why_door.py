"""The admin endpoint that says why a user did not see something.

`GET /admin/why/SUBJECT` answers with `greenroom.why/1`. The subject is the id of an event, of a
run, of a thread or of a user, in UTF-8 and percent-encoded (RFC 3986).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

import attrs

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.history.unseen.answer import WhyUnseen
from greenroom.delivery.history.unseen.choice import subject_of
from greenroom.delivery.history.unseen.evidence import (
    LiveUser,
    ReadEventEvidence,
    UserCrash,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.user.bans import Bans
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.names import child_id
from greenroom.delivery.user.users import Users
from greenroom.supervisor.errors import SupervisorError
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

WHY = "/admin/why"


@attrs.frozen
class LookedAt:
    """The parts of a server that know something of a user. Looking sends no message."""

    root: StaticSupervisorRef
    users: Users
    bans: Bans
    journal: Journal
    wall_clock: Callable[[], float]

    async def why(self, subject: str) -> WhyUnseen:
        """Why the user did not see it: an event, or what a run or a user lacks. Raises
        `BadId`, `UnknownEvent`, `UnknownUser`, and a `JournalError`."""
        question = ReadEventEvidence(subject_of(subject), round(self.wall_clock() * 1000))
        known = await self.journal.ask(question, whose=subject).wait()
        return WhyUnseen.of(attrs.evolve(known, live=self.live(known.user)))

    def live(self, user: UserId) -> LiveUser:
        """What is known of the user now."""
        handle = self.users.find(user)
        connections = () if handle is None else handle.gauge.look()
        return LiveUser(
            connections=connections,
            unready=0 if handle is None else _open(handle) - len(connections),
            past=self.users.past.of(user),
            banned_until=self.bans.until(user),
            crashes=tuple(self._crashes(user)),
            trouble=self.journal.trouble,
        )

    def _crashes(self, user: UserId) -> Iterator[UserCrash]:
        name = child_id(user)
        for report in self.root.crashes():
            if name in report.path.split("/"):
                yield UserCrash(report.id, report.at, report.path, report.summary)


@attrs.frozen
class WhyDoor:
    """Answers visitors that were checked."""

    looked: LookedAt

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {f"{WHY}/*": self._why}

    async def _why(self, head: RequestHead) -> Response:
        try:
            subject = unquote(head.path.rpartition("/")[2], errors="strict")
        except UnicodeDecodeError as error:
            raise BadRequest("The subject must be in UTF-8.") from error
        return json_answer((await self.looked.why(subject)).as_json())


def _open(handle: UserHandle) -> int:
    try:
        return len(handle.connections.children())
    except SupervisorError:  # it restarts, or stops
        return 0
