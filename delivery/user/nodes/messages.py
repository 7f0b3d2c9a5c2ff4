"""The messages that a user actor receives because of other nodes (pure)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import attrs

from greenroom.actors.ref import Request
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.nodes.notice import Notice


@attrs.frozen
class OthersAppended:
    """Another node has kept something of the user."""


@attrs.frozen
class RunsTakenOver:
    """This node has the open runs of a node that is gone: end them, or take them up again."""

    runs: Collection[RunId]


@attrs.frozen
class LoseRuns(Request[None]):
    """Another node has the user's open runs. Answered when nothing of them is appended any more."""


@attrs.frozen
class Noticed:
    """Another node says something of the user."""

    notice: Notice


FromNodes: TypeAlias = OthersAppended | RunsTakenOver | Noticed
