"""Runs as front-end protocols show them: as in clients/js, and as the protocols' verifiers want."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.ids import AskId
from greenroom.transport.front_ends.ag_ui.events import AgUiRun
from greenroom.transport.front_ends.ai_sdk.chunks import AiSdkRun
from greenroom.transport.front_ends.family import Family
from greenroom.transport.front_ends.questions import PageAnswer
from tests.protocol.projections import RUN, SHOWN, ag_ui_of, ai_sdk_of, event_of, events_of, vectors
from tests.transport.front_ends.drawn_runs import runs
from tests.transport.front_ends.grammar import AG_UI, AI_SDK, check

ASK = AskId("ask_01kbx3m9sebmv8t2v9w0c4d5e6")
VECTORS = vectors()
YES_OR_NO = ["yes", "no"]


@pytest.mark.parametrize("vector", VECTORS, ids=[each["name"] for each in VECTORS])
def test_a_run_is_shown_as_the_client_of_a_page_shows_it(vector):
    """clients/js/test/projections.test.ts claims the same of the same files."""
    assert ag_ui_of(vector) == vector["ag_ui"]
    assert ai_sdk_of(vector) == vector["ai_sdk"]
    check(vector["ag_ui"], AG_UI)
    check(vector["ai_sdk"], AI_SDK)


@given(events=runs(), start=st.integers(0, 60))
def test_ag_ui_accepts_a_run_that_is_read_from_any_of_its_events_on(events, start):
    run = AgUiRun(RUN, **SHOWN)
    for event in events[:start]:
        run.of(event)
    shown = [*run.begin(), *run.reopened()]
    shown += [each for event in events[start:] for each in run.of(event)]
    shown += run.interrupted()
    check(shown, AG_UI)


@given(events=runs())
def test_the_ai_sdk_accepts_a_run_from_its_beginning(events):
    run = AiSdkRun(RUN)
    shown = [*run.begin(), *(each for event in events for each in run.of(event))]
    check([*shown, *run.interrupted()], AI_SDK)


@given(events=runs(), start=st.integers(0, 60))
def test_a_stream_that_broke_off_adds_up_with_the_one_that_goes_on(events, start):
    """Text, calls and results come once, in order, whatever the place of the cut."""
    first, second = AgUiRun(RUN, **SHOWN), AgUiRun(RUN, **SHOWN)
    shown = [each for event in events[:start] for each in first.of(event)]
    for event in events[:start]:
        second.of(event)
    shown += [each for event in events[start:] for each in second.of(event)]
    whole = AgUiRun(RUN, **SHOWN)
    assert shown == [each for event in events for each in whole.of(event)]


def test_only_the_run_and_its_sub_runs_belong_to_it():
    family = Family(RUN)
    sub_run = event_of({"kind": "agent_started", "run": "run_1", "parent": RUN, "data": {}}, 1)
    stranger = event_of({"kind": "agent_started", "run": "run_2", "data": {}}, 2)
    below = event_of({"kind": "agent_started", "run": "run_3", "parent": "run_1", "data": {}}, 3)
    assert [family.has(each) for each in (sub_run, stranger, below)] == [True, False, True]


@pytest.mark.parametrize(
    ("payload", "options", "value"),
    [
        (True, YES_OR_NO, "yes"),
        ({"approved": False}, YES_OR_NO, "no"),
        ("yes", YES_OR_NO, "yes"),
        (True, None, True),
        (True, [1, 0], True),
        ({"approved": True}, None, {"approved": True}),
    ],
)
def test_an_approval_is_answered_in_the_words_of_the_question(payload, options, value):
    assert PageAnswer(ASK, payload).value(options) == value


def test_a_refusal_is_a_no_if_there_is_one():
    assert PageAnswer(ASK, is_refusal=True).value(YES_OR_NO) == "no"
    assert PageAnswer(ASK, is_refusal=True).value(["a", "b"]) is None


def test_each_vector_is_of_use():
    kinds = {event.kind for vector in VECTORS for event in events_of(vector)}
    assert len(kinds) == 13
