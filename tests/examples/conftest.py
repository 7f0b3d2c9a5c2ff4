"""The examples are served by path, their folder on `sys.path`; so the tests import them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
