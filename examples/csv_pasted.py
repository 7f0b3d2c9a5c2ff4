"""A table written into a message, under the question, over it or alone: where it stands. (pure)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from csv_cells import is_data
from csv_tables import UnreadableTable, parse

DELIMITERS, CODE = set(",;\t|"), set("{}[]()=")
MAX_QUESTION_LINES, MAX_LINES = 20, 50


def split_pasted(text: str) -> tuple[str, str | None]:
    """Split a message into (question, table or None).

    Prose has commas and line breaks too: a table has several cells in its header, as many in most
    rows, and a column of numbers or dates; or only words, but three rows and no space between.
    """
    lines = text.strip().splitlines(keepends=True)
    end = len(lines) - prose_after(lines)
    for start in range(min(MAX_QUESTION_LINES, end - 1)):
        if is_table(lines[start:end]):
            question = " ".join([*lines[:start], *lines[end:]])
            return " ".join(question.split()), "".join(lines[start:end])
    return split_column(lines)


def split_column(lines: Sequence[str]) -> tuple[str, str | None]:
    """Numbers or dates, one a line, to the end; what names them is part of the question too."""
    start = len(lines)
    while start and is_data(lines[start - 1].strip()):
        start -= 1
    if len(lines) - start < 2:
        return " ".join("".join(lines).split()), None
    header = max(start - 1, 0)
    return " ".join("".join(lines[:start]).split()), "".join(lines[header:])


def prose_after(lines: Sequence[str]) -> int:
    """How many lines stand after the last blank one, when no delimiter is in any of them."""
    blank = next((at for at in reversed(range(len(lines))) if not lines[at].strip()), len(lines))
    after = lines[blank + 1 :]
    return len(after) if all(len(DELIMITERS & set(line)) == 0 for line in after) else 0


def is_table(lines: Sequence[str]) -> bool:
    try:
        rows = parse("".join(lines[:MAX_LINES]))
    except UnreadableTable:
        return False
    widths = Counter(map(len, rows))
    width = len(rows[0]) if len(rows) > 1 else 1
    if width < 2 or widths[width] < max(2, 0.7 * len(rows)):
        return False
    columns = list(zip(*(row for row in rows[1:] if len(row) == width), strict=True))
    return any(map(holds_data, columns)) or (len(rows) > 2 and all(map(is_tight, rows)))


def holds_data(column: Sequence[str]) -> bool:
    """Numbers or dates, from the first row on: else that is the header, and prose above it."""
    data = [is_data(cell.strip()) for cell in column]
    return data[0] and sum(data) > len(data) / 2


def is_tight(row: Sequence[str]) -> bool:
    """No cell is empty, has a space around it, or looks like code."""
    return all(cell and cell == cell.strip() and not CODE & set(cell) for cell in row)
