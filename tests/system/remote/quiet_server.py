"""A server to be killed, whose users are spoken to by other processes only."""

from __future__ import annotations

import os
import sys

import greenroom


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Nobody says anything."""


if __name__ == "__main__":
    greenroom.serve(
        agent,
        port=int(sys.argv[1]),
        journal=sys.argv[2],
        secret=os.environ["SECRET"],
        announce=lambda url: print(url, flush=True),
    )
