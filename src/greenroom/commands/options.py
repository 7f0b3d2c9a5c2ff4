"""Types of options that several commands have."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

MOST: Final = 1_000_000_000  # of anything: SQLite's integers and islice's end far above

Flag: TypeAlias = Annotated[bool, Parameter(negative="")]
Limit: TypeAlias = Annotated[int, Parameter(validator=Number(gte=1, lte=MOST))]
Kept: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lte=MOST))]
