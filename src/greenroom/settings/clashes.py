"""Settings that do not fit each other, each value with its source (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from greenroom.delivery.run.timeouts import Timeouts, TimeoutsClash


def timeouts_of(given: Mapping[str, object]) -> Timeouts:
    """The time-outs among these settings. Raises `TimeoutsClash`."""
    names = attrs.fields_dict(Timeouts)
    chosen = {name: value for name, value in given.items() if name in names}
    return Timeouts(**chosen)  # type: ignore[arg-type]  # the values were checked one by one


def clashes(
    given: Mapping[str, object], sources: Mapping[str, str], defaults: Mapping[str, object]
) -> Iterator[str]:
    """A sentence for each pair of `given` settings that do not fit."""
    yield from _redelivery_clash({**defaults, **given}, sources)
    yield from _token_clash(given, sources)
    try:
        timeouts_of(given)
    except TimeoutsClash as error:
        for clash in error.clashes:
            by_default = " (by default)" if sources else ""
            lower, upper = (
                sources.get(name, name + by_default) for name in (clash.lower, clash.upper)
            )
            yield f"{lower}: {clash.sentence} of {upper}"


def _redelivery_clash(chosen: Mapping[str, object], sources: Mapping[str, str]) -> Iterator[str]:
    names = ("redelivery_delay", "redelivery_longest")
    first, longest = (chosen[name] for name in names)
    if float(str(first)) > float(str(longest)):
        lower, upper = (sources.get(name, name) for name in names)
        yield f"{lower}: {first} s exceeds the {longest} s of {upper}"


def _token_clash(given: Mapping[str, object], sources: Mapping[str, str]) -> Iterator[str]:
    look, act = (given.get(name) for name in ("look_token", "admin_token"))
    if look is not None and look == act:
        yield f"{sources.get('look_token', 'look_token')}: it must differ from admin_token"
