"""What a journal alone shows of why a user did not see an event (pure)."""

from __future__ import annotations

from typing import Final

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.history.times import moment
from greenroom.delivery.history.unseen.cause import UnseenCause, UnseenFinding, sentence_case
from greenroom.delivery.history.unseen.evidence import EventEvidence, of_kind

SILENT_SECONDS: Final = 30
"""A run that has said nothing for so long is called silent."""


def erased(known: EventEvidence) -> UnseenFinding | None:
    if not known.is_erased:
        return None
    of_user = isinstance(known.subject, UserId)
    what = f"All that was kept of {known.user}" if of_user else f"Event {known.event.offset}"
    return UnseenFinding(
        UnseenCause.ERASED,
        f"{what} was erased with its thread: only the place of event {known.event.offset} is left.",
        "Nothing brings it back. A backup from before may have it.",
    )


def silent_agent(known: EventEvidence) -> UnseenFinding | None:
    """The question is about a run or a user, and there is nothing more to see yet."""
    silent = (known.now - known.last.at) / 1000
    if silent < SILENT_SECONDS or not _waits_for_agent(known):
        return None
    return UnseenFinding(
        UnseenCause.SILENT_AGENT,
        f"There is nothing more to see: the run goes on, and its agent has emitted nothing for "
        f"{silent:.0f} s, since {of_kind(known.last)} at {moment(known.last.at / 1000)}.",
        "See what it does with `greenroom tree`, or end it: "
        f"`greenroom runs cancel {known.event.run}`.",
    )


def agent_at_work(known: EventEvidence) -> UnseenFinding | None:
    if not _waits_for_agent(known):
        return None
    return UnseenFinding(
        UnseenCause.AGENT_AT_WORK,
        f"There is nothing more to see yet: the run goes on, and its agent emitted "
        f"{of_kind(known.last)} {max(0, known.now - known.last.at) / 1000:.0f} s ago.",
        f"Ask again when it has been silent for {SILENT_SECONDS} s.",
    )


def _waits_for_agent(known: EventEvidence) -> bool:
    """The question is about a run or a user, whose tabs have all that was emitted."""
    has_all = known.was_received or known.event.kind is Kind.USER_SAID
    return has_all and known.is_open and not known.is_of_event


def run_failed(known: EventEvidence) -> UnseenFinding | None:
    if known.is_of_event or not known.was_received or known.last.kind is not Kind.AGENT_FAILED:
        return None
    reason = known.last.data.get("reason", "crash")
    return UnseenFinding(
        UnseenCause.RUN_FAILED,
        f"There is nothing more to see: the run failed at {moment(known.last.at / 1000)} "
        f"({reason}), and a tab has all that was emitted before.",
        f"See what it did until then: `greenroom timeline {known.event.run}`.",
    )


def seen(known: EventEvidence) -> UnseenFinding | None:
    at = [(sight.displayed_at, sight.confirmed_at) for sight in known.moment.sights]
    times = sorted(each for both in at for each in both if each is not None)
    if known.moment.stage < ReceiptStage.DISPLAYED or not times:
        return None
    return UnseenFinding(
        UnseenCause.SEEN,
        f"{sentence_case(known.it)} was seen: a tab displayed it at {moment(times[0] / 1000)}.",
    )


def not_looked_at(known: EventEvidence) -> UnseenFinding | None:
    if not known.was_received and known.moment.stage < ReceiptStage.RECEIVED:
        return None
    return UnseenFinding(
        UnseenCause.NOT_LOOKED_AT,
        f"A tab of the user has {known.it} and has not reported that it was displayed: it is "
        "not in view, the tab is in the background, or its client reports no `displayed`.",
        "Ask the user to bring the tab to the front and to scroll to it.",
    )


def given_up(known: EventEvidence) -> UnseenFinding | None:
    letter = known.moment.letter
    if letter is None:
        return None
    tries = len(letter.attempts)
    how = f"after it was sent {tries} times and not acknowledged" if tries else "never sent"
    return UnseenFinding(
        UnseenCause.GIVEN_UP,
        f"The delivery of {known.it} was given up at {moment(letter.at / 1000)}, {how}.",
        f"Emit it again: `greenroom dead-letters requeue {known.event.id}`.",
    )


def not_received(known: EventEvidence) -> UnseenFinding | None:
    if known.moment.stage < ReceiptStage.SENT:
        return None
    sessions = ", ".join(sight.standing.session for sight in known.moment.sights)
    return UnseenFinding(
        UnseenCause.NOT_RECEIVED,
        f"{sentence_case(known.it)} was sent to {sessions}{_tries(known)} and not acknowledged.",
        _ask_the_server(known),
    )


def not_connected(known: EventEvidence) -> UnseenFinding:
    return UnseenFinding(
        UnseenCause.NOT_CONNECTED,
        f"{sentence_case(known.it)} was sent to no tab: none of the user was connected since.",
        _ask_the_server(known) or "It is sent when a tab comes.",
    )


def _tries(known: EventEvidence) -> str:
    tries = max((each.number for each in known.moment.attempts), default=1)
    return f" {tries} times" if tries > 1 else ""


def _ask_the_server(known: EventEvidence) -> str:
    return "" if known.live else "Ask the server, which knows its connections: add `--url`."
