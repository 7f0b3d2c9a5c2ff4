"""Why did the user not see it? One sentence, with what speaks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs
import orjson

from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.history.times import moment
from greenroom.delivery.history.unseen import in_journal, on_server
from greenroom.delivery.history.unseen.cause import UnseenCause, UnseenFinding
from greenroom.delivery.history.unseen.evidence import EventEvidence, LiveUser

SCHEMA: Final = "greenroom.why/1"

LookForCause: TypeAlias = Callable[[EventEvidence], UnseenFinding | None]

CAUSES: Final[tuple[LookForCause, ...]] = (
    in_journal.erased,
    on_server.journal_trouble,
    in_journal.silent_agent,
    in_journal.agent_at_work,
    in_journal.run_failed,
    in_journal.seen,
    in_journal.not_looked_at,
    in_journal.given_up,
    on_server.crash_loop,
    on_server.breaker_open,
    on_server.slow_link,
    on_server.deaf_tab,
    on_server.on_its_way,
    on_server.not_ready,
    on_server.banned,
    on_server.bad_token,
    on_server.taken_over,
    on_server.thrown_out,
    on_server.given_up,
    on_server.cut_off,
    on_server.closed,
    in_journal.not_received,
)
"""In the order in which they are looked at: the first that holds is the answer."""


@attrs.frozen
class WhyUnseen:
    """The answer: `cause` and `sentence`, what to do next (`advice`, perhaps empty), and what is
    known, line by line. `at`: when the event was accepted, in ms since the Unix epoch; `run`: None
    for an event that was erased."""

    user: UserId
    event: EventId
    run: RunId | None
    kind: str
    at: int
    stage: str
    cause: UnseenCause
    sentence: str
    advice: str
    evidence: Sequence[str]

    @classmethod
    def of(cls, known: EventEvidence) -> WhyUnseen:
        """The answer that the evidence gives."""
        found, event = finding_of(known), known.event
        return cls(
            user=known.user,
            event=event.id,
            run=None if known.is_erased else event.run,
            kind=known.kind,
            at=event.at,
            stage=str(known.stage),
            cause=found.cause,
            sentence=found.sentence,
            advice=found.advice,
            evidence=tuple(_lines(known)),
        )

    def as_json(self) -> bytes:
        """As one JSON object: schema `greenroom.why/1`."""
        return orjson.dumps({"schema": SCHEMA, **attrs.asdict(self)})

    @classmethod
    def from_json(cls, body: bytes) -> WhyUnseen:
        """Read what `as_json` wrote. Raises `ValueError`, `KeyError` or `TypeError`."""
        fields: Mapping[str, JSON] = orjson.loads(body)
        known = {name: fields[name] for name in attrs.fields_dict(cls)}
        return cls(**{**known, "cause": UnseenCause(known["cause"])})  # type: ignore[arg-type]  # JSON


def finding_of(known: EventEvidence) -> UnseenFinding:
    """The first cause that holds."""
    for look in CAUSES:
        if (found := look(known)) is not None:
            return found
    return in_journal.not_connected(known)


def _lines(known: EventEvidence) -> Iterator[str]:
    event = known.event
    yield f"explained: {known.chosen}"
    yield f"{event.id}, {known.kind}, event {event.offset} of {known.user}"
    where = "" if known.is_erased else f", in {event.run}"
    yield f"accepted {moment(event.at / 1000)}{where}"
    for sight in known.moment.sights:
        yield f"session {sight.standing.session}: {sight.standing.stage}"
    for attempt in known.moment.attempts:
        at, session = moment(attempt.at / 1000), attempt.session
        yield f"sent to {session} at {at}, attempt {attempt.number}"
    if known.live is not None:
        yield from _of_server(known.live)


def _of_server(live: LiveUser) -> Iterator[str]:
    yield f"connections: {len(live.connections)} ready, {live.unready} not ready"
    for each in live.connections:
        yield (
            f"{each.connection} of session {each.session}: sent {each.sent}, received "
            f"{each.received}, breaker {each.circuit.value}"
        )
    for past in live.past:
        what = past.connection or "refused"
        yield f"{moment(past.at)} {what}: closed with {past.closing}"
    for crash in live.crashes:
        yield f"{moment(crash.at)} crash {crash.id} of {crash.path}: {crash.summary}"
