"""Questions as interrupts of AG-UI 1 (pure)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import JSON, Event
from greenroom.transport.front_ends.questions import yes_or_no


def interrupt_of(asked: Event, root: RunId) -> dict[str, JSON]:
    """The interrupt for an `input_requested`; `root`: the run that is shown."""
    data, options = asked.data, asked.data.get("options")
    schema = data.get("schema", None if options is None else {"enum": options})
    ours: dict[str, JSON] = {"run": root, **({} if options is None else {"options": options})}
    interrupt: dict[str, JSON] = {
        "id": data["ask"],
        "reason": "confirmation" if yes_or_no(options) else "input_required",
        "message": data["prompt"],
        "metadata": {"greenroom": ours},
    }
    if schema is not None:
        interrupt["responseSchema"] = schema
    if (expires := data.get("expires")) is not None:
        interrupt["expiresAt"] = _iso(cast(int, expires))
    if asked.run != root:
        interrupt["subagentRunId"] = asked.run
    return interrupt


def _iso(ms: int) -> str:
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
