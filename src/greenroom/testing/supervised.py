"""A supervisor for a test, which fails if a child crashes unexpectedly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import attrs

from greenroom.actors.actor import Actor
from greenroom.actors.ref import Ref
from greenroom.supervisor.child_spec import ChildSpec, Restart, actor_child
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.errors import AlreadyStarted
from greenroom.supervisor.restarts import Intensity
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.supervisor.supervisor import open_supervisor

M = TypeVar("M")


@attrs.define
class Supervised:
    """What the fixture `supervised` gives: `root` is the supervisor, `one_for_one`."""

    root: StaticSupervisorRef
    _log: CrashLog
    _expected: list[tuple[type[BaseException], str | None]] = attrs.field(factory=list)

    async def start(
        self,
        factory: Callable[[], Actor[M]],
        id: str = "it",  # noqa: A002 - supervisor(3)'s name for it
        *,
        restart: Restart = Restart.PERMANENT,
    ) -> Ref[M]:
        """Start an actor as a child; its first ref. `root.child(id)` gives the one of now.

        Raises what `start_child` of the supervisor raises; each child needs an id of its own.
        """
        try:
            return cast(Ref[M], await self.start_child(actor_child(id, factory, restart=restart)))
        except AlreadyStarted as error:
            error.advice = 'give each an id of its own: `supervised.start(Account, "another")`'
            raise

    async def start_child(self, spec: ChildSpec) -> object:
        """Start any child; its started value."""
        return await self.root.start_child(spec)

    def expect(self, error: type[BaseException], child: str | None = None) -> None:
        """Let crashes by this error pass, of this child or of any; `check` demands one."""
        self._expected.append((error, child))

    @property
    def crashes(self) -> tuple[CrashReport, ...]:
        """Every crash so far, expected or not, oldest first."""
        return self._log.reports()

    def check(self) -> None:
        """Raise `AssertionError` for unexpected crashes and for expected ones that did not come."""
        strays = [crash for crash in self.crashes if not self._is_expected(crash)]
        if strays:
            reports = "\n\n".join(f"{crash}\n{crash.traceback}" for crash in strays)
            raise AssertionError(f"{len(strays)} unexpected crashes:\n\n{reports}")
        for error, child in self._expected:
            if not any(_matches(crash, error, child) for crash in self.crashes):
                raise AssertionError(f"{child or 'no child'}: no crash by {error.__name__} came")

    def _is_expected(self, crash: CrashReport) -> bool:
        """A child left behind is reported again, without an error, when it ends at last."""
        same = [each for each in self.crashes if each.path == crash.path]
        found = same if crash.reason.error is None else [crash]
        return any(_matches(each, *expected) for each in found for expected in self._expected)


def _matches(crash: CrashReport, error: type[BaseException], child: str | None) -> bool:
    return isinstance(crash.reason.error, error) and child in (None, crash.child)


@asynccontextmanager
async def open_supervised() -> AsyncIterator[Supervised]:
    """Run the supervisor; at the end of the block stop it, and `check`."""
    log = CrashLog(capacity=10_000)
    intensity = Intensity(1000, 1.0)  # a test that crashes on purpose is no restart storm
    async with open_supervisor("supervised", crash_log=log, intensity=intensity) as root:
        supervised = Supervised(root, log)
        yield supervised
    supervised.check()
