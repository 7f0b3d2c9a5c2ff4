"""The causes for which a user does not see an event, and how a finding of one is worded (pure)."""

from __future__ import annotations

import enum

import attrs


class UnseenCause(enum.StrEnum):
    """Why an event is not seen, or how far it got."""

    ERASED = "erased"
    SILENT_AGENT = "silent_agent"
    AGENT_AT_WORK = "agent_at_work"
    RUN_FAILED = "run_failed"
    SEEN = "seen"
    NOT_LOOKED_AT = "not_looked_at"
    GIVEN_UP = "given_up"
    JOURNAL_TROUBLE = "journal_trouble"
    CRASH_LOOP = "crash_loop"
    BREAKER_OPEN = "breaker_open"
    SLOW_LINK = "slow_link"
    DEAF_TAB = "deaf_tab"
    ON_ITS_WAY = "on_its_way"
    NOT_READY = "not_ready"
    BANNED = "banned"
    BAD_TOKEN = "bad_token"
    TAKEN_OVER = "taken_over"
    THROWN_OUT = "thrown_out"
    CLOSED = "closed"
    NOT_RECEIVED = "not_received"
    NOT_CONNECTED = "not_connected"


@attrs.frozen
class UnseenFinding:
    """A cause in one sentence, and what to do next; `advice` may be empty."""

    cause: UnseenCause
    sentence: str
    advice: str = ""


def sentence_case(text: str) -> str:
    """The text as it begins a sentence."""
    return text[:1].upper() + text[1:]
