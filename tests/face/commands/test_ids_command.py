"""`greenroom ids explain` says what an id is, or why it is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from greenroom.delivery.events.ids import IdSource, RunId, ThreadId
from greenroom.delivery.legacy import id_explanation
from greenroom.delivery.legacy.id_explanation import explain
from greenroom.delivery.legacy.legacy_ids import FORMS, modern
from tests.face.cli import greenroom

IDS = IdSource(now_ms=lambda: 1_757_371_363_786, random_bits=lambda _: 7)
RUN = IDS.new(RunId)
LEGACY = "websocket_factory_1757371363786"


def test_every_legacy_form_has_ids_that_resemble_it() -> None:
    assert {shape for _, shape in id_explanation._RESEMBLING} == {form.shape for form in FORMS}


def test_an_id_of_ours_is_told_with_kind_and_birth(tmp_path: Path) -> None:
    result = greenroom("ids", "explain", RUN, cwd=tmp_path)
    assert result.out == f"{RUN}: a run id, born 2025-09-08 22:42:43.786 UTC\n"
    assert (result.code, result.err) == (0, "")


@pytest.mark.requirement("R19")
def test_a_legacy_id_is_told_with_its_form_and_the_ids_it_becomes(tmp_path: Path) -> None:
    result = greenroom("ids", "explain", LEGACY, cwd=tmp_path)
    assert result.out.splitlines() == [
        f"{LEGACY}: a legacy run id (websocket_factory_<ms>), born 2025-09-08 22:42:43.786 UTC",
        f"  becomes {modern(RunId, LEGACY)}",
        f"  as a thread id: {modern(ThreadId, LEGACY)}",
        "  as a user's id it is valid: the identity provider decides on the form of those",
    ]
    assert result.code == 0


def test_a_mapped_id_says_so_and_the_time_only_if_the_legacy_id_held_one(tmp_path: Path) -> None:
    mapped = [modern(RunId, LEGACY), modern(RunId, "u_req_a1b2c3d4e5f6_0a1b2c3d")]
    result = greenroom("ids", "explain", *mapped, cwd=tmp_path)
    assert result.out.splitlines() == [
        f"{mapped[0]}: a run id, born 2025-09-08 22:42:43.786 UTC (it was a legacy id)",
        f"{mapped[1]}: a run id, with no time in it (it was a legacy id)",
    ]


def test_several_ids_as_json_are_an_object_a_line_and_one_that_is_none_exits_1(
    tmp_path: Path,
) -> None:
    result = greenroom("ids", "explain", "--json", RUN, LEGACY, RUN.upper(), cwd=tmp_path)
    ours, legacy, wrong = (json.loads(line) for line in result.out.splitlines())
    assert (ours["kind"], ours["born_ms"], ours["known"]) == ("run", 1_757_371_363_786, True)
    assert legacy["becomes"][0]["id"] == modern(RunId, LEGACY)
    assert (wrong["known"], wrong["closest"]) == (False, RUN)
    assert result.code == 1
    assert result.err.startswith("greenroom: error: not ids: 1 of 3")


def test_what_would_move_the_terminals_cursor_is_not_printed(tmp_path: Path) -> None:
    result = greenroom("ids", "explain", "\x1b[2Jx", cwd=tmp_path)
    assert result.code == 1
    assert "\x1b" not in result.out


SUFFIX = RUN.removeprefix("run_")
NONE = {
    "upper case": (RUN.upper(), RUN, "ids must be in lower case"),
    "spaces around": (f" {RUN}\n", RUN, "spaces"),
    "quoted": (f'"{RUN}",', RUN, "punctuation"),
    "hyphen": (RUN.replace("_", "-"), RUN, "underscore"),
    "misspelt kind": (f"rnu_{SUFFIX}", RUN, "'rnu' is not a kind of id"),
    "misread digits": (f"run_o{SUFFIX[1:]}", RUN, "ids must not contain i, l or o"),
    "cut short": (RUN[:-1], None, "26 characters must follow the kind, not 25"),
    "not in the alphabet": (f"{RUN[:-1]}u", None, "ids must not contain u"),
    "too many bits": (f"run_8{SUFFIX[1:]}", None, "more than 128 bits"),
    "legacy, upper case": ("req_A1B2C3D4E5F6", "req_a1b2c3d4e5f6", "ids must be in lower case"),
    "legacy, cut": ("req_a1b2c3d4e5f", "req_<hex12>", "none of the legacy forms"),
    "legacy thread, cut": (
        "thread_x_1757371363786_5_584ef8a",
        "thread_<name>_<ms>_<n>_<hex8>",
        "none of the legacy forms",
    ),
    "legacy, seconds": ("analyst_1757371363", "<name>_<ms>", "none of the legacy forms"),
    "nothing": ("", None, "an empty string"),
    "too long": ("a" * 300, None, "a string of 300 characters"),
}


@pytest.mark.requirement("R17", "R19")
@pytest.mark.parametrize(("text", "closest", "why"), NONE.values(), ids=NONE)
def test_what_is_no_id_is_told_why_with_the_closest_thing(
    text: str, closest: str | None, why: str
) -> None:
    explanation = explain(text)
    assert explanation.closest == closest
    assert why in explanation.why
    assert not explanation.known


def test_what_resembles_nothing_can_be_a_users_id_and_is_then_no_error(tmp_path: Path) -> None:
    result = greenroom("ids", "explain", "ada@example.org", cwd=tmp_path)
    assert result.out.splitlines()[0] == "ada@example.org: not an id"
    assert "as a user's id it is valid" in result.out
    assert result.code == 0
