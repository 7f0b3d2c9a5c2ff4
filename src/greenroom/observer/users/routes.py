"""The routes of the observer on users and their runs."""

from __future__ import annotations

from collections.abc import Mapping

from greenroom.admin.guard import Guard
from greenroom.admin.why_door import LookedAt
from greenroom.observer.users.accounts_door import AccountsDoor
from greenroom.observer.users.exports_door import ExportsDoor
from greenroom.observer.users.timelines_door import TimelinesDoor
from greenroom.transport.door.paths import Handler


def user_routes(looked: LookedAt, guard: Guard) -> Mapping[str, Handler]:
    """The routes to add to an admin door."""
    return {
        **AccountsDoor(looked, guard).routes(),
        **ExportsDoor(looked.journal, guard).routes(),
        **TimelinesDoor(looked.journal, guard).routes(),
    }
