"""Restart strategies: which children are restarted with a child that ended (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from itertools import dropwhile


class Strategy(enum.Enum):
    """supervisor(3), "strategy". `simple_one_for_one` is `DynamicSupervisor`."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"

    def affected(self, order: Iterable[str], failed: str) -> tuple[str, ...]:
        """The ids to restart, in start order, including `failed`.

        The others are stopped first, in reverse. `order` is the start order of all ids.
        """
        match self:
            case Strategy.ONE_FOR_ONE:
                return (failed,)
            case Strategy.ONE_FOR_ALL:
                return tuple(order)
            case Strategy.REST_FOR_ONE:
                return tuple(dropwhile(lambda id_: id_ != failed, order))


class AutoShutdown(enum.Enum):
    """When the end of *significant* children ends their supervisor (supervisor(3))."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"
