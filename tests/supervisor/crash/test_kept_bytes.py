"""Crash reports are bounded in bytes, and say what they left out."""

from __future__ import annotations

import weakref
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.exit import crashed
from greenroom.actors.recording.recent import WEIGHED_AFTER
from greenroom.actors.recording.weight import weight_of
from greenroom.actors.ref import Ref
from greenroom.loading.replay import CannotReplay, load_case
from greenroom.supervisor import Intensity, StaticSupervisorRef, actor_child, open_supervisor
from greenroom.supervisor.crash.actor_note import NOTE_BYTES, RECORDED_BYTES
from greenroom.supervisor.crash.crash_log import LIVE_ERRORS, CrashLog
from greenroom.supervisor.crash.crash_report import LOG_BYTES
from greenroom.supervisor.crash.error_note import ERROR_BYTES, note_within
from greenroom.supervisor.crash.message_codec import JSON
from greenroom.supervisor.inspection.as_json import dump_crash, load_crash
from tests.supervisor.stage import settle

pytestmark = [pytest.mark.requirement("R39"), pytest.mark.fault("S15")]

MEGABYTE = 1 << 20
PARCEL = f"{__name__}:Parcel"
OFTEN = Intensity(1_000, 60.0)


@attrs.frozen
class Parcel:
    number: int
    content: str

    @classmethod
    def of(cls, number: int, size: int = MEGABYTE) -> Parcel:
        return cls(number, "x" * size)


class Post(Actor[Parcel | str]):
    """Dies of a text, and of a parcel with a negative number."""

    async def receive(self, message: Parcel | str) -> None:
        if isinstance(message, str) or message.number < 0:
            raise ValueError("undeliverable")


def post(root: StaticSupervisorRef) -> Ref[Parcel | str]:
    ref = root.child("post")
    assert isinstance(ref, Ref)
    return ref


def numbers(messages: tuple[JSON, ...]) -> list[object]:
    return [
        message["fields"]["number"]  # type: ignore[index, call-overload]  # so parcels are encoded
        for message in messages
        if isinstance(message, dict) and "fields" in message
    ]


async def test_a_report_of_large_messages_is_small_and_says_what_is_cut() -> None:
    async with open_supervisor("root", [actor_child("post", Post)]) as root:
        for number in range(20):
            post(root).tell(Parcel.of(number))
        post(root).tell(Parcel.of(-1))
        await settle()
        (report,) = root.crashes()
        assert report.weight < NOTE_BYTES
        assert report.messages[-1] == {
            "$object": PARCEL,
            "fields": {"number": -1, "content": {"$cut": "x" * 200, "length": MEGABYTE}},
        }


