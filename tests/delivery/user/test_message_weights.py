"""What the messages of each event weigh among those that an actor remembers."""

from __future__ import annotations

import attrs
import outcome
import pytest

from greenroom.actors.recording.recent import RECENT_BYTES
from greenroom.actors.recording.weight import PART, weight_of
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import Draft, draft
from greenroom.delivery.events.ids import EventId, IdSource, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.user.messages import AppendDone, DeliverEvents, Emit

pytestmark = pytest.mark.requirement("R39")

ALICE = UserId("alice")


def a_draft(size: int) -> Draft:
    context = UserContext.new(user=ALICE)
    return draft(
        event=IdSource().new(EventId),
        kind=Kind.PARTIAL_RESULT,
        thread=context.thread,
        run=context.run,
        parent=None,
        request=context.request,
        data={"text": "x" * size},
    )


@pytest.mark.parametrize("size", [0, 1_000, 10_000])
def test_an_emit_weighs_about_what_its_parts_do(size: int) -> None:
    request = Emit(a_draft(size))
    assert abs(weight_of(request, RECENT_BYTES) - weighed_by_parts(request.draft)) < 1_000


@pytest.mark.parametrize("size", [0, 1_000, 10_000])
def test_a_delivery_weighs_about_what_its_records_do(size: int) -> None:
    records = [a_draft(size).record(ALICE, offset, 0) for offset in (1, 2, 3)]
    delivery = DeliverEvents(records, replay=False)
    by_parts = sum(map(weighed_by_parts, records))
    assert abs(weight_of(delivery, RECENT_BYTES) - by_parts) < 3_000


def weighed_by_parts(record: attrs.AttrsInstance) -> int:
    return weight_of(list(attrs.asdict(record, recurse=False).values()), RECENT_BYTES)


def test_an_answer_of_the_journal_is_small_and_is_not_looked_into() -> None:
    assert weight_of(AppendDone(outcome.Value(None)), RECENT_BYTES) == PART
