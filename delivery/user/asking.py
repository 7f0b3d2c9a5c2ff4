"""Asking an actor that may be restarting, from a task that must not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import outcome

from greenroom.actors.errors import ActorError
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.supervisor.errors import SupervisorError

R = TypeVar("R")


def ask_without_waiting(
    ask: Callable[[], Reply[R]], answered: Callable[[ReplyOutcome[R]], None]
) -> None:
    """Call `ask`, which looks an actor up and makes a request of it.

    `answered` is called once, with the answer or an error: at once if the actor is down or does
    not take the request.
    """
    try:
        reply = ask()
    except (ActorError, SupervisorError) as error:
        answered(outcome.Error(error))
    else:
        reply.then(answered)
