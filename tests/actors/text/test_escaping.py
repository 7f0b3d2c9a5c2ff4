"""Text of others, made harmless."""

import ast
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.text.escaping import one_line

TEXTS = st.text(st.characters(), max_size=50)  # surrogates, too
CONTROLS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
JOINERS = {"\u200c", "\u200d"}

pytestmark = pytest.mark.fault("P4")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\nb\r\n\tc", r"a\nb\r\n\tc"),
        ("\x1b[2J\x07\x00\x7f\x9b31m", r"\x1b[2J\x07\x00\x7f\x9b31m"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\u202e\u2066\u200f\u061c\ufeff", r"\u202e\u2066\u200f\u061c\ufeff"),
        ("\ud800\U000e0001\ue000", r"\ud800\U000e0001\ue000"),
        ("", ""),
    ],
)
def test_controls_are_escaped_as_python_would(text, escaped):
    assert one_line(text) == escaped


@pytest.mark.parametrize(
    "text",
    ["a b", "zoë 日本\u3000東京", "👩\u200d💻", "می\u200cخواهم", "5\xa0€", r"C:\new", "\N{ROCKET}"],
)
def test_what_people_write_stays_as_it_is(text):
    assert one_line(text) == text


@given(TEXTS)
def test_nothing_is_left_that_ends_a_line_or_commands_a_terminal(text):
    harmless = one_line(text)
    assert len(harmless.splitlines()) <= 1
    assert not {unicodedata.category(each) for each in harmless if each not in JOINERS} & CONTROLS
    harmless.encode()


@given(TEXTS)
def test_twice_is_once(text):
    assert one_line(one_line(text)) == one_line(text)


@given(TEXTS.filter(lambda text: "\\" not in text))
def test_of_a_text_without_backslashes_nothing_is_lost(text):
    quoted = one_line(text).replace('"', r"\"")
    assert ast.literal_eval(f'"{quoted}"') == text
