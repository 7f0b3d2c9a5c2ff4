"""An offline data analyst: the agent behind `greenroom demo`, and a template for your own.

The files beside this one are plain Python: `csv_tables` reads a table, `csv_questions` understands
a question, `csv_answers` answers it. A user says a question (a string), or a question with a table:
`{"text": str, "table": {"name": str, "csv": str}}`, or `"gzip": <base64>` instead of `"csv"`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import trio
from csv_answers import Report, answer_to, described, report
from csv_questions import Question, offered, understand
from csv_tables import Table, UnreadableTable, clip, load_table

import greenroom

JSON = Mapping[str, object]
in_thread = trio.to_thread.run_sync  # for heavy work: other users' events go on meanwhile
PACE = float(os.environ.get("GREENROOM_DEMO_PACE", "0.05"))  # seconds per streamed chunk
CHECK_PACES = 400  # a check of every value takes 20 seconds, so that you can interrupt it
NO_TABLE = "Attach a CSV file, or paste its rows into the page."
AGAIN = "Save it as CSV (UTF-8) with one header row, and send it again."
UNSURE = "I answer only what I understand for certain. Choose a question, or use words like these."


@greenroom.agent(takes=("text", "table"), when_lost="again")
async def csv_analyst(run: greenroom.Run, said: object, *, pace: float = PACE) -> None:
    """Answer one question about the table sent with it, or earlier in this conversation."""
    text, attached = unwrap(said)
    attached = attached or await latest_table(run)
    if attached is None:
        return await say(run, report("I need a table first", NO_TABLE), pace)
    name = clip(attached.get("name") or "table")
    await run.agent_thinking(text=f"Reading {name}.")
    try:
        table = await load(run, name, attached, pace)
    except UnreadableTable as unreadable:
        return await say(run, report(f"I could not read {name}", f"{unreadable} {AGAIN}"), pace)
    question = Question("describe") if not text.strip() else understand(text, table)
    answer = report("I am not sure what you ask", UNSURE)
    if question:
        answer = await find_answer(run, question, table, pace)
    answer["questions"] = [each.text for each in offered(table) if each != question]
    return await say(run, answer, pace)


agent = csv_analyst


async def load(run: greenroom.Run, name: str, attached: JSON, pace: float) -> Table:
    async with run.tool("load_table", {"name": name}) as tool:
        table = await in_thread(load_table, attached, abandon_on_cancel=True)
        await trio.sleep(4 * pace)
        kinds = {column.name: column.kind for column in table.columns}
        tool.result({"rows": table.rows, "columns": kinds, "notes": list(table.notes)})
    return table


async def find_answer(run: greenroom.Run, asked: Question, table: Table, pace: float) -> Report:
    await run.agent_thinking(text=f"I understand: {asked.text.rstrip('?')}.")
    if asked.task == "check":
        await check_columns(run, table, pace)
    async with run.tool("answer", {"question": asked.text}) as tool:
        answer = await in_thread(answer_to, asked, table, abandon_on_cancel=True)
        await trio.sleep(6 * pace)
        tool.result({"answer": answer["title"]})
    return answer


async def check_columns(run: greenroom.Run, table: Table, pace: float) -> None:
    for column in table.columns:
        async with run.tool("check_column", {"column": column.name}) as tool:
            found = await in_thread(described, column, abandon_on_cancel=True)
            _, _, empty, _, unusual, *_ = found
            await trio.sleep(CHECK_PACES * pace / len(table.columns))
            tool.result({"empty": empty, "unusual": unusual})
        await run.partial_result(text=f"{column.name}: {empty} empty, {unusual} unusual. ")


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


async def say(run: greenroom.Run, answer: Report, pace: float) -> None:
    """Stream the answer in words, then report it whole."""
    async with run.text() as text:
        for chunk in re.findall(r"(?:\S+\s*){1,3}", answer["summary"]):
            text.write(chunk)
            await trio.sleep(pace)
    await run.final_report(report=answer)


def unwrap(said: object) -> tuple[str, JSON | None]:
    """Split what was said into (question, table or None), whatever its shape."""
    if not isinstance(said, Mapping):
        said = {"text": said}
    text, table = said.get("text"), said.get("table")
    return text if isinstance(text, str) else "", table if isinstance(table, Mapping) else None
