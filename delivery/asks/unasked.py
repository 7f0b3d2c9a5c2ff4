"""A question that was never asked: a warning, as Python gives for a coroutine."""

from __future__ import annotations

import warnings


class Unasked:
    """What `run.ask` returns asks nothing until it is awaited, or entered. `_owes_asking` is True
    from the end of `__init__` until then."""

    _owes_asking = False

    def __del__(self) -> None:
        if self._owes_asking:
            warnings.warn(
                "a question of `run.ask(…)` was never asked: await it, "
                "or call `.wait()` in synchronous code",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )


def note_asked(question: Unasked) -> None:
    """It was awaited or entered, whatever came of that."""
    question._owes_asking = False
