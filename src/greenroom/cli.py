"""The console script. Ctrl-C is quiet from its first moment.

Nothing of weight is imported here outside of `leaving_at_once`: the commands are a module further,
in `command_line`.
"""

from __future__ import annotations

import sys

from greenroom.interrupts import leave_at_once, leaving_at_once


def main() -> None:
    """Exit code 0, 1 (it failed), 2 (it was misused), 130 (Ctrl-C) or 141 (a closed pipe)."""
    with leaving_at_once():
        from greenroom.command_line import run
    code = run(sys.argv[1:])
    leave_at_once()  # what Python still does at its end is worth no traceback
    sys.exit(code)
