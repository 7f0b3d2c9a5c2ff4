"""What the benchmarks over real sockets do alike: options, and rounds by turns."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from side_by_side.client import show
from side_by_side.crowd import Failed
from side_by_side.server import KINDS, PEER, Server, missing, running
from side_by_side.table import Table, write

Figures = dict[str, float]
Measure = Callable[[Server], Awaitable[Figures]]


def options(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options of all benchmarks."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the medians are shown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--directory", type=Path, help="where to put journals (default: /tmp)")
    return parser


def server_options(doc: str | None) -> argparse.ArgumentParser:
    """And with a choice of servers."""
    parser = options(doc)
    parser.add_argument(
        "--servers", nargs="+", default=list(KINDS), metavar="NAME", help=f"{'; '.join(KINDS)}"
    )
    return parser


def compare(title: str, chosen: argparse.Namespace, measure: Measure) -> Table:
    """Measure each server in each round, by turns, so that what disturbs one disturbs all."""
    table = Table(title, PEER)
    for kind in chosen.servers:
        if needs := missing(kind):
            table.absent[kind] = f"missing: needs {needs}"
    gc.disable()  # its pauses would be the clients'
    for number in range(chosen.rounds):
        for kind in chosen.servers:
            if kind not in table.absent:
                show(f"round {number + 1} of {chosen.rounds}: {kind}")
                _round(table, kind, chosen.directory, measure)
    show("")
    return table


def _round(table: Table, kind: str, directory: Path | None, measure: Measure) -> None:
    """A server that does not keep up is shown as failed, and the others go on."""
    try:
        with running(kind, directory) as server:
            table.add(kind, trio.run(measure, server))
    except Failed as error:
        table.figures.pop(kind, None)
        table.absent[kind] = f"failed: {error}"
    gc.collect()


def finish(tables: list[Table], chosen: argparse.Namespace) -> None:
    """Print them, and write them where that was asked for."""
    for table in tables:
        table.print()
    if chosen.json:
        write(tables, chosen.json)
