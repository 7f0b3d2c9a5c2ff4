"""A supervisor on paper: what supervisor(3) says, without any concurrency."""

from __future__ import annotations

from collections import Counter

import attrs

from greenroom.supervisor import ChildState, Restart, Strategy

RUNNING, STOPPED, RESTARTING = ChildState.RUNNING, ChildState.STOPPED, ChildState.RESTARTING
_ORDERLY_RESTARTS = {Restart.PERMANENT}
_CRASH_RESTARTS = {Restart.PERMANENT, Restart.TRANSIENT}


@attrs.define
class Model:
    strategy: Strategy
    budget: int
    restart: dict[str, Restart]
    state: dict[str, ChildState] = attrs.field(factory=dict)
    log: list[str] = attrs.field(factory=list)
    failing: Counter[str] = attrs.field(factory=Counter)
    gave_up: bool = False

    def boot(self) -> None:
        for id_ in self.restart:
            self.start(id_)

    def start(self, id_: str) -> bool:
        if self.failing[id_]:
            self.failing[id_] -= 1
            self.log.append(f"!{id_}")
            return False
        self.log.append(f"+{id_}")
        self.state[id_] = RUNNING
        return True

    def stop(self, id_: str) -> None:
        if self.state[id_] is RUNNING:
            self.log.append(f"-{id_}")
        self.state[id_] = STOPPED

    def retire(self, id_: str) -> None:
        if self.restart[id_] is Restart.TEMPORARY:
            del self.state[id_]

    def end(self, id_: str, *, crash: bool) -> None:
        self.stop(id_)
        if self.restart[id_] in (_CRASH_RESTARTS if crash else _ORDERLY_RESTARTS):
            self.restart_from(id_)
        else:
            self.retire(id_)

    def restart_from(self, id_: str) -> None:
        self.budget -= 1
        if self.budget < 0:
            self.give_up()
            return
        order = list(self.state)
        group = {
            Strategy.ONE_FOR_ONE: [id_],
            Strategy.ONE_FOR_ALL: order,
            Strategy.REST_FOR_ONE: order[order.index(id_) :],
        }[self.strategy]
        for other in reversed(group):
            self.stop(other)
        for member in group:
            if member != id_ and self.restart[member] is Restart.TEMPORARY:
                del self.state[member]
            elif not self.start(member):
                self.restart_from(member)
                return

    def give_up(self) -> None:
        self.gave_up = True
        for id_ in reversed(list(self.state)):
            self.stop(id_)
