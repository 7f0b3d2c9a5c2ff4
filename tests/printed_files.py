"""The programs that a page of the documentation has its reader put into files."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
FILE = re.compile(r"in a file `(\w+)\.py`:\n\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def files_of(page: str) -> dict[str, str]:
    """Their sources by the names of their modules; none of a page that is not in `docs`."""
    path = DOCS / f"{page}.md"
    return dict(FILE.findall(path.read_text("utf-8"))) if path.exists() else {}
