"""Usage: counts of runs, users, events and tools, from a journal's events (pure).

Memory does not grow with events. It grows with active users, with runs that have not ended, with
the names of agents and tools, and with the requested groups.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import attrs
import orjson

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.kinds import JSON, TERMINAL, Kind
from greenroom.delivery.events.record import RUN_OPENS
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.history.durations import Durations
from greenroom.delivery.history.timeline import ending_of

ENDINGS: Final = ("ok", "cancelled", "crash", "timeout", "lost")
TELLING: Final = frozenset(
    {Kind.AGENT_STARTED, Kind.TOOL_EXECUTING, Kind.TOOL_COMPLETED, *TERMINAL}
)
"""The kinds whose data is examined."""

MOST_VERDICTS: Final = 100
OTHERS: Final = "(others)"
_LONGEST_VERDICT: Final = 60
_DAY_MS: Final = 86_400_000


class By(enum.StrEnum):
    """The key to group by."""

    DAY = "day"
    USER = "user"
    AGENT = "agent"
    TOOL = "tool"


@attrs.frozen
class UsageEvent:
    """The counted part of an event. `data` may be omitted unless the kind is in `TELLING`.

    `at` in ms since the Unix epoch; `stage` is the furthest in any session, `verdicts` are those
    of the event's confirmations.
    """

    user: str
    run: str
    parent: str | None
    kind: Kind
    at: int
    stage: ReceiptStage
    data: Mapping[str, JSON] = attrs.field(factory=dict, metadata=SECRET)
    verdicts: Sequence[JSON] = ()


@attrs.define
class ToolTally:
    """Calls of a tool, those that ended with an error, and their durations (ms)."""

    calls: int = 0
    errors: int = 0
    took: Durations = attrs.field(factory=Durations)


@attrs.define
class Tally:
    """The counts of a group. A user is active after a message, or once a client received an event.

    `runs` includes sub-runs. A run counts in the group in which it began, and so do its ending
    (`endings`) and its duration (`took`: ms from its first event to its last). `reached`: the
    number of events that reached a stage or a later one.
    """

    runs: int = 0
    sub_runs: int = 0
    endings: Counter[str] = attrs.field(factory=Counter)
    took: Durations = attrs.field(factory=Durations)
    users: set[str] = attrs.field(factory=set)
    kinds: Counter[Kind] = attrs.field(factory=Counter)
    reached: Counter[ReceiptStage] = attrs.field(factory=Counter)
    tool_calls: int = 0
    tool_errors: int = 0
    verdicts: Counter[str] = attrs.field(factory=Counter)

    @property
    def events(self) -> int:
        return self.kinds.total()

    @property
    def going_on(self) -> int:
        """The number of runs that have not ended."""
        return self.runs - self.endings.total()

    def add(self, event: UsageEvent) -> None:
        """Count an event. Runs are counted separately, since they may belong to another group."""
        self.kinds[event.kind] += 1
        for stage in range(ReceiptStage.RECEIVED, event.stage + 1):
            self.reached[ReceiptStage(stage)] += 1
        if event.kind is Kind.USER_SAID or event.stage >= ReceiptStage.RECEIVED:
            self.users.add(event.user)
        self.tool_calls += event.kind is Kind.TOOL_EXECUTING
        self.tool_errors += _is_tool_error(event)
        for verdict in event.verdicts:
            if verdict is not None:
                self._add_verdict(verdict)

    def _add_verdict(self, verdict: JSON) -> None:
        """Clients may send any verdict: only the first `MOST_VERDICTS` different ones keep their
        names."""
        text = verdict if isinstance(verdict, str) else orjson.dumps(verdict).decode()
        text = text[:_LONGEST_VERDICT]
        is_known = text in self.verdicts or len(self.verdicts) < MOST_VERDICTS
        self.verdicts[text if is_known else OTHERS] += 1


@attrs.define
class _RunSoFar:
    """A run that has not ended, and the tallies that count it."""

    began: int
    is_sub_run: bool
    tallies: list[Tally]
    agent: str | None = None


class Usage:
    """Counts events, passed in the order of a journal. `groups` is empty unless `by` is set.

    Groups by tool are in `tools`, which is always filled. An agent's group has the events of its
    runs, without users' messages and without runs that ended before an agent started. Days are
    in UTC. Past `most_groups` groups, or tools, the others share one.
    """

    def __init__(self, by: By | None = None, most_groups: int | None = None) -> None:
        self.total = Tally()
        self.groups: defaultdict[str, Tally] = defaultdict(Tally)
        self.tools: defaultdict[str, ToolTally] = defaultdict(ToolTally)
        self.by = by
        self._most = most_groups
        self._open: dict[str, _RunSoFar] = {}

    def add(self, event: UsageEvent) -> None:
        """Count the next event. The end of a run whose beginning was not counted is skipped."""
        if event.kind in RUN_OPENS and event.run not in self._open:
            self._begin(event)
        if event.kind is Kind.AGENT_STARTED:
            self._start_agent(event)
        for tally in self._tallies(event):
            tally.add(event)
        self._count_tool(event)
        if event.kind in TERMINAL and (run := self._open.pop(event.run, None)):
            for tally in run.tallies:
                tally.endings[ending_of(event.kind, event.data)] += 1
                tally.took.add(event.at - run.began)

    def _begin(self, event: UsageEvent) -> None:
        run = self._open[event.run] = _RunSoFar(event.at, event.parent is not None, [])
        for tally in self._tallies(event):
            _count_run(run, tally)

    def _start_agent(self, event: UsageEvent) -> None:
        run = self._open[event.run]
        if run.agent is not None:  # another attempt of the same run
            return
        run.agent = str(event.data.get("agent"))
        if self.by is By.AGENT:
            _count_run(run, self.groups[self._bounded(run.agent, self.groups)])

    def _tallies(self, event: UsageEvent) -> Iterator[Tally]:
        yield self.total
        group = self._group(event)
        if group is not None:
            yield self.groups[self._bounded(group, self.groups)]

    def _bounded(self, name: str, known: Mapping[str, object]) -> str:
        is_full = self._most is not None and name not in known and len(known) >= self._most
        return OTHERS if is_full else name

    def _group(self, event: UsageEvent) -> str | None:
        match self.by:
            case By.DAY:
                return _day(event.at // _DAY_MS)
            case By.USER:
                return event.user
            case By.AGENT if event.run in self._open:
                return self._open[event.run].agent
        return None

    def _count_tool(self, event: UsageEvent) -> None:
        name = self._bounded(str(event.data.get("tool_name")), self.tools)
        if event.kind is Kind.TOOL_EXECUTING:
            self.tools[name].calls += 1
        elif event.kind is Kind.TOOL_COMPLETED:
            took = event.data.get("duration_ms")
            self.tools[name].errors += _is_tool_error(event)
            if isinstance(took, int):
                self.tools[name].took.add(took)


def _count_run(run: _RunSoFar, tally: Tally) -> None:
    tally.runs += 1
    tally.sub_runs += run.is_sub_run
    run.tallies.append(tally)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return f"{datetime.fromtimestamp(number * _DAY_MS / 1000, UTC):%Y-%m-%d}"


def _is_tool_error(event: UsageEvent) -> bool:
    return event.kind is Kind.TOOL_COMPLETED and event.data.get("error") is not None
