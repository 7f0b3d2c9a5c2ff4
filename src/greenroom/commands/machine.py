"""`greenroom machine`: a picture of any declared state machine."""

from __future__ import annotations

import enum
from typing import Annotated

from cyclopts import Parameter

from greenroom.actors.machine.diagram import dot, mermaid, table
from greenroom.drawing.machine_svg import svg
from greenroom.loading.machine import load_machine


class Format(enum.StrEnum):
    """Mermaid for Markdown, DOT for Graphviz, a Markdown table, or a picture as it is."""

    MERMAID = "mermaid"
    DOT = "dot"
    TABLE = "table"
    SVG = "svg"


DRAW = {Format.MERMAID: mermaid, Format.DOT: dot, Format.TABLE: table, Format.SVG: svg}


def machine(
    target: str,
    /,
    *,
    format: Annotated[  # noqa: A002  # the option's name
        Format, Parameter(name=["--format", "-f"], name_transform=str.lower)
    ] = Format.MERMAID,
) -> None:
    """Draw a state machine from its table alone.

    Parameters
    ----------
    target
        MODULE_OR_FILE:NAME, of a machine or of a machine's actor.
    format
        mermaid, dot (Graphviz), table (Markdown: states and events), or svg.
    """
    drawn = DRAW[format](load_machine(target))
    if format is Format.SVG:  # whatever the encoding of its file or of the terminal is
        drawn = drawn.encode("ascii", "xmlcharrefreplace").decode("ascii")
    print(drawn, end="")
