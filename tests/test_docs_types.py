"""The examples of the guides pass `mypy --strict`, as a reader's own program would have to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.printed_files import files_of

ROOT = Path(__file__).parents[1]
PAGES = ("actors", "supervision", "runs", "delivery", "embedding", "client", "what-happened")
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IN_A_HOST = re.compile(r"aio\.open_runtime|asgi\.lifespan|start_portal")


@pytest.mark.fault("W8")
@pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the guides stand beside the tests")
def test_every_example_that_a_reader_begins_with_is_typed(tmp_path: Path) -> None:
    for page in PAGES:
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        for number, example in enumerate(EXAMPLE.findall(text), start=1):
            module = f"{page.replace('-', '_')}_{number}.py"
            (tmp_path / module).write_text(example, encoding="utf-8")
    for page in (ROOT / "README.md", ROOT / "docs" / "fastapi.md"):  # one program each
        program = "\n".join(EXAMPLE.findall(page.read_text(encoding="utf-8")))
        (tmp_path / f"{page.stem.lower()}_page.py").write_text(program, encoding="utf-8")
    for name, source in files_of("fastapi").items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        if IN_A_HOST.search(text := example.read_text(encoding="utf-8")):
            (tmp_path / f"example_{example.name}").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    checked = subprocess.run(
        [*command, *map(str, sorted(tmp_path.glob("*.py")))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout.splitlines()[-1].startswith("Success"), checked.stdout
