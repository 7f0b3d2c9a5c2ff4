"""The configurations that docs/deploy.md prints: what it says is what is run."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
AGENT = "async def agent(run, said):\n    await run.final_report(report=said)\n"
STOPPING = 40.0
"""Seconds beyond `drain_seconds` that docs/operations.md tells a process manager to wait."""


def printed(language: str, containing: str = "", page: str = "deploy") -> str:
    """The one block of this language that has these words."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (found,) = [each for each in blocks if containing in each]
    return str(found)


def changed(text: str, changes: dict[str, str]) -> str:
    """With other words in the place of some that stand in it."""
    for old, new in changes.items():
        assert old in text, f"the page does not print {old!r} any more"
        text = text.replace(old, new)
    return text
