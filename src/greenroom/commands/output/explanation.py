"""An explanation as `greenroom explain` prints it, and an answer of `greenroom why`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from greenroom.actors.text.escaping import one_line
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.history.explanation import FailureExplanation
from greenroom.delivery.history.times import moment
from greenroom.delivery.history.unseen.answer import WhyUnseen

LOST = "the process that ran it stopped or was killed: see its log of that time"
NONE_KEPT = "no cause is kept: it is too old, or an older greenroom wrote the event"
NOTHING_FAILED = "nothing failed here"
HIDDEN = "no cause is kept; what the event says needs the server's `admin_token`"


def shown_whole(found: FailureExplanation) -> str:
    """For people. Whatever users and agents wrote stays on its line."""
    return "\n".join(_lines(found))


def shown_answer(found: WhyUnseen) -> str:
    """For people: why a user did not see an event, what to do next, and what is known."""
    advice = [found.advice] if found.advice else []
    return "\n".join(map(one_line, [found.sentence, *advice, "", *found.evidence]))


def _lines(found: FailureExplanation) -> Iterator[str]:
    yield from _event(found)
    yield ""
    if found.cause is None:
        yield _why_no_cause(found.event)
        return
    yield one_line(f"{found.cause.type}: {found.cause.text}")
    yield ""
    yield from map(one_line, found.cause.traceback.splitlines())


def _event(found: FailureExplanation) -> Iterator[str]:
    user = one_line(str(found.user))
    if found.event is None:
        yield f"{found.reference} of {user} was trimmed"
        return
    event = found.event
    at = moment(int(str(event["at"])) / 1000)
    yield f"{found.reference}, {event['kind']} at {at}"
    yield f"{event['run']} for {user}, in {event['thread']}"
    if words := _words(event):
        yield one_line(f"the user reads: {words}")


def _words(event: Mapping[str, JSON]) -> str:
    data = event.get("data")
    words = (data.get("message") or data.get("error")) if isinstance(data, Mapping) else None
    return str(words or "")


def _why_no_cause(event: Mapping[str, JSON] | None) -> str:
    if event is not None and "data" not in event:
        return HIDDEN
    data = {} if event is None else event["data"]
    if not isinstance(data, Mapping) or not (data.keys() & {"reason", "error"}):
        return NOTHING_FAILED
    return LOST if data.get("reason") == "lost" else NONE_KEPT
