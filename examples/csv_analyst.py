"""An offline data analyst: the agent behind `greenroom demo`, and a template for your own.

    greenroom serve examples/csv_analyst.py:agent

Everything greenroom asks of an agent is here: think aloud, run tools, stream the answer, report.
What it knows about tables is plain Python next door, without trio or I/O: `csv_tables` reads them,
`csv_questions` understands a question, `csv_findings` computes the answer.

What a user says is a question, as a string that may hold a table too, or a question with a table:
`{"text": str, "table": {"name": str, "csv": str}}`, or `"gzip": <base64>` in place of `"csv"`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import trio
from csv_cells import clip
from csv_findings import Finding, aggregate, profile_columns
from csv_outliers import find_outliers
from csv_pasted import split_pasted
from csv_questions import ABILITIES, interpret
from csv_tables import UnreadableTable, load_table

import greenroom

T = TypeVar("T")
JSON = Mapping[str, object]
PACE = float(os.environ.get("GREENROOM_DEMO_PACE", "0.05"))  # seconds per streamed chunk


async def csv_analyst(run: greenroom.Run, said: object, *, pace: float = PACE) -> None:
    """Answer one question about the table sent with it, or earlier in this conversation."""
    question, attached = unwrap(said)
    attached = attached or await latest_table(run)
    if attached is None:
        return await answer(run, no_table(), pace)
    name = clip(attached.get("name") or "table")

    await run.agent_thinking(text=f"Reading {name}.")
    try:
        async with run.tool("load_table", {"name": name}) as tool:
            table = await in_thread(load_table, attached)
            await trio.sleep(4 * pace)
            tool.result({"rows": table.rows, "columns": table.names, "notes": list(table.notes)})
    except UnreadableTable as unreadable:
        return await answer(run, cannot_read(name, unreadable), pace)

    async with run.tool("profile_columns", {"columns": len(table.columns)}) as tool:
        profile = await in_thread(profile_columns, table)
        await trio.sleep(4 * pace)
        tool.result({column.name: column.kind for column in table.columns})

    plan = await in_thread(interpret, question, table)
    await run.agent_thinking(text=plan.thought(question))
    if plan.task == "profile":
        return await answer(run, profile, pace)
    work = find_outliers if plan.task == "outliers" else aggregate
    async with run.tool(work.__name__, plan.arguments()) as tool:
        finding = await in_thread(work, table, plan)
        await trio.sleep(6 * pace)
        tool.result({"rows": len(finding.rows)})
    await answer(run, finding, pace)
    return None


agent = csv_analyst


async def latest_table(run: greenroom.Run) -> JSON | None:
    """The table that was sent last in this thread; a question may come without one."""
    before = None
    while page := await run.history(before=before):
        for event in reversed(page):
            if event.kind == "user_said":
                _, table = unwrap(event.data.get("body"))
                if table is not None:
                    return table
        before = page[0].offset
    return None


async def answer(run: greenroom.Run, finding: Finding, pace: float) -> None:
    """Say it in words as they come, then report it whole."""
    for chunk in re.findall(r"(?:\S+\s*){1,3}", finding.summary):
        await run.partial_result(text=chunk)
        await trio.sleep(pace)
    await run.final_report(report=finding.report())


async def in_thread(work: Callable[..., T], *args: object) -> T:
    """Heavy work leaves trio's thread, so that other users' events flow meanwhile."""
    return await trio.to_thread.run_sync(partial(work, *args), abandon_on_cancel=True)


def unwrap(said: object) -> tuple[str, JSON | None]:
    """Split what was said into (question, table or None), whatever its shape."""
    text, table = (
        (said.get("text"), said.get("table")) if isinstance(said, Mapping) else (said, None)
    )
    if not isinstance(text, str):
        text = ""
    if isinstance(table, Mapping):
        return text, table
    question, pasted = split_pasted(text)
    return question, {"name": "pasted table", "csv": pasted} if pasted else None


def no_table() -> Finding:
    advice = "Attach a CSV file, or paste its lines under your question: a header, then the rows."
    return Finding("I need a table first", f"I found none in what you sent. {advice} {ABILITIES}")


def cannot_read(name: str, error: UnreadableTable) -> Finding:
    advice = "Save it as CSV (UTF-8) with one header row, and send it again."
    return Finding(f"I could not read {name}", f"{error} {advice}")
