"""Questions to the user, as the journal's records tell of them (pure)."""

from __future__ import annotations

import orjson

from greenroom.delivery.events.ids import AskId
from greenroom.delivery.events.record import Record


def ask_of(record: Record) -> AskId:
    """The question that an event of `ASK_KINDS` is about. Raises `ValueError`, `KeyError` or
    `TypeError` for a body that no greenroom wrote."""
    return AskId.trusted(orjson.loads(record.body)["data"]["ask"])
