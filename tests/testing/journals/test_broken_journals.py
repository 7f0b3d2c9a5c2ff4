"""The suite for journals finds what is wrong with a third party's, and names it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path

import attrs
import pytest

from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.testing.journal_conformance import JournalConformance
from tests.testing.journals.toy_journal import ToyConformance, ToyJournal

pytestmark = pytest.mark.requirement("R43")


class TestToy(ToyConformance):
    """Nothing is wrong with it."""


class KeepsHalf(ToyJournal):
    """An append is no transaction."""

    def store(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            super().store([entry])


class SaysYes(ToyJournal):
    """An append whose answer is lost counts as kept."""

    def unreachable(self, entries: Sequence[Entry]) -> None:
        """All will be well."""


class TriesAgain(ToyJournal):
    """An append whose answer is lost is appended again, at the end."""

    def unreachable(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            assert isinstance(entry, Record)
            last = self._store.bounds(entry.user).last
            self.store([attrs.evolve(entry, offset=last + 1)])


class LooksAtNoLease(ToyJournal):
    """An append is kept, whoever has the runs."""

    def check_lease(self) -> None:
        """Who would take it?"""


class LooksAtNoEpoch(ToyJournal):
    """Whatever engine answers is the journal's own."""

    def check_epoch(self) -> None:
        """Why should it be another one?"""


BROKEN: dict[type[ToyJournal], set[str]] = {
    KeepsHalf: {
        "one_wrong_entry_refuses_the_whole_batch",
        "an_id_of_another_kind_is_refused_before_anything_is_kept",
        "a_message_that_two_writers_were_sent_is_kept_once",
        "a_writer_that_does_not_know_the_end_of_a_log_keeps_nothing_of_any_user",
    },
    SaysYes: {"an_append_that_its_engine_never_had_is_kept_once_or_refused"},
    TriesAgain: {"an_append_whose_answer_is_lost_is_kept_once_or_refused"},
    LooksAtNoLease: {"a_writer_that_stood_still_for_longer_than_its_lease_keeps_nothing"},
    LooksAtNoEpoch: {"a_journal_whose_engine_is_empty_now_keeps_nothing_in_it"},
}


@pytest.mark.parametrize(("kind", "broken"), BROKEN.items())
def test_a_journal_that_breaks_a_promise_fails_its_claims_and_no_others(
    kind: type[ToyJournal], broken: set[str], tmp_path: Path
) -> None:
    suite = type("Suite", (ToyConformance,), {"kind": kind})
    assert {each.removeprefix("test_") for each in failing(suite, tmp_path)} == broken


def failing(suite: type[JournalConformance], directory: Path) -> Iterator[str]:
    """The claims that fail, of those that need no model."""
    names = [name for name in dir(suite) if name.startswith("test_") and "model" not in name]
    for number, name in enumerate(names):
        place = directory / str(number)
        place.mkdir()
        try:
            getattr(suite(), name)(place)
        except pytest.skip.Exception:
            pass
        except (Exception, BaseExceptionGroup, pytest.fail.Exception):  # noqa: BLE001  # whatever it is, it fails
            yield name


class Unfinished(JournalConformance):
    """What a third party begins with."""

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return aclosing(MemoryJournal())


def test_what_a_backend_neither_has_nor_lacks_fails_and_says_what_is_missing(
    tmp_path: Path,
) -> None:
    with pytest.raises(NotImplementedError, match="override open_node, or say in `lacks` why"):
        Unfinished().test_writers_that_race_leave_one_log_without_gaps(tmp_path)