async def test_large_messages_of_earlier_times_are_told_by_their_type(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_supervisor("root", [actor_child("post", Post)]) as root:
        post(root).tell(Parcel.of(1))
        await trio.sleep(WEIGHED_AFTER + 0.1)
        post(root).tell("die")
        await settle()
        (report,) = root.crashes()
        parcel, death = report.messages
        assert parcel == {
            "$opaque": PARCEL,
            "over": 65_536,
        }
        assert death == "die"
        assert load_crash(dump_crash(report)).messages == report.messages


@pytest.mark.parametrize("pause", [0.0, 2 * WEIGHED_AFTER])
async def test_a_recording_is_bounded_and_keeps_the_newest(
    pause: float, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_supervisor("root", [actor_child("post", Post, record=100)]) as root:
        for number in range(10):
            post(root).tell(Parcel.of(number, MEGABYTE - 1_000))
            await trio.sleep(pause)
        post(root).tell("die")
        await settle()
        (report,) = root.crashes()
        assert report.actor is not None
        recording = report.actor.recording
        assert recording is not None
        assert weight_of(recording, 2 * RECORDED_BYTES) <= RECORDED_BYTES + 1_000
        assert numbers(recording.messages) == [6, 7, 8, 9]
        assert recording.messages[-1] == "die"


async def test_one_message_too_large_to_record_is_told_by_its_type() -> None:
    async with open_supervisor("root", [actor_child("post", Post, record=100)]) as root:
        content = ["y" * MEGABYTE] * 9
        post(root).tell(Parcel(-1, content))  # type: ignore[arg-type]  # nobody checks
        await settle()
        (report,) = root.crashes()
        assert report.actor is not None
        assert report.actor.recording is not None
        (message,) = report.actor.recording.messages
        assert message == {"$opaque": PARCEL, "over": RECORDED_BYTES}


async def test_a_factory_of_large_arguments_is_not_recorded() -> None:
    class Sized(Post):
        def __init__(self, weight: str) -> None:
            self.weight = weight

    make = partial(Sized, "x" * MEGABYTE)
    list_of = [partial(Sized, ["x" * MEGABYTE] * 9), make]
    for factory, kept in zip(list_of, (False, True), strict=True):
        async with open_supervisor("root", [actor_child("post", factory, record=9)]) as root:
            post(root).tell("die")
            await settle()
            (report,) = root.crashes()
            assert report.actor is not None
            assert report.actor.recording is not None
            assert (report.actor.recording.factory is not None) is kept


async def test_a_log_of_large_recordings_is_bounded_and_says_which_it_let_go(
    tmp_path: Path,
) -> None:
    spec = actor_child("post", Post, record=100)
    async with open_supervisor("root", [spec], intensity=OFTEN) as root:
        for _ in range(12):
            for number in range(3):
                post(root).tell(Parcel.of(number, MEGABYTE - 1_000))
            post(root).tell("die")
            await settle()
        reports = root.crashes()
        assert len(reports) == 12
        assert sum(report.weight for report in reports) <= LOG_BYTES
        recorded = [report.is_recorded for report in reports]
        assert recorded == sorted(recorded)
        assert 0 < recorded.count(True) < 12
        path = tmp_path / "crash.json"
        path.write_bytes(dump_crash(reports[0]))
        with pytest.raises(CannotReplay, match="to make room for newer reports"):
            load_case(path, actor=None, trust=True)


def raised(text: str) -> ValueError:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_many_large_reports_without_recordings_are_bounded_too() -> None:
    log = CrashLog(capacity=1_000)
    for number in range(100):
        error = raised("x" * 2_000)
        for _ in range(20):
            error.add_note("y" * 9_999)
        log.record("root", str(number), crashed(ExceptionGroup("many", [error] * 8)))

    reports = log.reports()

    assert sum(report.weight for report in reports) <= LOG_BYTES
    assert reports[-1].child == "99"


def test_the_notes_of_an_error_that_holds_thousands_are_bounded() -> None:
    def tree(depth: int) -> Exception:
        if not depth:
            return raised("x" * 2_000)
        return ExceptionGroup("many", [tree(depth - 1) for _ in range(8)])

    notes = note_within(tree(4))

    assert weight_of(notes, 2 * ERROR_BYTES) <= ERROR_BYTES
    assert notes.errors, "of itself, and of some below it"


async def test_messages_in_the_frames_of_crashes_are_let_go_of_by_all_but_the_newest_reports(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The live error of a report holds its traceback, and with it what was in hand."""
    caplog.set_level("CRITICAL", logger="greenroom.supervisor")  # caplog keeps errors, too
    watched: list[weakref.ref[Parcel]] = []
    spec = actor_child("post", Post)
    async with open_supervisor("root", [spec], intensity=OFTEN) as root:
        for _ in range(LIVE_ERRORS + 5):
            parcel = Parcel.of(-1)
            watched.append(weakref.ref(parcel))
            post(root).tell(parcel)
            del parcel
            await settle()
        alive = [each() is not None for each in watched]
        live = [report.reason.error is not None for report in root.crashes()]
    assert alive == live == [False] * 5 + [True] * LIVE_ERRORS


class Brief(Post):
    remembered = 2


async def test_a_crash_amid_a_batch_tells_of_the_remembered_messages_only() -> None:
    async with open_supervisor("root", [actor_child("post", Brief)]) as root:
        for number in range(5):
            post(root).tell(Parcel.of(number, 1))
        post(root).tell("nobody's")
        await settle()
        note = root.crashes()[-1].actor
        assert note is not None
        assert note.messages[-1] == "nobody's"
        assert (len(note.messages), note.forgotten) == (2, 4)
