"""Usage for people, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from greenroom.actors.text.escaping import one_line
from greenroom.commands.output.looking import duration
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.history.durations import Durations
from greenroom.delivery.history.times import moment
from greenroom.delivery.history.usage import ENDINGS, By, Tally, Usage
from greenroom.delivery.history.usage_json import (
    MEDIAN,
    MOST,
    STAGES,
    Period,
    chosen,
    kinds,
    ranked,
)

FAILURES = ("crash", "timeout", "lost")


def view(usage: Usage, period: Period, limit: int) -> Group:
    """Tables for people, `limit` lines of what there may be many of."""
    since = f"since {moment(period.since / 1000)}" if period.since else "since the journal began"
    if not usage.total.events:
        return Group(Text(f"nothing happened {since}"))
    if usage.by is By.TOOL:
        return Group(*_tools(usage, limit))
    return Group(*(_overview(usage, since, limit) if usage.by is None else _groups(usage, limit)))


def _overview(usage: Usage, since: str, limit: int) -> Iterator[RenderableType]:
    total = usage.total
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("active users", f"{len(total.users):,}")
    within = f", {total.sub_runs:,} of them sub-runs" if total.sub_runs else ""
    facts.add_row("runs", f"{total.runs:,}{within}")
    facts.add_row("  ended", Text(_listed({name: total.endings[name] for name in ENDINGS})))
    facts.add_row("  go on", f"{total.going_on:,}")
    facts.add_row("  took", f"{_took(total.took, MEDIAN)} p50, {_took(total.took, MOST)} p95")
    facts.add_row("events", f"{total.events:,}")
    facts.add_row("  reached", Text(", ".join(f"{s} {_share(total, s)}" for s in STAGES)))
    facts.add_row("  kinds", Text(_listed(kinds(total))))
    facts.add_row("verdicts", Text(one_line(_listed(dict(total.verdicts.most_common(10))))))
    yield Text(f"{since}\n")
    yield facts
    if usage.tools:
        yield Text("")
        yield from _tools(usage, limit)


def _groups(usage: Usage, limit: int) -> Iterator[RenderableType]:
    title = "day (UTC)" if usage.by is By.DAY else str(usage.by)
    if not usage.groups:
        yield Text(f"no {usage.by} did anything in this time")
    table: Table | None = None
    for name in chosen(usage, limit):
        cells = _cells(usage.groups[name])
        if usage.by is By.USER:
            del cells["users"]
        table = table or _table(title, cells)
        table.add_row(Text(one_line(name)), *cells.values())
    if table is not None:
        yield table
    yield from _more(len(usage.groups) - limit)


def _cells(tally: Tally) -> dict[str, str]:
    return {
        "runs": f"{tally.runs:,}",
        "ok": f"{tally.endings['ok']:,}",
        "failed": f"{sum(tally.endings[each] for each in FAILURES):,}",
        "users": f"{len(tally.users):,}",
        "events": f"{tally.events:,}",
        "received": _share(tally, ReceiptStage.RECEIVED),
        "displayed": _share(tally, ReceiptStage.DISPLAYED),
        "p50": _took(tally.took, MEDIAN),
        "p95": _took(tally.took, MOST),
    }


def _tools(usage: Usage, limit: int) -> Iterator[RenderableType]:
    if not usage.tools:
        yield Text("no tool was called")
        return
    table = _table("tool", ("calls", "errors", "p50", "p95"))
    for name in ranked(usage.tools, lambda tool: (tool.calls,))[:limit]:
        tool = usage.tools[name]
        p50, p95 = _took(tool.took, MEDIAN), _took(tool.took, MOST)
        table.add_row(Text(one_line(name)), f"{tool.calls:,}", f"{tool.errors:,}", p50, p95)
    yield table
    yield from _more(len(usage.tools) - limit)


def _table(title: str, names: Iterable[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(title, overflow="fold")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _more(hidden: int) -> Iterator[Text]:
    if hidden > 0:
        yield Text(f"… and {hidden:,} more: --limit, --json", style="dim")


def _share(tally: Tally, stage: ReceiptStage) -> str:
    return f"{tally.reached[stage] / tally.events:.1%}" if tally.events else "–"


def _took(durations: Durations, share: float) -> str:
    ms = durations.percentile(share)
    if ms is None:
        return "–"
    return f"{ms} ms" if ms < 1000 else duration(ms / 1000)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count) or "none"
