"""Nurseries end by errors that cannot be shown as they do by any other.

trio notes `repr(error)` of a task that fails as the reason why its nursery is cancelled, and does
so where nothing may be raised: if that `repr` raises (`ValueError(10**5000)` is enough), the whole
`trio.run` ends with `TrioInternalError`. An agent's own nursery would so end every user's server.
This changes private methods of trio, so pyproject.toml caps its version.
"""

from __future__ import annotations

import functools
from inspect import signature
from typing import Any

import outcome
import trio

LONGEST_REASON = 100_000
"""Characters of an error that trio may keep as the reason of a cancellation."""


def end_by_any_error() -> None:
    """See to it once that trio is never asked to show an error that cannot be shown.

    Changes nothing where trio gives no reasons (before 0.31), nor for errors that can be shown.
    """
    nursery: Any = trio.Nursery
    if "reason" in signature(nursery._add_exc).parameters and not hasattr(nursery, _MARK):
        setattr(nursery, _MARK, True)
        _mend(nursery)


_MARK = "_greenroom_ends_by_any_error"


def _mend(nursery: Any) -> None:  # Any: private methods
    child_finished, block_finished = nursery._child_finished, nursery._nested_child_finished

    @functools.wraps(child_finished)
    def _child_finished(self: Any, task: object, result: outcome.Outcome[object]) -> None:
        if isinstance(result, outcome.Error) and _note(self, result.error):
            result = outcome.Value(None)
        child_finished(self, task, result)

    @functools.wraps(block_finished)
    async def _nested_child_finished(
        self: Any, error: BaseException | None
    ) -> BaseException | None:
        found: BaseException | None = await block_finished(
            self, None if error is not None and _note(self, error) else error
        )
        return found

    nursery._child_finished = _child_finished
    nursery._nested_child_finished = _nested_child_finished


def _note(nursery: Any, error: BaseException) -> bool:
    """Give a nursery the error without its text, if trio could not show it."""
    if _is_shown(error) or not hasattr(nursery, "_pending_excs"):
        return False
    nursery._add_exc(error, None)
    return True


def _is_shown(value: object) -> bool:
    try:
        return type(value) is trio.Cancelled or len(str.__str__(repr(value))) <= LONGEST_REASON
    except BaseException:  # noqa: BLE001  # the error's own code; Ctrl-C does not come in here
        return False
