"""Bans: users whose connections the service refuses until some time (pure)."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.ids import UserId


@attrs.frozen
class Ban:
    """At `at` the service refused the user's connections until then, both in ms since the Unix
    epoch, in place of what it said before. It refuses no more if `until` is not after `at`."""

    user: UserId
    until: int
    at: int
