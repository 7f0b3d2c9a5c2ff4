"""`greenroom timeline`: what happened in a run, and what its user saw of it, and when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from greenroom.commands.events import reader_of
from greenroom.commands.options import Flag
from greenroom.commands.output import timeline as timeline_output
from greenroom.commands.output.pace import paced
from greenroom.commands.output.printing import columns, on_terminal, show
from greenroom.commands.output.progress import progress_bar
from greenroom.commands.output.streams import write_line
from greenroom.delivery.history.run_reader import read_timeline
from greenroom.delivery.history.timeline import Moment, Timeline
from greenroom.delivery.history.timeline_json import as_json
from greenroom.settings import BadSettings, Settings

Show: TypeAlias = Callable[[RenderableType], object]
Tick: TypeAlias = Callable[[float], object]


def timeline(
    run: str,
    /,
    *,
    replay: Flag = False,
    speed: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Show one run: each event, how long its tools took, and what each session saw when.

    A server may be writing the journal meanwhile.

    Parameters
    ----------
    run
        The run's id or an older system's id of it, or the beginning or end of either.
    replay
        Play it back at the pace at which it happened.
    speed
        Play it back this many times as fast; 0.5 is half as fast.
    json
        As JSON (schema greenroom.timeline/1).
    journal
        The journal's file (greenroom.db), or the URL of one in Postgres or Redis.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    if json and (replay or speed is not None):
        raise BadSettings(
            ["--json cannot be played back: it prints the whole run at once"],
            advice="leave out --json, or --replay and --speed",
        )
    reader = reader_of(Settings.load(config, journal=journal))
    with progress_bar(after=1) as progress:
        story = read_timeline(reader, run, progress)
    if json:
        write_line(as_json(story))
    elif replay or speed is not None:
        play(story, speed or 1)
    else:
        show(timeline_output.heading(story))
        show(_table(story, story.moments, heads=True))


def _table(story: Timeline, moments: Sequence[Moment], *, heads: bool) -> Table:
    return timeline_output.table(story, moments, heads=heads, room=columns())


def play(story: Timeline, speed: float) -> None:
    """Print each event when its time has come."""
    with _stage(story, speed) as (say, tick):
        say(timeline_output.heading(story))
        heads = True
        for moment in paced(story.moments, speed, tick=tick):
            say(_table(story, [moment], heads=heads))
            heads = False


@contextmanager
def _stage(story: Timeline, speed: float) -> Iterator[tuple[Show, Tick]]:
    """Where the lines go, with a bar below them on a terminal."""
    on_screen = on_terminal()
    if not (on_screen or sys.stderr.isatty()):
        yield show, lambda _: None
        return
    console = Console() if on_screen else Console(stderr=True)
    total = story.moments[-1].since
    with Progress(
        TextColumn("{task.fields[now]} of {task.fields[end]} s, speed {task.fields[speed]:g}"),
        BarColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        clock = timeline_output.clock
        task = progress.add_task("", total=total or 1, now=clock(0), end=clock(total), speed=speed)
        yield (
            console.print if on_screen else show,
            lambda ms: progress.update(task, completed=ms, now=clock(min(ms, total))),
        )
