"""Ids of older systems become new ones, each the same way every time; nothing else does."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.ids import (
    KINDS,
    BadId,
    ConnectionId,
    Id,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
    bits_of,
    type_of,
)
from greenroom.delivery.legacy.legacy_ids import FORMS, NAMED, UnknownId, modern, recognised

pytestmark = pytest.mark.requirement("R19")

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.:-]{0,40}", fullmatch=True)
MILLISECONDS = st.integers(10**12, 10**13 - 1)
SECONDS = st.integers(10**9, 10**10 - 1)
VISIBLE = st.characters(codec="utf-8", exclude_categories=["C", "Z"])


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=digits, max_size=digits)


@attrs.frozen
class Written:
    """A legacy id as its system made it: the shape it has and the time it holds."""

    text: str
    shape: str
    at_ms: int | None


WRITTEN: dict[str, st.SearchStrategy[Written]] = {
    "websocket_factory_<ms>": st.builds(
        lambda ms: Written(f"websocket_factory_{ms}", "websocket_factory_<ms>", ms), MILLISECONDS
    ),
    "thread_<name>_<ms>_<n>_<hex8>": st.builds(
        lambda name, ms, n, random: Written(
            f"thread_{name}_{ms}_{n}_{random}", "thread_<name>_<ms>_<n>_<hex8>", ms
        ),
        *(NAMES, MILLISECONDS, st.integers(0, 10**19 - 1), hexadecimal(8)),
    ),
    "req_<hex12>": st.builds(
        lambda random: Written(f"req_{random}", "req_<hex12>", None), hexadecimal(12)
    ),
    "ws_<user8>_<sec>_<hex8>": st.builds(
        lambda user, sec, random: Written(
            f"ws_{user}_{sec}_{random}", "ws_<user8>_<sec>_<hex8>", sec * 1000
        ),
        *(st.text(VISIBLE, min_size=1, max_size=8), SECONDS, hexadecimal(8)),
    ),
    "<user>_req_<hex12>_<hex8>": st.builds(
        lambda user, request, random: Written(
            f"{user}_req_{request}_{random}", "<user>_req_<hex12>_<hex8>", None
        ),
        *(st.text(VISIBLE, min_size=1, max_size=40), hexadecimal(12), hexadecimal(8)),
    ),
    "<name>_<ms>": st.builds(
        lambda name, ms: Written(f"{name}_{ms}", "<name>_<ms>", ms),
        *(NAMES.filter(lambda name: name != "websocket_factory"), MILLISECONDS),
    ),
}
ANY = st.one_of(*WRITTEN.values())
EXAMPLES: list[tuple[str, tuple[type[Id], ...]]] = [
    ("websocket_factory_1757371363786", (RunId, ThreadId)),
    ("thread_websocket_factory_1757371363786_528_584ef8a5", (ThreadId,)),
    ("req_a1b2c3d4e5f6", (RequestId,)),
    ("analyst_1757371363786", (RunId, *(kind for kind in KINDS if kind is not RunId))),
    ("ws_user_123_1757371363_0a1b2c3d", (ConnectionId, SessionId)),
    ("auth0|6f2_req_a1b2c3d4e5f6_0a1b2c3d", (RunId, RequestId)),
]


def test_every_form_is_generated_here() -> None:
    assert list(WRITTEN) == [form.shape for form in FORMS]


@pytest.mark.parametrize(("text", "kinds"), EXAMPLES)
def test_each_form_stands_for_its_kinds_and_no_other(
    text: str, kinds: tuple[type[Id], ...]
) -> None:
    found = recognised(text)
    assert found is not None
    assert found.kinds == kinds
    for kind in KINDS:
        if kind in kinds:
            assert type_of(modern(kind, text)) is kind
        else:
            with pytest.raises(UnknownId, match=f"expected an? {kind.kind} id, got a legacy"):
                modern(kind, text)


@given(ANY)
def test_a_legacy_id_has_its_form_alone_and_keeps_its_time(written: Written) -> None:
    fitting = [form.shape for form in FORMS if form.pattern.fullmatch(written.text)]
    special = "websocket_factory_<ms>"
    assert fitting == ([special, NAMED.shape] if written.shape == special else [written.shape])
    found = recognised(written.text)
    assert found is not None
    assert (found.form.shape, found.at_ms) == (written.shape, written.at_ms)
    assert type_of(written.text) is None


@given(ANY, st.integers(0, 2**74 - 1))
def test_a_new_id_is_of_its_kind_stable_and_none_that_is_ever_made(
    written: Written, random: int
) -> None:
    found = recognised(written.text)
    assert found is not None
    for kind in found.kinds:
        new = modern(kind, written.text)
        assert type_of(new) is kind
        assert modern(kind, written.text) == new
        assert modern(kind, new) == new, "mapping a new id again changes nothing"
        at_ms = written.at_ms or 0
        assert bits_of(new) >> 80 == at_ms
        made = IdSource(now_ms=lambda at_ms=at_ms: at_ms, random_bits=lambda _: random).new(kind)
        assert made != new


@given(st.lists(ANY, min_size=2, max_size=20, unique_by=lambda written: written.text))
def test_different_legacy_ids_become_different_new_ones(several: list[Written]) -> None:
    found = [legacy for written in several if (legacy := recognised(written.text))]
    new = [legacy.as_kind(kind) for legacy in found for kind in legacy.kinds]
    suffixes = {id_.rpartition("_")[2] for id_ in new}
    assert len(suffixes) == len(new), "not even two kinds of one text share a UUID"


@given(MILLISECONDS, MILLISECONDS, NAMES, NAMES)
def test_new_ids_sort_by_the_birth_of_the_old_ones(
    one: int, other: int, name: str, another: str
) -> None:
    old, young = sorted((one, other))
    if old != young:
        assert modern(RunId, f"{name}_{old}") < modern(RunId, f"{another}_{young}")


@given(st.one_of(st.text(max_size=300), st.text("_req1757371363786abcthdws<", max_size=60)))
def test_any_text_is_an_id_a_legacy_id_or_refused_with_advice(text: str) -> None:
    for kind in KINDS:
        if (found := recognised(text)) and kind in found.kinds:
            assert type_of(modern(kind, text)) is kind
        else:
            with pytest.raises(BadId) as refused:
                modern(kind, text)
            assert refused.value.expected == kind.kind
            assert "greenroom ids explain" in refused.value.advice


@given(ANY)
def test_a_user_id_that_looks_like_a_legacy_id_stays_a_user_id(written: Written) -> None:
    assert modern(UserId, written.text) == written.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_begins_with_a_kind_is_of_that_kind_by_itself(kind: type[Id]) -> None:
    found = recognised(f"{kind.prefix}_1757371363786")
    assert found is not None
    assert found.kinds[0] is kind
    assert set(found.kinds) == set(KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "websocket_factory_",
        "websocket_factory_175737136378",  # a digit short
        "websocket_factory_0757371363786",  # 1993
        "thread_1757371363786_528_584ef8a5",  # no name
        "thread_x_1757371363786_528_584EF8A5",  # upper case
        "req_a1b2c3d4e5f",
        "req_a1b2c3d4e5f6 ",
        "ws_123456789_1757371363_0a1b2c3d",  # nine characters of a user
        "ws_al ice_1757371363_0a1b2c3d",
        "_req_a1b2c3d4e5f6_0a1b2c3d",
        "al\u200bice_req_a1b2c3d4e5f6_0a1b2c3d",
        "9lives_1757371363786",
        "name_\u0661757371363786",  # a digit, but not one that was written
        "x_1757371363786\n",
    ],
)
def test_what_only_resembles_a_form_is_refused(text: str) -> None:
    assert recognised(text) is None
    with pytest.raises(UnknownId):
        modern(RunId, text)


def test_what_is_no_text_is_refused_too() -> None:
    for value in (None, 7, ["run"]):
        with pytest.raises(UnknownId):
            modern(RunId, value)  # type: ignore[arg-type]  # what JSON may hold in an id's place


KNOWN = {
    "websocket_factory_1757371363786": "run_01k4nqxweah39bfm68pvxj1dcn",
    "thread_websocket_factory_1757371363786_528_584ef8a5": "thread_01k4nqxweagxpvakpwp3e0tspz",
    "req_a1b2c3d4e5f6": "req_0000000000hsk97kcfzazp9k99",
    "analyst_1757371363786": "run_01k4nqxweahep9njmapz9jp12g",
    "ws_user_123_1757371363_0a1b2c3d": "conn_01k4nqxvnrgphrams3gyd5atf4",
    "auth0|6f2_req_a1b2c3d4e5f6_0a1b2c3d": "run_0000000000gcfr0cs6v0k86xza",
}


@pytest.mark.parametrize(("text", "new"), KNOWN.items())
def test_the_mapping_never_changes(text: str, new: str) -> None:
    """Clients remember new ids: these were given out, and must come again for ever."""
    found = recognised(text)
    assert found is not None
    assert found.as_kind(found.kinds[0]) == new
