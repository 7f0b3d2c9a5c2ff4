"""What a journal tells its server of the other nodes that share it (pure)."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Never, Protocol

import attrs

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.journal.node import Node
from greenroom.delivery.journal.reads import Question, Reads


class What(enum.StrEnum):
    """What a notice is about, and what it says beside the user: `of`."""

    CANCEL = "cancel"
    """A run is to be cancelled: its id."""
    TYPING = "typing"
    """Someone is writing: the thread, and who."""
    SESSION = "session"
    """A session is attached at another node: its id, and the connection's."""
    THREAD_ERASED = "thread_erased"
    """A thread is erased: its id, and the offset through which."""
    USER_ERASED = "user_erased"
    """All of the user is erased, or about to be."""
    DISCONNECTED = "disconnected"
    """The user is disconnected: the reason, or an empty text; 1 if clients may come back by
    themselves; 1 if runs are cancelled; until when the user is banned, in ms, or 0."""
    READMITTED = "readmitted"
    """The user is banned no longer."""
    RUN_QUEUED = "run_queued"
    """A run of the user waits for a worker."""


@attrs.frozen
class Notice:
    """What a node tells the others about a user. It may be lost."""

    user: UserId
    what: What
    of: Sequence[str | int] = ()


class Follower(Protocol):
    """Learns what other nodes do. Its methods do not block."""

    def appended(self, users: Sequence[UserId]) -> None:
        """Another node has kept something of these users."""

    def noticed(self, notice: Notice) -> None:
        """Another node says something of a user."""

    def taken_over(self, runs: Sequence[tuple[UserId, RunId]]) -> None:
        """The lease of another node is over, and this one has its open runs now."""

    async def lease_lost(self) -> None:
        """Another node has taken this one's lease, and the open runs with it. When this returns,
        nothing more of these runs is appended."""


@attrs.frozen
class ClaimedRun:
    """An open run that came out of the queue, and is this node's. `stopped`: by the user."""

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

    def send(self, notice: Notice) -> None:
        """Send a notice to the other nodes, soon."""
        ...

    async def follow(self, follower: Follower) -> Never:
        """Tell the follower what other nodes do, until cancelled. Wake-ups may be missed: look at
        `ReadLasts` now and then, too."""
        ...


class Shared(Protocol):
    """A journal, of which one asks whether other nodes share it."""

    @property
    def nodes(self) -> Nodes | None: ...


def leads(journal: Shared) -> bool:
    """Whether this server does what one must do for all: settle events, forget old ones."""
    return journal.nodes is None or journal.nodes.leads


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
