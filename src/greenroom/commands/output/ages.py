"""Ages as people write them: 90d, 12w, 36h, 30m, 10s."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter

from greenroom.settings import BadSettings

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
AGE: Final = re.compile(r"([0-9]{1,9})([smhdw])")

Age: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""An option's value: -5d, which looks like an option, is taken for a bad age."""


def seconds_of(option: str, text: str) -> int:
    """Raises `BadSettings`, which names the option."""
    if match := AGE.fullmatch(text):
        return int(match[1]) * UNITS[match[2]]
    raise BadSettings([f"{option} must be an age such as 90d or 36h, not {text!r}"])
