"""One suite for every module that shows a framework's agents to users.

    class TestMine(IntegrationConformance):
        def agent(self, script, tools):
            ...  # an agent of your framework, with a fake model that plays the script

Each test opens a real runtime and a real WebSocket. What a framework cannot do stands in `lacks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Final, Literal, TypeAlias

import pytest

from greenroom.aio.loop_agent import AioAgent
from greenroom.delivery.events.kinds import Kind
from greenroom.testing.integrations.script import (
    CallTool,
    Fail,
    Part,
    Script,
    Speak,
    Think,
    Turn,
    Wait,
)
from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import (
    Reaction,
    allow,
    events_of,
    ignore,
    refuse,
    stop_in_wait,
)
from greenroom.testing.integrations.suite_tools import SuiteTools
from greenroom.testing.same import same

Feature: TypeAlias = Literal["thoughts", "tools", "approvals", "usage", "silence", "unread", "late"]

HELLO: Final = Speak(("Hel", "lo ", "there"))
MANY: Final = 10_000
FEW: Final = MANY // 20


class IntegrationConformance(ABC):
    """Subclass it under a name that begins with `Test`, and say how your agent is made."""

    lacks: ClassVar[Mapping[Feature, str]] = {}
    """What the framework has not, and why; its tests are skipped. `unread`: it forgets what was not
    read yet when its model raises; then a beginning of the text suffices.
    `late`: it waits for a model that swallows its cancellation; the run is ended without it."""

    @abstractmethod
    def agent(self, script: Script, tools: SuiteTools) -> AioAgent:
        """An agent of the framework with these tools, whose fake model plays the script."""

    def test_text_arrives_whole_and_the_run_ends(self) -> None:
        seen, _, _ = self._play((HELLO,))
        same((seen.text, seen.how), ("Hello there", "ok"), "the answer and the end")

    def test_a_thought_is_one_thought_and_is_not_in_the_answer(self) -> None:
        self._skip_without("thoughts")
        seen, _, _ = self._play((Think(("hm, ", "costs")), HELLO))
        same((seen.thoughts, seen.text), (["hm, costs"], "Hello there"), "thoughts and answer")

    def test_two_tools_at_once_have_their_own_results(self) -> None:
        self._skip_without("tools")
        two = CallTool("c1", "add", {"a": 1, "b": 2}), CallTool("c2", "add", {"a": 3, "b": 4})
        seen, _, _ = self._play(two, (HELLO,))
        same(sorted(map(str, seen.results.values())), ["3", "7"], "the results")
        began = [event.kind is Kind.TOOL_EXECUTING for event in seen.of(*TOOLS)]
        same(began, [True, True, False, False], "whether both began before one ended")
        same((seen.text, seen.how), ("Hello there", "ok"), "the answer and the end")

    def test_a_tool_that_fails_is_shown_without_the_text_of_its_error(self) -> None:
        self._skip_without("tools")
        seen, _, _ = self._play((CallTool("c1", "broken", {"path": "a"}),), (HELLO,))
        (end,) = seen.of(Kind.TOOL_COMPLETED)
        same("error" in end.data, True, "whether the tool ended by an error")
        same(seen.end.kind in (Kind.AGENT_COMPLETED, Kind.AGENT_FAILED), True, "one end")
        seen.hides("hunter2", "no such file")

    def test_a_tool_whose_approval_is_refused_is_not_called(self) -> None:
        self._skip_without("approvals")
        seen, _, tools = self._play(
            (CallTool("c1", "delete", {"path": "a"}),), (HELLO,), react=refuse
        )
        (end,) = seen.of(Kind.TOOL_COMPLETED)
        same(("error" in end.data, tools.deleted), (True, []), "its error, and what it deleted")
        same((seen.text, seen.how), ("Hello there", "ok"), "the answer and the end")

    def test_a_tool_that_is_approved_is_called_once(self) -> None:
        self._skip_without("approvals")
        seen, _, tools = self._play(
            (CallTool("c1", "delete", {"path": "a"}),), (HELLO,), react=allow
        )
        same((list(seen.results.values()), tools.deleted), (["deleted a"], ["a"]), "what it did")
        same(len(seen.of(Kind.INPUT_REQUESTED)), 1, "questions")

    def test_a_framework_that_asks_twice_gets_an_answer_each_time(self) -> None:
        self._skip_without("approvals")
        two = CallTool("c1", "delete", {"path": "a"}), CallTool("c2", "delete", {"path": "b"})
        again = (CallTool("c3", "delete", {"path": "a"}),)
        seen, _, tools = self._play(two, again, (HELLO,), react=refuse)
        same((len(seen.of(Kind.INPUT_ANSWERED)), tools.deleted), (3, []), "answers and deeds")
        same((seen.text, seen.how), ("Hello there", "ok"), "the answer and the end")

    def test_stop_ends_the_call_of_the_model(self) -> None:
        seen, script = self._stop(Speak(("Hello",)), Wait())
        same((seen.how, script.was_cancelled), ("cancelled", True), "the end, and the model's")
        same(seen.text, "Hello", "what had been said")

    def test_a_model_that_cleans_up_after_stop_is_waited_for(self) -> None:
        seen, script = self._stop(Speak(("Hello",)), Wait(cleans_up=True))
        same((seen.how, script.cleaned_up), ("cancelled", True), "the end, and its cleaning")

    def test_what_a_model_yields_after_its_end_is_not_shown(self) -> None:
        self._skip_without("late")
        turn = Speak(("Hello",)), Wait(goes_on=True), Speak((" and more",))
        seen, script = self._stop(*turn)
        same((seen.how, script.was_cancelled), ("cancelled", True), "the end, and the model's")

    def test_a_model_that_crashes_fails_the_run_without_its_words(self) -> None:
        seen, _, _ = self._play((Fail(),))
        same((seen.end.kind, seen.how), (Kind.AGENT_FAILED, "crash"), "the end")
        seen.hides("sk-123")

    def test_a_model_that_crashes_in_mid_stream_leaves_what_it_said(self) -> None:
        seen, _, _ = self._play((HELLO, Fail()))
        said = "Hello there".startswith(seen.text) if "unread" in self.lacks else seen.text
        same((said in (True, "Hello there"), seen.how), (True, "crash"), "the answer and the end")
        seen.hides("sk-123")

    def test_a_model_that_says_nothing_fails_the_run(self) -> None:
        self._skip_without("silence")
        seen, _, _ = self._play(())
        same((seen.text, seen.how), ("", "crash"), "the answer and the end")

    def test_ten_thousand_deltas_arrive_whole_in_few_events(self) -> None:
        words = tuple(f"{number} " for number in range(MANY))
        seen, _, _ = self._play((Speak(words),))
        same(seen.text == "".join(words), True, "whether the answer is whole")
        events = len(seen.of(Kind.PARTIAL_RESULT))
        same(events <= FEW, True, f"whether at most {FEW} events came, not {events}")

    def test_the_usage_of_all_calls_of_the_model_is_in_the_end(self) -> None:
        self._skip_without("usage")
        seen, script, _ = self._play((HELLO,))
        used = seen.end.data.get("usage")
        counts = {name: used.get(name) for name in TOKENS} if isinstance(used, Mapping) else used
        same(
            counts,
            dict(zip(TOKENS, (script.input_tokens, script.output_tokens), strict=True)),
            "usage",
        )

    def _play(self, *turns: Turn, react: Reaction = ignore) -> tuple[Seen, Script, SuiteTools]:
        script, tools = Script(turns), SuiteTools()
        return Seen(events_of(self.agent(script, tools), react)), script, tools

    def _stop(self, *turn: Part) -> tuple[Seen, Script]:
        script = Script((turn,))
        stop = partial(stop_in_wait, script)
        return Seen(events_of(self.agent(script, SuiteTools()), stop)), script

    def _skip_without(self, feature: Feature) -> None:
        if feature in self.lacks:
            pytest.skip(self.lacks[feature])


TOOLS: Final = (Kind.TOOL_EXECUTING, Kind.TOOL_COMPLETED)
TOKENS: Final = ("input_tokens", "output_tokens")
