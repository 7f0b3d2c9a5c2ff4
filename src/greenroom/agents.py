"""The agents of a runtime, and the runs in which they speak to users."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.errors import EventNotKept, RunStopped
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import IdSource
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.policy import NO_POLICIES, Policies
from greenroom.delivery.files.taken import Files
from greenroom.delivery.log_context import bound
from greenroom.delivery.run.attempts.attempt import FIRST, RunAttempt, WhenLost
from greenroom.delivery.run.failures.error_words import ErrorWords, ShowErrors
from greenroom.delivery.run.run import Agent, DescribeError, Run
from greenroom.delivery.run.text_buffer import PACE, TextPace
from greenroom.delivery.run.timeouts import Timeouts
from greenroom.delivery.user.handle import UserHandle
from greenroom.loading.declaration import Declaration, declaration_of, when_lost
from greenroom.settings import Settings
from greenroom.settings.keys import secrets_of
from greenroom.settings.role import NodeRole

logger = logging.getLogger("greenroom")


class UnknownAgent(GreenroomError):
    """The runtime has no agent that could answer what a user said."""


@attrs.frozen
class Agents:
    """The agents by name. The first one answers users."""

    by_name: Mapping[str, Agent]
    ids: IdSource
    timeouts: Timeouts
    pace: TextPace = PACE
    errors: ErrorWords = attrs.field(factory=ErrorWords)
    role: NodeRole = NodeRole.ALL

    def __attrs_post_init__(self) -> None:
        if self.role is not NodeRole.ALL and not self.by_name:
            raise UnknownAgent(
                f"a server with the role {self.role.value!r} must know the agent of its workers",
                advice="give `open_runtime` the agent",
            )

    @property
    def when_lost(self) -> WhenLost:
        """What becomes of their lost runs. Those of a web node are the workers', and a worker
        begins each run that it takes."""
        declared = when_lost(self.by_name)
        if self.role is NodeRole.WEB:
            return WhenLost(declared.answering, queued=True)
        if self.role is NodeRole.WORKER:
            return WhenLost(
                declared.answering, {**dict.fromkeys(self.by_name, 1), **declared.attempts}
            )
        return declared

    async def answer(
        self, user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt
    ) -> None:
        """Run the agent that answers. Raises `UnknownAgent` when there is none."""
        name = attempt.agent or next(iter(self.by_name), None)
        agent = self.by_name.get(name) if name else None
        if name is None or agent is None:
            raise UnknownAgent(
                "a user said something, and this runtime has no agents to answer",
                advice="give `open_runtime` an agent",
            )
        run = self._run(
            user, context, name, attempt=attempt, policies=declaration_of(agent).policies
        )
        try:
            with _logged_as(context):
                async with run.live():
                    await agent(run, said)
        except RunStopped as stopped:
            logger.warning("%r was cut: %s", run, stopped)
        except EventNotKept as refused:  # no fault of the agent: a full disk ends many runs
            logger.warning("%r failed: %s", run, refused)

    @asynccontextmanager
    async def speak(
        self,
        user: UserHandle,
        context: UserContext,
        agent: str,
        said: JSON,
        seconds: float,
        policies: Policies = NO_POLICIES,
        key: str | None = None,
    ) -> AsyncIterator[Run]:
        """A run of a service's own code, named `agent`, that may take `seconds`. Raises
        `AlreadySaid` if one began with this `key`."""
        run = self._run(user, context, agent, seconds, policies=policies)
        run._emitter.key = key
        with _logged_as(context):
            async with run.live(said):
                yield run

    @property
    def say_policies(self) -> Policies:
        """Those of the runs that users start, in place of the usual ones."""
        return self._answering.policies

    @property
    def takes(self) -> Sequence[str]:
        """What users may send to the agent that answers them."""
        return self._answering.takes_names

    @property
    def files(self) -> Files | None:
        """The files that they may send."""
        return self._answering.files

    @property
    def _answering(self) -> Declaration:
        """What the agent that answers users declares."""
        first = next(iter(self.by_name.values()), None)
        return Declaration() if first is None else declaration_of(first)

    def _run(
        self,
        user: UserHandle,
        context: UserContext,
        agent: str,
        seconds: float | None = None,
        attempt: RunAttempt = FIRST,
        policies: Policies = NO_POLICIES,
    ) -> Run:
        return Run(
            context,
            agent=agent,
            user=user,
            ids=self.ids,
            timeouts=self.timeouts,
            seconds=seconds,
            pace=self.pace,
            errors=self.errors,
            attempt=attempt,
            policies=policies,
        )


def _logged_as(context: UserContext) -> AbstractContextManager[None]:
    return bound(run=context.run, thread=context.thread, request=context.request)


def error_words(settings: Settings, describe: DescribeError | None = None) -> ErrorWords:
    """What users read of errors, by the settings and a service's own hook."""
    show = ShowErrors(settings.show_errors)
    return ErrorWords(show, describe, secrets_of(settings), keep_texts=settings.log_errors)
