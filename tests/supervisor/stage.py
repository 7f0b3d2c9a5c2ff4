"""Children on cue, and a record of who came and went."""

from __future__ import annotations

from collections import Counter

import outcome
import trio
import trio.testing

from greenroom.actors.errors import OrderlyExit
from greenroom.actors.exit import KILLED
from greenroom.supervisor import ChildSpec, SupervisorRef


class Crash(Exception):
    """What a child dies of."""


class Stage:
    """Makes specs of children that end on cue.

    `log` has `+a` for a start, `!a` for a start that failed, `-a` for an end. A start fails as
    often as `failing` says, the next time by the error in `failing_by`.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.failing: Counter[str] = Counter()
        self.failing_by: dict[str, BaseException] = {}
        self._starts: Counter[str] = Counter()
        self._cues: dict[str, tuple[trio.Event, list[outcome.Outcome[None]]]] = {}

    def spec(self, id_: str, **options: object) -> ChildSpec:
        async def start(*, task_status: trio.TaskStatus[object]) -> None:
            await trio.lowlevel.checkpoint()
            if self.failing[id_]:
                self.failing[id_] -= 1
                self.log.append(f"!{id_}")
                raise self.failing_by.pop(id_, None) or Crash(f"{id_} did not come up")
            cue, ends = self._cues[id_] = trio.Event(), []
            self.log.append(f"+{id_}")
            self._starts[id_] += 1
            task_status.started(f"{id_}{self._starts[id_]}")
            try:
                await cue.wait()
                ends[0].unwrap()
            finally:
                self.log.append(f"-{id_}")

        return ChildSpec(id_, start, **options)  # type: ignore[arg-type]  # test shorthand

    def crash(self, id_: str, error: BaseException | None = None) -> None:
        self._end(id_, outcome.Error(error or Crash(id_)))

    def finish(self, id_: str) -> None:
        self._end(id_, outcome.Value(None))

    def shut_down(self, id_: str) -> None:
        """End it with the reason `shutdown`, of its own accord."""
        self._end(id_, outcome.Error(OrderlyExit(id_)))

    def _end(self, id_: str, end: outcome.Outcome[None]) -> None:
        cue, ends = self._cues[id_]
        ends.append(end)
        cue.set()

    def take_log(self) -> str:
        taken, self.log = " ".join(self.log), []
        self._starts.clear()
        return taken


async def settle() -> None:
    """Let everything run until it waits."""
    await trio.testing.wait_all_tasks_blocked()


def kill(supervisor: SupervisorRef, id_: str) -> None:
    """Kill a child from outside, as `exit(Pid, kill)` would: its supervisor did not ask for it."""
    life = supervisor._children[id_].life
    assert life is not None
    life.abort(KILLED)
