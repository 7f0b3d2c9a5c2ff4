"""What a running server shows of why a user did not see an event (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from greenroom.delivery.history.times import moment
from greenroom.delivery.history.unseen.cause import UnseenCause, UnseenFinding, sentence_case
from greenroom.delivery.history.unseen.evidence import EventEvidence, UserCrash
from greenroom.delivery.outbox.feed import ConnectionStanding
from greenroom.delivery.outbox.redelivery import Circuit
from greenroom.delivery.user.past_connections import PastConnection

RECENT_SECONDS: Final = 600
"""A crash that is older explains nothing that happens now."""

LOOP: Final = 2
"""Crashes of what serves one user, lately, that make a loop."""

TOKEN_EXPIRING, BAD_TOKEN, TAKEN_OVER, THROWN_OUT = 4104, 4500, 4504, 4509
"""Close codes of greenroom.v1."""

SILENT: Final = {
    4101: "it answered no ping",
    4103: "it took events too slowly, or acknowledged none",
}
"""What a client did that the server closed with a code of its own."""

DEAF: Final = "The tab is frozen or its script hangs: reload it."
WHEN_BACK: Final = "It is sent when a tab comes back."


def journal_trouble(known: EventEvidence) -> UnseenFinding | None:
    if known.live is None or not known.live.trouble or (known.is_of_event and known.was_received):
        return None
    return UnseenFinding(
        UnseenCause.JOURNAL_TROUBLE,
        f"The server accepts no events now, {known.live.trouble}: events after {known.it} were "
        "refused where they were emitted.",
        "Mend that first; `/readyz` says when it is over.",
    )


def crash_loop(known: EventEvidence) -> UnseenFinding | None:
    since = known.now / 1000 - RECENT_SECONDS
    crashes = [each for each in known.live.crashes if each.at > since] if known.live else []
    if len(crashes) < LOOP:
        return None
    newest = crashes[-1]
    return UnseenFinding(
        UnseenCause.CRASH_LOOP,
        f"{_whose(newest)} crashes again and again, {len(crashes)} times lately, the last at "
        f"{moment(newest.at)}: {newest.summary}",
        f"See the crash: `greenroom crash {newest.id}`. {_who_mends(newest)}",
    )


def _is_of_agent(crash: UserCrash) -> bool:
    return "/runs/" in crash.path


def _whose(crash: UserCrash) -> str:
    of_agent = f"The code of the agent that serves this user ({crash.path})"
    return of_agent if _is_of_agent(crash) else f"An actor that serves this user ({crash.path})"


def _who_mends(crash: UserCrash) -> str:
    if _is_of_agent(crash):
        return "Its developers mend it."
    return "If it is none of yours, it is a bug of greenroom: report it with the crash."


def breaker_open(known: EventEvidence) -> UnseenFinding | None:
    late = next((each for each in _lagging(known) if each.circuit is not Circuit.CLOSED), None)
    if late is None:
        return None
    return UnseenFinding(
        UnseenCause.BREAKER_OPEN,
        f"The breaker of connection {late.connection} is {late.circuit.value.replace('_', ' ')}: "
        f"the tab is deaf. {sentence_case(known.it)} was sent to session {late.session}, and "
        f"{late.failures} times in a row nothing was acknowledged.",
        DEAF,
    )


def slow_link(known: EventEvidence) -> UnseenFinding | None:
    late = next((each for each in _lagging(known) if each.is_moving), None)
    if late is None:
        return None
    return UnseenFinding(
        UnseenCause.SLOW_LINK,
        f"The link to session {late.session} is slow: {known.it} is on its way, bytes still leave, "
        f"and the session has received events through {late.received} of {late.sent}.",
        "It will come: the server waits as long as bytes move.",
    )


def deaf_tab(known: EventEvidence) -> UnseenFinding | None:
    late = next((each for each in _lagging(known) if each.sent >= known.event.offset), None)
    if late is None:
        return None
    return UnseenFinding(
        UnseenCause.DEAF_TAB,
        f"{sentence_case(known.it)} was sent to session {late.session}, whose connection is open, "
        f"and the tab has not acknowledged it: its last acknowledgement is of event "
        f"{late.received}.",
        f"{DEAF} It is sent again meanwhile.",
    )


def on_its_way(known: EventEvidence) -> UnseenFinding | None:
    late = next(_lagging(known), None)
    if late is None:
        return None
    return UnseenFinding(
        UnseenCause.ON_ITS_WAY,
        f"{sentence_case(known.it)} waits its turn: session {late.session} was sent "
        f"events through {late.sent}.",
    )


def not_ready(known: EventEvidence) -> UnseenFinding | None:
    if known.live is None or known.live.connections or not known.live.unready:
        return None
    return UnseenFinding(
        UnseenCause.NOT_READY,
        "A connection of the user is open and not ready: its client has not said `hello` yet, or "
        "waits for the journal.",
    )


def banned(known: EventEvidence) -> UnseenFinding | None:
    if known.live is None or known.live.banned_until is None:
        return None
    return UnseenFinding(
        UnseenCause.BANNED,
        f"The user is refused until {moment(known.live.banned_until)}: an operator said so.",
        f"Let the user in again: `greenroom users readmit {known.user}`.",
    )


def bad_token(known: EventEvidence) -> UnseenFinding | None:
    past = _parting(known)
    if past is None or past.code not in (BAD_TOKEN, TOKEN_EXPIRING):
        return None
    came = "came with a token that had expired, and was refused"
    stayed = "did not refresh its token in time, and was closed"
    return UnseenFinding(
        UnseenCause.BAD_TOKEN,
        f"The user's client {came if past.connection is None else stayed} at {moment(past.at)}.",
        "The page must fetch a new token (`getToken`), or its user must sign in again.",
    )


def taken_over(known: EventEvidence) -> UnseenFinding | None:
    last = _parting(known)
    if last is None or known.live is None:
        return None
    for past in known.live.past:
        if past.code == TAKEN_OVER and past.session == last.session:
            return UnseenFinding(
                UnseenCause.TAKEN_OVER,
                f"Session {past.session} was taken over by another connection at "
                f"{moment(past.at)}, and none has it now: the tab that lost it stays away.",
                "Reload the tab. Two clients that share one session should each have their own.",
            )
    return None


def thrown_out(known: EventEvidence) -> UnseenFinding | None:
    past = _parting(known)
    if past is None or past.code != THROWN_OUT:
        return None
    return UnseenFinding(
        UnseenCause.THROWN_OUT,
        f"The service disconnected the user at {moment(past.at)}, code {past.closing}.",
    )


def closed(known: EventEvidence) -> UnseenFinding | None:
    past = _parting(known)
    if past is None:
        return None
    who = "the server" if past.by_server else "the client's side"
    return UnseenFinding(
        UnseenCause.CLOSED,
        f"No tab of the user is connected: the last connection was closed by {who} at "
        f"{moment(past.at)}, code {past.closing}.",
        WHEN_BACK,
    )


def given_up(known: EventEvidence) -> UnseenFinding | None:
    past = _parting(known)
    if past is None or not past.given_up:
        return None
    return UnseenFinding(
        UnseenCause.BREAKER_OPEN,
        f"No tab of the user is connected: the last one acknowledged nothing of what was sent to "
        f"session {past.session}, its breaker opened, and since the last trial was not answered "
        f"either, the connection was closed at {moment(past.at)} (code {past.closing}).",
        f"{DEAF} {WHEN_BACK}",
    )


def cut_off(known: EventEvidence) -> UnseenFinding | None:
    """The tab was deaf until the server closed its connection."""
    past = _parting(known)
    if past is None or not past.by_server or past.code not in SILENT:
        return None
    return UnseenFinding(
        UnseenCause.DEAF_TAB,
        f"No tab of the user is connected: the last one was cut off at {moment(past.at)} with code "
        f"{past.closing}, since "
        f"{SILENT[past.code]}.",
        f"The tab is frozen, its script hangs, or its network is bad: reload it. {WHEN_BACK}",
    )


def _lagging(known: EventEvidence) -> Iterator[ConnectionStanding]:
    """The connections that have not received the event."""
    connections = known.live.connections if known.live else ()
    return (each for each in connections if each.received < known.event.offset)


def _parting(known: EventEvidence) -> PastConnection | None:
    """How the last connection ended, if none is open."""
    if known.live is None or known.live.connections or known.live.unready or not known.live.past:
        return None
    return known.live.past[-1]
