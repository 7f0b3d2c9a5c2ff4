"""`greenroom`, and `python -m greenroom`: Ctrl-C is quiet from the first moment.

Nothing of weight is imported here outside of `leaving_at_once`.
"""

from __future__ import annotations

import sys

from greenroom.interrupts import leave_at_once, leaving_at_once


def main() -> None:
    """The console script: exit code 0, 1 (it failed), 2 (it was misused) or 130 (Ctrl-C)."""
    with leaving_at_once():
        from greenroom.cli import run
    code = run(sys.argv[1:])
    leave_at_once()  # what Python still does at its end is worth no traceback
    sys.exit(code)


if __name__ == "__main__":
    main()
