"""Where the agents of a framework must run."""

from __future__ import annotations

from greenroom.actors.reactors.own_thread import WrongHost
from greenroom.delivery.run.run import Run


def check_asyncio(run: object, what: str) -> None:
    """Raises `WrongHost` for a run on trio; `what` names the function of asyncio that got it."""
    if isinstance(run, Run):
        raise WrongHost(
            f"{what} needs a run under asyncio, and this one is on trio",
            advice="open the runtime with greenroom.aio.open_runtime or greenroom.asgi.lifespan",
        )
