"""The text that waits, against plain concatenation: in UTF-16 halves, as some tokenizers cut it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.text_buffer import BUFFER_BYTES, PieceNumbers, StreamFull, TextBuffer

pytestmark = pytest.mark.requirement("R45")


def halves(text: str) -> list[str]:
    """A text as UTF-16 code units, one str each."""
    units = text.encode("utf-16-le")
    pairs = [units[at : at + 2] for at in range(0, len(units), 2)]
    return [unit.decode("utf-16-le", "surrogatepass") for unit in pairs]


@given(st.text(), st.lists(st.integers(0, 200)), st.sets(st.integers(0, 200)))
def test_text_that_is_cut_anywhere_comes_out_whole(
    text: str, cuts: list[int], sent: set[int]
) -> None:
    units, buffer, out = halves(text), TextBuffer(Kind.PARTIAL_RESULT), ""
    places = sorted({0, len(units), *(cut for cut in cuts if cut < len(units))})
    for number, (start, end) in enumerate(pairwise(places)):
        buffer.add("".join(units[start:end]))
        assert buffer.size == len(buffer.text().encode())
        if number in sent:
            out += buffer.text()
            buffer.clear()
    buffer.end()
    assert out + buffer.text() == text


@given(st.lists(st.text(st.characters(codec="utf-16-le") | st.sampled_from("\ud83d\ude00\ud800"))))
def test_what_is_taken_is_always_text_and_a_refused_text_leaves_nothing(texts: list[str]) -> None:
    buffer = TextBuffer(Kind.PARTIAL_RESULT)
    for text in texts:
        before = buffer.text()
        try:
            buffer.add(text)
        except BadEvent:
            assert buffer.text() == before
        assert buffer.text().encode().decode() == buffer.text()


def test_a_text_that_finds_no_room_leaves_the_half_before_it() -> None:
    buffer = TextBuffer(Kind.PARTIAL_RESULT)
    buffer.add("x" * (BUFFER_BYTES - 3))
    buffer.add("\ud83d")
    with pytest.raises(StreamFull):
        buffer.add("\ude00")
    buffer.clear()
    buffer.add("\ude00")
    assert buffer.text() == "\U0001f600"


def test_a_number_that_was_given_back_is_taken_again_unless_a_later_one_was_taken() -> None:
    numbers = PieceNumbers()
    assert [numbers.take(), numbers.take()] == [0, 1]
    numbers.give_back(1)
    numbers.give_back(5)
    assert numbers.take() == 1
    numbers.give_back(0)
    assert numbers.take() == 2
