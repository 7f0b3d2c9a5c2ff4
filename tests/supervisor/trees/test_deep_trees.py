"""Trees far deeper than Python's stack would bear, seen, shown and killed."""

from __future__ import annotations

import sys

import pytest
import trio
import trio.testing

from greenroom.supervisor import (
    ChildSpec,
    open_supervisor,
    render,
    snapshot,
    supervisor_child,
)
from greenroom.supervisor.errors import StartFailed
from greenroom.supervisor.inspection.as_json import MOST_LEVELS, dump_tree, load_tree
from tests.supervisor.stage import Stage, settle

pytestmark = pytest.mark.fault("W10")
LEVELS = sys.getrecursionlimit() + 200


def deep(leaf: ChildSpec, **options: object) -> ChildSpec:
    spec = leaf
    for level in range(LEVELS):
        spec = supervisor_child(f"s{level}", [spec])
    return supervisor_child("top", [spec], **options)  # type: ignore[arg-type]  # test shorthand


async def test_a_deep_tree_is_seen_rendered_and_told_as_json(stage: Stage) -> None:
    """Beyond OTP: a snapshot of the whole tree."""
    async with open_supervisor("root", [deep(stage.spec("a"))]) as root:
        tree = snapshot(root)
        nodes = list(tree.walk())
        assert len(nodes) == LEVELS + 3
        assert nodes[-1].id == "a"
        assert tree.find(nodes[-1].path) is nodes[-1]
        assert len(render(tree).splitlines()) == LEVELS + 3
        told = load_tree(dump_tree(tree, at=0.0))
        shown = list(told.walk())
        assert [node.id for node in shown] == [node.id for node in nodes[:MOST_LEVELS]]
        assert shown[-1].hidden == 1


async def test_a_deep_tree_is_killed_in_its_time(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    """supervisor(3), shutdown: a supervisor with a time of its own takes all below along."""

    async def deaf(*, task_status: trio.TaskStatus[object]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await let_go.wait()

    let_go = trio.Event()
    leaf = ChildSpec("a", deaf, shutdown=90_000)
    async with open_supervisor("root", [stage.spec("b"), deep(leaf, shutdown=2)]) as root:
        began = trio.current_time()
        await root.terminate_child("top")
        assert trio.current_time() - began < 2 + 1 + LEVELS * 0.2
        await settle()
        assert root.crashes()[-1].path == "root/top"
        let_go.set()


async def test_a_failure_deep_in_a_tree_is_told_in_a_few_words(stage: Stage) -> None:
    """Beyond OTP: each level's `StartFailed` tells of the one below."""
    stage.failing["a"] = 1
    with pytest.raises(StartFailed) as caught:
        async with open_supervisor("root", [deep(stage.spec("a"))]):
            raise AssertionError("never entered")
    assert len(str(caught.value)) < 1000
