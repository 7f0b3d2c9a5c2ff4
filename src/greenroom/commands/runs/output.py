"""Runs as `greenroom runs` prints them."""

from __future__ import annotations

import orjson

from greenroom.actors.text.escaping import one_line
from greenroom.delivery.history.times import moment
from greenroom.delivery.journal.sql.tables.runs import OpenRunRow


def heading() -> str:
    return _columns("run", "attempt", "began", "agent", "user")


def line_of(run: OpenRunRow) -> str:
    """A run, for people."""
    began = moment(run.began / 1000) if run.began else "-"
    agent = one_line(run.agent) if run.agent else "-"
    attempt = "stopped" if run.stopped else str(run.attempt) if run.agent else "-"
    return _columns(run.run, attempt, began, agent, one_line(run.user))


def json_of(run: OpenRunRow) -> bytes:
    """The same for programs."""
    return orjson.dumps(
        {
            "run": run.run,
            "user": run.user,
            "thread": run.thread,
            "goes_on": bool(run.agent),
            "agent": run.agent,
            "attempt": run.attempt,
            "began": run.began,
            "stopped": run.stopped,
            "steps": list(run.steps),
        }
    )


def shown_whole(run: OpenRunRow) -> str:
    """A run and its steps, for people."""
    steps = [f"  step  {one_line(key)}" for key in run.steps] or ["  no step is recorded"]
    return "\n".join([heading(), line_of(run), f"  thread  {run.thread}", *steps])


def _columns(run: str, attempt: str, began: str, agent: str, user: str) -> str:
    return f"{run:<30}  {attempt:<7}  {began:<20}  {agent:<16}  {user}"
