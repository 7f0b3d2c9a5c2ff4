"""Types of options that several commands have."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

from greenroom.actors.errors import GreenroomError

MOST: Final = 1_000_000_000  # of anything: SQLite's integers and islice's end far above

Flag: TypeAlias = Annotated[bool, Parameter(negative="")]
Limit: TypeAlias = Annotated[int, Parameter(validator=Number(gte=1, lte=MOST))]
Kept: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lte=MOST))]
ServerUrl: TypeAlias = Annotated[
    str | None,
    Parameter(
        help="The server's URL. Default: GREENROOM_URL, else port 8700 (GREENROOM_PORT) of this "
        "machine."
    ),
]
AdminToken: TypeAlias = Annotated[
    str | None,
    Parameter(
        help="The server's admin token. GREENROOM_ADMIN_TOKEN is safer: others cannot see it."
    ),
]


class BadOptions(GreenroomError):
    """An argument has a value that is not allowed, or the options do not fit together."""


def not_erased(what: str) -> BadOptions:
    """What a command that erases says without its `--yes`."""
    return BadOptions("nothing was erased", advice=f"add --yes to erase {what}")
