"""`greenroom usage`: how much was done for whom, how it ended, how long it took, who saw it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from greenroom.commands.events import reader_of
from greenroom.commands.options import Flag, Limit
from greenroom.commands.output.ages import Age, seconds_of
from greenroom.commands.output.printing import show
from greenroom.commands.output.progress import progress_bar
from greenroom.commands.output.streams import write_line
from greenroom.commands.output.usage import view
from greenroom.delivery.history.usage import By, Usage
from greenroom.delivery.history.usage_json import Period, as_json
from greenroom.delivery.history.usage_reader import usage_events
from greenroom.settings import Settings


def usage(
    *,
    since: Age | None = None,
    by: Annotated[By | None, Parameter(name_transform=str.lower)] = None,
    limit: Limit = 50,
    json: Flag = False,
    journal: Path | None = None,
    config: Path | None = None,
) -> None:
    """Count a journal's runs, users, events and tools. A server may be writing it meanwhile.

    Parameters
    ----------
    since
        Only what happened in this time up to now: 7d, 12w, 36h, 30m, 10s.
    by
        A line for each day (UTC), user, agent or tool.
    limit
        Show at most this number of lines: the largest counts, or the last days.
    json
        As JSON (schema greenroom.usage/1): every line.
    journal
        The journal's file (greenroom.db), or the URL of one in Postgres or Redis.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    now = time.time_ns() // 1_000_000
    period = Period(now - 1000 * seconds_of("--since", since) if since is not None else None, now)
    reader = reader_of(Settings.load(config, journal=journal))
    counted = Usage(by)
    with progress_bar(after=1) as progress:
        for event in usage_events(reader, since=period.since or 0, progress=progress):
            counted.add(event)
    if json:
        write_line(as_json(counted, period))
    else:
        show(view(counted, period, limit))
