"""Whether an id of another kind is what made a frame or a token bad (pure)."""

from __future__ import annotations

from greenroom.delivery.events.ids import BadId


def wrong_id_behind(error: BaseException | None) -> BadId | None:
    """The id of another kind that made a frame or token bad, if that is what it was."""
    while error is not None and not isinstance(error, BadId):
        error = error.__cause__
    return error
