"""The page of the figures, made of nothing but the report's data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from side_by_side.table import Table, digits, read

from reporting.runs import PROMISES, RUNS, Promise

Data = dict[str, Any]

HEAD = """# Performance

<!-- `make bench-report` writes it, from performance.json: change the benchmarks, not the page. -->

Each figure stands beside those of its peers, measured in the same run by turns; in parentheses is
the multiple of the first one's. All are medians of several rounds. Compare the multiples, not the
machines. The peers send frames of the same size, check no token, keep nothing and send nothing
again. [How it is measured](../bench/README.md).
"""
CHART = """
![CPU of the server per event, by the number of connections](performance.svg)
"""
LIMITS = """
A floor is what this project must reach, an aim what it hopes for; both are multiples of the peer's
figure, but for the memory of an idle user.

| figure | greenroom | beside | multiple | floor | aim | command |
|---|---|---|---|---|---|---|
"""


def page(data: Data) -> str:
    """Markdown, with figures from the data only."""
    return "".join([HEAD, *_environment(data), *_promises(data), *_runs(data)])


def _environment(data: Data) -> Iterator[str]:
    yield "\n"
    yield from (f"- {name}: {value}\n" for name, value in data["environment"].items())


def _promises(data: Data) -> Iterator[str]:
    yield "\n## Floors and aims\n"
    yield LIMITS
    for promise in PROMISES:
        command = f"`python {RUNS[promise.run].command}`"
        yield _row([promise.figure, *_verdict(promise, data), command])


def _verdict(promise: Promise, data: Data) -> list[str]:
    """The cells from greenroom's figure to the aim."""
    found = promise.measured(tables_of(data, promise.run))
    limits = {limit: f"{'≥' if promise.at_least else '≤'} {limit:g}" for limit in promise.limits}
    if found is None:
        return ["missing", "–", "–", *limits.values()]
    own, other = found
    met = {limit: "met" if promise.meets(own, other, limit) else "**not met**" for limit in limits}
    verdicts = [f"{words}: {met[limit]}" for limit, words in limits.items()]
    return [digits(own), digits(other), f"**{digits(own / other)}**", *verdicts]


def tables_of(data: Data, run: str) -> list[Table]:
    """What the command of that name measured; nothing, if it has not run."""
    return read(data["runs"].get(run, {}).get("tables", []))


def _runs(data: Data) -> Iterator[str]:
    for name, run in RUNS.items():
        yield f"\n## {run.title}\n\n`python {run.command}`"
        if found := data["runs"].get(name):
            yield f" ({found['date']}{_duration(found)}). {run.note}".rstrip() + "\n"
            yield from _found(found)
            yield CHART if name == "connections" else ""
        else:
            yield " has not been run.\n"


def _duration(found: Data) -> str:
    return f", {found['seconds']:,} s" if "seconds" in found else ""


def _found(found: Data) -> Iterator[str]:
    if found["failure"]:
        yield f"\n{found['failure']}\n"
    if found["output"]:
        yield f"\n```text\n{found['output'].strip()}\n```\n"
    for table in read(found["tables"]):
        yield f"\n{table.title}:\n\n"
        head, *rows = table.lines()
        yield from (_row(cells) for cells in [head, ["---"] * len(head), *rows])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
