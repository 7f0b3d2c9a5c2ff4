"""The pages of the frameworks: what they print runs, and what they name is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import allow, events_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "integrations.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FRAMEWORKS = {
    "text": "greenroom",
    "pydantic-ai": "pydantic_ai",
    "langgraph": "langgraph",
    "openai-agents": "agents",
    "mcp": "mcp",
    "claude-agent-sdk": "claude_agent_sdk",
    "google-adk": "google.adk",
}
ONLINE = {"claude-agent-sdk"}  # its agent is a program of its own


@pytest.mark.filterwarnings("ignore::UserWarning")  # ADK's own, of experimental features
@pytest.mark.parametrize("page", FRAMEWORKS)
def test_what_a_page_prints_answers_its_user(page: str) -> None:
    try:
        importlib.import_module(FRAMEWORKS[page])
    except ImportError:
        pytest.skip(f"needs {page}: pip install 'greenroom[{page}]'")
    (block,) = BLOCK.findall((ROOT / "docs" / "integrations" / f"{page}.md").read_text("utf-8"))
    names = {"__name__": f"page_{page}"}
    exec(compile(block.replace("from __future__ import annotations\n", ""), page, "exec"), names)
    if page not in ONLINE:
        assert Seen(events_of(names["answer"], allow)).how == "ok"


def test_every_framework_has_a_page() -> None:
    named = re.findall(r"\(integrations/([\w-]+)\.md\)", PAGE.read_text("utf-8"))
    assert named == list(FRAMEWORKS)
    assert {path.stem for path in (ROOT / "docs" / "integrations").glob("*.md")} == {*named}


def test_every_test_that_the_table_of_complaints_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text("utf-8")))
    roots = (ROOT / "tests", ROOT / "src" / "greenroom" / "testing")
    sources = [path.read_text("utf-8") for root in roots for path in root.rglob("*.py")]
    defined = set(re.findall(r"def (test_\w+)", "\n".join(sources)))
    assert len(named) == 9
    assert sorted(named - defined) == []
