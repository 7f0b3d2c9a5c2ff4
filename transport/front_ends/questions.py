"""Questions as chat protocols have them: where one is answered yes or no, an approval (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import AskId
from greenroom.delivery.events.kinds import JSON

QUESTION: Final = "question"

CLOSED: Final[Mapping[str, str]] = {
    "expired": "The question has expired.",
    "withdrawn": "The question was withdrawn.",
}

_YES: Final = (True, "yes", "Yes")
_NO: Final = (False, "no", "No")


@attrs.frozen
class YesOrNo:
    """The two options of a question, as its asker wrote them."""

    yes: JSON
    no: JSON

    def of(self, approved: bool) -> JSON:  # the answer itself
        return self.yes if approved else self.no


def is_yes(value: JSON) -> bool:
    return _one_of(value, _YES)


def yes_or_no(options: JSON) -> YesOrNo | None:
    """The options of a question that is answered by yes or no."""
    if not isinstance(options, Sequence) or isinstance(options, str) or len(options) != 2:
        return None
    yes = [each for each in options if _one_of(each, _YES)]
    no = [each for each in options if _one_of(each, _NO)]
    return YesOrNo(yes[0], no[0]) if yes and no else None


def _one_of(value: JSON, words: Sequence[JSON]) -> bool:
    """1 and 0 are no words, though they equal True and False in Python."""
    return any(type(value) is type(word) and value == word for word in words)


@attrs.frozen
class PageAnswer:
    """What a page answers to a question, as its protocol has it."""

    ask: AskId
    payload: JSON = attrs.field(default=None, metadata=SECRET)
    is_refusal: bool = False

    def value(self, options: JSON) -> JSON | None:
        """The value for a question with these options; None for the refusal of one that has no "no"
        among its answers."""
        choice, payload = yes_or_no(options), self.payload
        if self.is_refusal:
            return choice.no if choice else None
        approved = payload.get("approved") if isinstance(payload, Mapping) else payload
        if choice and isinstance(approved, bool):
            return choice.of(approved)
        return payload
