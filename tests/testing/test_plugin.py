"""The pytest plugin's fixtures, seeds and gate, as another project's tests see them."""

from __future__ import annotations

import re

import pytest

from greenroom.actors.actor import Actor
from greenroom.supervisor.errors import AlreadyStarted
from greenroom.testing import Supervised

pytestmark = pytest.mark.requirement("R41")

GATE = """
import enum

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.table import On
from greenroom.actors.machine.step import go

class Gate(enum.Enum):
    SHUT = 1
    OPEN = 2

class Pull: ...
class Kick: ...

def opens(data, _):
    return go(Gate.OPEN, data)

gate = Machine(
    name="gate", states=Gate, initial=Gate.SHUT, final={Gate.OPEN},
    transitions=[On(Gate.SHUT, Pull, opens, to={Gate.OPEN}),
                 On(Gate.SHUT, Kick, opens, to={Gate.OPEN})],
)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\ntrio_mode = true\naddopts = --strict-markers -p no:cacheprovider")
    pytester.syspathinsert()
    return pytester


RACE = """
import pytest, trio

@pytest.mark.deterministic
async def test_race():
    order = []
    async def runner(name):
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            order.append(name)
    async with trio.open_nursery() as nursery:
        for name in "abcdefgh":
            nursery.start_soon(runner, name)
    print("ORDER", "".join(order))
    assert False
"""


def order_of(result: pytest.RunResult) -> str:
    return next(line for line in result.outlines if line.startswith("ORDER"))


def test_a_deterministic_test_tells_its_seed_and_repeats_exactly_with_it(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(test_race=RACE)
    first, other = project.runpytest_subprocess(), project.runpytest_subprocess()
    (seed,) = re.findall(
        r"pytest test_race.py::test_race --greenroom-seed (\d+)", str(first.stdout)
    )

    again = [project.runpytest_subprocess("--greenroom-seed", seed) for _ in range(2)]

    assert order_of(first) != order_of(other), "each run draws its own seed"
    assert {order_of(run) for run in again} == {order_of(first)}


def test_a_test_that_passes_says_nothing_of_its_seed(project: pytest.Pytester) -> None:
    project.makepyfile(test_race=RACE.replace("assert False", ""))

    result = project.runpytest()

    result.assert_outcomes(passed=1)
    assert "--greenroom-seed" not in str(result.stdout)


def test_the_scheduler_is_as_it_was_after_a_deterministic_test(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import random
        import pytest
        from trio._core import _run

        states = []

        def remember():
            allowed = _run._ALLOW_DETERMINISTIC_SCHEDULING
            states.append((allowed, _run._r.getstate(), random.getstate()))

        def test_before(): remember()

        @pytest.mark.deterministic
        def test_between(): random.random(), _run._r.random()

        def test_after():
            remember()
            assert states[0] == states[1]
    """)
    project.runpytest("-p", "no:randomly").assert_outcomes(passed=3)


def test_a_test_can_be_run_with_many_seeds_and_with_the_one_that_failed(
    project: pytest.Pytester,
) -> None:
    project.makepyfile("""
        import random
        import pytest

        @pytest.mark.deterministic(runs=40)
        def test_luck():
            assert random.random() > 0.2
    """)
    result = project.runpytest()
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] + outcomes["failed"] == 40
    seed = re.findall(r"--greenroom-seed (\d+)", str(result.stdout))[0]

    project.runpytest("--greenroom-seed", seed).assert_outcomes(failed=1)


@pytest.mark.parametrize(("given", "runs"), [("", 1), ("()", 1), ("(3)", 3), ("(runs=2)", 2)])
def test_how_often_it_runs_may_be_said_with_and_without_its_name(
    given: str, runs: int, project: pytest.Pytester
) -> None:
    project.makepyfile(MARKED.format(given))
    project.runpytest().assert_outcomes(passed=runs)


@pytest.mark.parametrize("given", ['(runs="x")', "(0)", "(runs=True)", "(run=3)", "(2, runs=3)"])
def test_runs_that_are_no_number_of_runs_are_refused(given: str, project: pytest.Pytester) -> None:
    project.makepyfile(MARKED.format(given))
    result = project.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*.py::test_it: deterministic(runs=20) takes one whole number, 1 or more"]
    )


MARKED = """
import pytest

@pytest.mark.deterministic{}
def test_it(): pass
"""


