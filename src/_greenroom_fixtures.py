"""The pytest plugin's help for tests of actors and machines: fixtures, seeds, pair coverage.

Like `_greenroom_pytest`, it stands outside the package and imports greenroom, trio and anything
else only when it is used.
"""

from __future__ import annotations

import enum
import random
import secrets
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trio.abc import Clock, Instrument

    from greenroom.delivery.run.run import Agent
    from greenroom.runtime import Runtime
    from greenroom.testing import Faults, FaultyDisk, Supervised, TransitionRecorder
    from greenroom.testing.live import InMemoryDoor

SEED = pytest.StashKey[int]()
MARKER = "deterministic"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("greenroom")
    group.addoption(
        "--greenroom-seed",
        type=int,
        metavar="N",
        help="the scheduler's seed of tests marked deterministic: repeats their run",
    )
    group.addoption(
        "--greenroom-cover",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help="fail unless the tests take every pair of this state machine (may be repeated)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(runs=1): draw the trio scheduler's seed and tell it on failure; with runs, once "
        "for each of that number of seeds (greenroom)",
    )
    if config.getoption("--greenroom-cover"):
        config.pluginmanager.register(PairCoverage(config), "greenroom-cover")


# The scheduler's seed


@pytest.fixture
def _greenroom_run() -> None:
    """Stands for the number of a run in `deterministic(runs=…)`."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker(MARKER)
    runs = _runs_of(marker, metafunc.definition.nodeid) if marker is not None else 1
    if runs > 1 and metafunc.config.getoption("--greenroom-seed") is None:
        metafunc.fixturenames.append("_greenroom_run")
        metafunc.parametrize("_greenroom_run", range(runs), ids=lambda number: f"run{number}")


def _runs_of(marker: pytest.Mark, test: str) -> int:
    match (*marker.args, *marker.kwargs.values()):
        case ():
            return 1
        case (int() as runs,) if runs >= 1 and runs is not True and {*marker.kwargs} <= {"runs"}:
            return runs
    raise pytest.UsageError(f"{test}: {MARKER}(runs=20) takes one whole number, 1 or more")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _uses_our_runtime(item):
            item.add_marker(pytest.mark.trio(run=_run_on_mock_clock))
        if item.get_closest_marker(MARKER) and hasattr(getattr(item, "obj", None), "hypothesis"):
            raise pytest.UsageError(
                f"{item.nodeid} is marked {MARKER} and uses @given, which seeds the scheduler "
                "itself: draw `st.random_module()` there instead"
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if item.get_closest_marker(MARKER) is None:
        return (yield)
    from greenroom.testing.machines.data_checks import checking_data

    given = item.config.getoption("--greenroom-seed")
    item.stash[SEED] = secrets.randbits(32) if given is None else given
    with _seeded(item.stash[SEED]), checking_data():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and SEED in item.stash:
        test, _, _ = item.nodeid.partition("[")
        again = f"pytest {test} --greenroom-seed {item.stash[SEED]}"
        report.sections.append(("scheduler seed", f"{item.stash[SEED]}; the same again: {again}"))
    return report


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let trio order its tasks by `seed`, and `random` too, within the block.

    trio shuffles each batch of runnable tasks with `_core._run._r`, and sorts it first if
    `_ALLOW_DETERMINISTIC_SCHEDULING` is set: the hooks it keeps for Hypothesis and pytest-trio.
    """
    from trio._core import _run as trio_run

    before = trio_run._ALLOW_DETERMINISTIC_SCHEDULING, trio_run._r.getstate(), random.getstate()
    vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = True  # typed as a constant
    trio_run._r.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = before[0]
        trio_run._r.setstate(before[1])
        random.setstate(before[2])


# Actors: run with pytest-trio


@pytest.fixture
async def faults() -> AsyncIterator[Faults]:
    """Wraps actor factories so that the actors crash, go deaf or slow, or cannot be cancelled."""
    from greenroom.testing import Faults

    faults = Faults()
    yield faults
    faults.release()


@pytest.fixture
async def supervised(faults: Faults) -> AsyncIterator[Supervised]:
    """A supervisor for the length of the test. A crash below it that the test did not expect
    fails the test."""
    from greenroom.testing.supervised import open_supervised

    async with open_supervised() as supervised:
        yield supervised
        faults.release()


# The journal's disk


@pytest.fixture
def faulty_disk() -> Iterator[FaultyDisk]:
    """The disk of every journal that the test opens: `faulty_disk.fault = DiskFault.FULL`."""
    from greenroom.testing.faulty_disk import open_faulty_disk

    with open_faulty_disk() as disk:
        yield disk


# The whole runtime


@pytest.fixture
def greenroom_agents() -> Mapping[str, Agent] | Agent | None:
    """Which agents the fixture `runtime` has: override it to give some."""
    return None


@pytest.fixture
async def runtime(
    greenroom_agents: Mapping[str, Agent] | Agent | None,
) -> AsyncIterator[Runtime]:
    """A runtime with a journal in memory. The test runs on a mock clock that jumps by itself."""
    from greenroom.testing.live import open_test_runtime

    async with open_test_runtime(greenroom_agents) as runtime:
        yield runtime


@pytest.fixture
async def connect(runtime: Runtime) -> AsyncIterator[InMemoryDoor]:
    """`tab = await connect("alice")`: an in-memory client of a real connection actor."""
    from greenroom.testing.live import open_door

    async with open_door(runtime) as door:
        yield door


def _uses_our_runtime(item: pytest.Item) -> bool:
    """Whether `runtime` is this plugin's: other projects may have a fixture of that name."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    found = known.get("runtime")
    return bool(found) and found[-1].func.__module__ == __name__


def _run_on_mock_clock(
    function: Callable[[], Awaitable[object]],
    *,
    clock: Clock | None = None,
    instruments: Sequence[Instrument] = (),
) -> object:
    """How pytest-trio runs tests of `runtime`: by itself it sees only clocks the test asks for."""
    import trio
    from trio.testing import MockClock

    clock = clock or MockClock(autojump_threshold=0)
    return trio.run(function, clock=clock, instruments=instruments)


# Pair coverage


class PairCoverage:
    """Records what the session's tests take of machines, and fails it if pairs are missing."""

    def __init__(self, config: pytest.Config) -> None:
        if getattr(config.option, "numprocesses", None):
            raise pytest.UsageError("--greenroom-cover needs all tests in one process: no -n")
        self._targets: list[str] = config.getoption("--greenroom-cover")
        self._recording = ExitStack()
        self._recorders: list[TransitionRecorder[enum.Enum, object, object]] = []

    def pytest_sessionstart(self) -> None:
        from greenroom.actors.errors import GreenroomError
        from greenroom.loading.machine import load_machine
        from greenroom.testing import record_transitions

        for target in self._targets:
            try:
                machine = load_machine(target)
            except GreenroomError as error:
                raise pytest.UsageError(f"--greenroom-cover {error}") from error
            self._recorders.append(self._recording.enter_context(record_transitions(machine)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._recording.close()
        if self._missing() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("pairs of state machines")
        for line in self._missing():
            terminalreporter.line(line)
        for recorder in self._recorders:
            if not recorder.missing_pairs():
                terminalreporter.line(f"machine {recorder.machine.name!r}: every pair was taken")

    def _missing(self) -> list[str]:
        from greenroom.testing.machines.transition_coverage import describe_missing

        return [line for each in self._recorders for line in describe_missing(each)]
