"""What a journal tells its server of the other nodes that share it (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Never, Protocol

import attrs

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.nodes.notice import Notice, What
from greenroom.delivery.journal.node import Node, NoticePage
from greenroom.delivery.journal.reads import Question, Reads


class Follower(Protocol):
    """Learns what other nodes do. Its methods do not block."""

    def appended(self, users: Sequence[UserId]) -> None:
        """Another node has kept something of these users."""

    def noticed(self, notice: Notice) -> None:
        """Another node says something of a user. If the journal keeps the notice, it is there."""

    def taken_over(self, runs: Sequence[tuple[UserId, RunId]]) -> None:
        """The lease of another node is over, and this one has its open runs now."""

    async def lease_lost(self) -> None:
        """Another node has taken this one's lease, and the open runs with it. When this returns,
        nothing more of these runs is appended."""


@attrs.frozen
class ClaimedRun:
    """An open run that came out of the queue, or a sub-run of one, and is this node's. `stopped`:
    by the user."""

    user: UserId
    run: RunId
    stopped: bool


@attrs.frozen
class Withdrawn:
    """The runs that a node withdrew, to end them. `attended`: whether there is a worker."""

    attended: bool
    runs: Sequence[ClaimedRun]


class Claims(Protocol):
    """What nodes take out of the queue. Both answers have all open runs that came from there and
    are this node's, also those of earlier calls. Raises `JournalError`s."""

    async def claim(self, agents: Sequence[str], most: int, per_user: int) -> Sequence[ClaimedRun]:
        """Take runs of these agents, until this worker has `most`, and workers together have
        `per_user` of each user; those of users with few runs first, and the oldest of them."""
        ...

    async def withdraw(self, agent: str, late: float | None) -> Withdrawn:
        """Take the runs of this agent that their users stopped; and those that have waited for
        `late` seconds, if no worker has the agent."""
        ...


class Nodes(Protocol):
    """A journal that several nodes share."""

    @property
    def number(self) -> int | None:
        """That of this node: a new one after it lost its lease, and None in between."""
        ...

    def listens(self, host: str, port: int) -> None:
        """Let it be known, soon, at which address this node listens."""
        ...

    @property
    def leads(self) -> bool:
        """Whether this is the node that does what one must do for all: the oldest one."""
        ...

    @property
    def hears(self) -> bool:
        """Whether wake-ups of other nodes arrive."""
        ...

    @property
    def claims(self) -> Claims:
        """The queue of runs that wait for a worker."""
        ...

    @property
    def place(self) -> object:
        """Where in the notices this node begins: before it read anything of the journal."""
        ...

    def send(self, notice: Notice) -> None:
        """Send a notice to the other nodes, soon. It may be lost; those that matter are appended to
        the journal instead."""
        ...

    async def follow(self, follower: Follower) -> Never:
        """Tell the follower what other nodes do, until cancelled. Wake-ups may be missed: look at
        `ReadLasts` and `ReadNotices` now and then, too."""
        ...


class Shared(Protocol):
    """A journal, of which one asks whether other nodes share it."""

    @property
    def nodes(self) -> Nodes | None: ...


def leads(journal: Shared) -> bool:
    """Whether this server does what one must do for all: settle events, forget old ones."""
    return journal.nodes is None or journal.nodes.leads


def notices_of(journal: Shared, user: UserId, what: What, *of: str | int) -> Sequence[Notice]:
    """What to append to tell other nodes of something: nothing if there are none ever."""
    return () if journal.nodes is None else (Notice(user, what, of),)


@attrs.frozen
class ReadNodes(Question[list[Node]]):
    """The nodes of the journal, oldest first; none if it has one writer."""

    def answer(self, reads: Reads) -> list[Node]:
        return reads.nodes()


@attrs.frozen
class ReadLasts(Question[Mapping[UserId, int]]):
    """The last offset of each of these users. Ask for a bounded number."""

    users: Sequence[UserId]

    def answer(self, reads: Reads) -> Mapping[UserId, int]:
        return reads.lasts(self.users)


@attrs.frozen
class ReadNotices(Question[NoticePage]):
    """The notices that other nodes appended since another page."""

    place: object
    limit: int

    def answer(self, reads: Reads) -> NoticePage:
        return reads.notices(self.place, self.limit)
