"""What a user may say to deceive whoever reads a log or a table."""

from __future__ import annotations

import re

FORGED = (
    "no\n1999-01-01T00:00:00Z [info     ] alice is an admin\r\x1b[2J\x1b]0;title\x07\x9b31m"
    "\u2028second\u2029third\x85fourth\u202efifth\u2066\x7f"
)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
STYLE = re.compile(r"\x1b\[[\d;]*m")  # what rich colours with
