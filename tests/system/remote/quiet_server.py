"""A server to be killed, whose users are spoken to by other processes only."""

from __future__ import annotations

import greenroom
from tests.system.processes import serve


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Nobody says anything."""


if __name__ == "__main__":
    serve(agent)
