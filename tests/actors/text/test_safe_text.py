"""Text of objects whose own text fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.exit import crashed
from greenroom.actors.monitors import LinkBroken
from greenroom.actors.ref import ActorStopped
from greenroom.actors.text.safe import LONGEST, safe_repr, safe_str
from greenroom.testing import STRAYS

pytestmark = pytest.mark.fault("S3")


@given(st.one_of(st.text(), st.integers(), st.builds(ValueError, st.text())), st.integers(1, 50))
def test_what_can_be_shown_is_shown_as_ever_up_to_the_limit(value: object, limit: int) -> None:
    for safe, plain in ((safe_str, str(value)), (safe_repr, repr(value))):
        expected = plain if len(plain) <= limit else f"{plain[:limit]}…"
        assert expected == safe(value, limit)


@pytest.mark.parametrize("kind", STRAYS)
def test_every_error_has_a_bounded_text_and_so_have_the_errors_made_of_it(kind: str) -> None:
    error = STRAYS[kind]()

    for text in (safe_str(error), safe_repr(error), str(crashed(error)), repr(crashed(error))):
        assert type(text) is str
        assert len(text) <= LONGEST + 100
    for made in (ActorStopped("a", crashed(error)), LinkBroken("a", crashed(error))):
        assert len(str(made)) <= LONGEST + 100


class Evil(str):
    """What a `repr` may return: a string whose own methods raise."""

    def __len__(self) -> int:
        raise RuntimeError

    def __getitem__(self, _: object) -> str:
        raise RuntimeError


def test_a_text_of_a_subclass_of_str_becomes_a_plain_one() -> None:
    class Sly:
        def __repr__(self) -> str:
            return Evil("sly")

    assert safe_repr(Sly()) == "sly"
    assert type(safe_repr(Sly())) is str


def test_the_failure_of_a_text_is_named_and_may_be_worded_otherwise() -> None:
    error = STRAYS["Unshowable"]()

    assert safe_str(error) == "(its str() raised RuntimeError)"
    assert safe_str(error, otherwise="unspeakable") == "unspeakable"
    assert safe_repr(error) == "<Unshowable (its repr() raised RuntimeError)>"


def test_an_interrupt_goes_through() -> None:
    class Interrupting:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    for safe in (safe_str, safe_repr):
        with pytest.raises(KeyboardInterrupt):
            safe(Interrupting())