def test_deterministic_and_given_do_not_go_together(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from hypothesis import given, strategies as st

        @pytest.mark.deterministic
        @given(st.integers())
        def test_both(number): pass
    """)
    result = project.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*draw `st.random_module()` there instead*"])


ACTORS = """
import pytest, trio
from greenroom.actors.actor import Actor
from greenroom.actors.ref import ActorStopped
from greenroom.actors.errors import AskTimeout
from greenroom.actors.ref import Request
from greenroom.supervisor.errors import ChildLeftBehind
from greenroom.testing import InjectedFault

class Sum(Request[int]): ...

class Account(Actor):
    def __init__(self):
        self.sum = 0

    async def receive(self, message):
        if isinstance(message, Sum):
            return self.sum
        self.sum += message
"""


def actors(project: pytest.Pytester, body: str) -> pytest.RunResult:
    project.makepyfile(test_actors=ACTORS + body)
    return project.runpytest_subprocess()


def test_a_crash_nobody_expected_fails_the_test_and_one_expected_does_not(
    project: pytest.Pytester,
) -> None:
    result = actors(
        project,
        """
async def test_unexpected(supervised):
    ref = await supervised.start(Account)
    ref.tell("not a number")
    await ref.wait_stopped()

async def test_expected(supervised):
    supervised.expect(TypeError, "it")
    ref = await supervised.start(Account)
    ref.tell("not a number")
    await ref.wait_stopped()
    await trio.testing.wait_all_tasks_blocked()
    assert await supervised.root.child("it").ask(Sum()) == 0, "restarted"

async def test_in_vain(supervised):
    supervised.expect(TypeError)
    await supervised.start(Account)

async def test_calm(supervised):
    ref = await supervised.start(Account)
    ref.tell(7)
    assert await ref.ask(Sum()) == 7
""",
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*1 unexpected crashes*", "*no crash by TypeError came*"])


async def test_a_second_actor_of_the_same_id_is_refused_and_it_is_said_what_to_do(
    supervised: Supervised,
) -> None:
    await supervised.start(Actor[str])
    await supervised.start(Actor[str], "another")
    with pytest.raises(AlreadyStarted, match="give each an id of its own"):
        await supervised.start(Actor[str])


def test_an_actor_crashes_on_the_nth_message_once_or_in_every_life(
    project: pytest.Pytester,
) -> None:
    result = actors(
        project,
        """
async def lives(supervised, factory):
    supervised.expect(InjectedFault)
    await supervised.start(factory)
    for number in range(6):
        supervised.root.child("it").tell(1)
        await trio.testing.wait_all_tasks_blocked()
    return len(supervised.crashes)

async def test_once(supervised, faults):
    assert await lives(supervised, faults.crash_on(2, Account)) == 1

async def test_every_life(supervised, faults):
    assert await lives(supervised, faults.crash_on(2, Account, every=True)) == 3

async def test_with_an_error_of_ones_own(supervised, faults):
    supervised.expect(OSError)
    ref = await supervised.start(faults.crash_on(1, Account, error=OSError("disk full")))
    with pytest.raises(ActorStopped, match="disk full"):
        await ref.ask(Sum())
""",
    )
    result.assert_outcomes(passed=3)


def test_an_actor_is_slow_deaf_or_ignores_cancellation(project: pytest.Pytester) -> None:
    result = actors(
        project,
        """
async def test_slow(supervised, faults, autojump_clock):
    ref = await supervised.start(faults.slow(7, Account))
    before = trio.current_time()
    assert await ref.ask(Sum()) == 0
    assert trio.current_time() - before == 7

async def test_deaf(supervised, faults, autojump_clock):
    ref = await supervised.start(faults.deaf(Account, after=1))
    assert await ref.ask(Sum()) == 0
    with pytest.raises(AskTimeout):
        await ref.ask(Sum(), timeout=1000)

async def test_ignores_cancellation(supervised, faults, autojump_clock):
    ref = await supervised.start(faults.ignores_cancellation(Account))
    ref.tell(1)
    await trio.testing.wait_all_tasks_blocked()
    supervised.expect(ChildLeftBehind, "it")
    with pytest.raises(ChildLeftBehind, match="'supervised' left 'it' behind"):
        await supervised.root.terminate_child("it")
    assert ref.exit_reason is None, "nothing stops it"
    faults.release()
    await ref.wait_stopped()
""",
    )
    result.assert_outcomes(passed=3)


def test_a_suite_that_leaves_pairs_of_a_machine_untaken_fails_naming_them(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(gates=GATE)
    project.makepyfile(
        test_gate="""
        from gates import Gate, Kick, Pull, gate
        from greenroom.actors.machine.runner import MachineRunner

        def test_pull(): MachineRunner(gate, ()).handle(Pull())
        def test_kick(): MachineRunner(gate, ()).handle(Kick())
        """
    )
    some = project.runpytest_subprocess("--greenroom-cover", "gates:gate", "-k", "pull")
    every = project.runpytest_subprocess("--greenroom-cover", "gates:gate")
    none = project.runpytest_subprocess("--greenroom-cover", "gates:gat")

    assert some.ret == pytest.ExitCode.TESTS_FAILED
    some.stdout.fnmatch_lines(["machine 'gate': 1 of 2 pairs never taken", "  Kick in SHUT"])
    assert every.ret == pytest.ExitCode.OK
    every.stdout.fnmatch_lines(["machine 'gate': every pair was taken"])
    assert none.ret == pytest.ExitCode.USAGE_ERROR


def test_a_project_that_uses_nothing_of_it_imports_nothing_of_it(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import sys
        def test_nothing(): assert not {"greenroom", "hypothesis.stateful"} & set(sys.modules)
    """)
    project.makeini("[pytest]")
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_fixture_of_ones_own_named_runtime_is_left_alone(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest, trio
        from trio.testing import MockClock

        @pytest.fixture
        def runtime(): return 7

        async def test_own(runtime):
            assert runtime == 7
            assert not isinstance(trio.lowlevel.current_clock(), MockClock)
    """)
    project.runpytest_subprocess().assert_outcomes(passed=1)
