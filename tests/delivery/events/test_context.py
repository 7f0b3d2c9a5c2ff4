"""A UserContext holds ids of the right kind, or is not made."""

from __future__ import annotations

from itertools import product

import attrs
import pytest

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import (
    BadId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)

IDS = IdSource()
KINDS = {
    "user": UserId,
    "thread": ThreadId,
    "run": RunId,
    "request": RequestId,
    "session": SessionId,
}
VALUES = {
    name: UserId.parse("alice") if kind is UserId else IDS.new(kind) for name, kind in KINDS.items()
}


@pytest.mark.requirement("R07")
def test_new_makes_what_is_not_given_but_the_session() -> None:
    context = UserContext.new(user="alice")
    assert [type(getattr(context, name)) for name in KINDS][:4] == list(KINDS.values())[:4]
    assert context.session is None
    assert context.run != UserContext.new(user="alice").run


@pytest.mark.requirement("R07")
def test_new_takes_every_id_as_text() -> None:
    context = UserContext.new(**{name: str(value) for name, value in VALUES.items()})
    assert attrs.asdict(context) == VALUES


@pytest.mark.requirement("R01", "R07")
@pytest.mark.parametrize(
    ("field", "other"), [(a, b) for a, b in product(KINDS, KINDS) if KINDS[a] is not KINDS[b]]
)
def test_an_id_of_another_kind_is_refused_naming_both(field: str, other: str) -> None:
    for make, values in (
        (UserContext, VALUES),
        (UserContext.new, {name: str(value) for name, value in VALUES.items()}),
    ):
        with pytest.raises(BadId) as caught:
            make(**{**values, field: values[other]})
        assert caught.value.expected == KINDS[field].kind
        assert caught.value.given == KINDS[other].kind


def test_the_constructor_takes_ids_only() -> None:
    """Text from outside goes through `new`, where it is parsed."""
    with pytest.raises(BadId, match=r"got an unparsed str \(run\)"):
        UserContext(**{**VALUES, "run": str(VALUES["run"])})
