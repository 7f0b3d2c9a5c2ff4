"""Events out of nothing but their class: drawn from its type hints, as its validators take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from inspect import signature
from typing import get_type_hints

import attrs
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException, InvalidArgument
from hypothesis.strategies import DrawFn, SearchStrategy

from greenroom.testing.machines.watched_runner import MachineFault

TRIES = 100
"""How often an event that its class refuses is drawn again, before the example is discarded as by a
`filter`: in 0.6 % of cases if the class takes one in 20."""

HOPELESS = 30
"""After this number of discarded examples, and none taken, the class needs a strategy. (In
Hypothesis's first example all values are the same, and later ones repeat parts of earlier ones.)"""


def events_of(machine: str, event: type[object]) -> SearchStrategy[object]:
    """Draws events of a class; one that the class refuses, by raising, is drawn again: from the
    values that its attrs validators `in_` list, which type hints hardly ever find.

    Raises `MachineFault` in the test if the class has refused all so far, or if Hypothesis cannot
    draw its fields at all.
    """
    drawn, again = st.from_type(event), st.deferred(lambda: _from_listed_values(event))
    given_up: int | None = 0  # None once one was taken

    @st.composite
    def taken(draw: DrawFn) -> object:
        nonlocal given_up
        refusal: Exception | None = None
        for attempt in range(TRIES):
            try:
                made: object = draw(again if attempt else drawn)
            except InvalidArgument as error:  # ResolutionFailed is one
                raise _needs_strategy(machine, event, "cannot be drawn", error) from error
            except HypothesisException:
                raise
            except Exception as error:  # noqa: BLE001  # a validator, or the class's own code
                refusal = error
            else:
                given_up = None
                return made
        if given_up is None or given_up < HOPELESS:
            given_up = None if given_up is None else given_up + 1
            reject()
        raise _needs_strategy(machine, event, "refuses what is drawn", refusal) from refusal

    return taken()


def _from_listed_values(event: type[object]) -> SearchStrategy[object]:
    """By its type hints alone where no validator lists values."""
    listed = _listed_values(event)
    if not listed:
        return st.from_type(event)
    hints = get_type_hints(event.__init__)
    fields = {
        name: st.from_type(hint)
        for name, hint in hints.items()
        if name != "return" and name not in listed
    }
    return st.builds(event, **fields, **listed)


def _listed_values(event: type[object]) -> dict[str, SearchStrategy[object]]:
    """What Hypothesis draws of the fields of `builds(event, field=...)`, but not by `from_type`."""
    if not attrs.has(event):
        return {}
    taken = signature(event).parameters  # a class may have an `__init__` of its own
    return {
        field.alias: st.sampled_from(options)
        for field in attrs.fields(event)
        if field.alias in taken and (options := _options(field.validator))
    }


def _options(validator: object) -> Sequence[object]:
    """Of an `in_`, alone or among others; sorted where a set has another order in each process."""
    for each in getattr(validator, "_validators", (validator,)):
        found = getattr(each, "options", None)
        if isinstance(found, Sequence):
            return found
        if isinstance(found, Iterable):
            return sorted(found, key=repr)
    return ()


def _needs_strategy(
    machine: str, event: type[object], why: str, error: Exception | None
) -> MachineFault:
    name = event.__name__
    said = error.args[0] if error is not None and error.args else ""  # attrs adds its objects
    said = str(said).partition("\n")[0]
    return MachineFault(
        f"machine {machine!r}: {name} {why} from its type hints: {type(error).__name__}: {said}",
        advice=f"give `events={{{name}: …}}` a strategy for {name}",
    )
