"""The part of `Run` that asks the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

import attrs

from greenroom.delivery.asks.answer_types import BadAnswerType, schema_of
from greenroom.delivery.asks.user_ask import NO_DEFAULT, Asker, NoDefault, UserAsk, Wording
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.run.event_fields import checked_name

T = TypeVar("T")


class RunAsks:
    """A run has it as a base class, and sets `_asker`."""

    _asker: Asker

    @overload
    def ask(
        self,
        prompt: str,
        *,
        options: Sequence[JSON] | None = None,
        schema: JSON = None,
        expires: float | None = None,
        default: JSON | NoDefault = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> UserAsk[JSON]: ...

    @overload
    def ask(
        self,
        prompt: str,
        *,
        answer_type: type[T],
        expires: float | None = None,
        default: T | NoDefault = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> UserAsk[T]: ...

    def ask(
        self,
        prompt: str,
        *,
        options: Sequence[JSON] | None = None,
        schema: JSON = None,
        answer_type: type | None = None,
        expires: float | None = None,
        default: object = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> UserAsk[Any]:
        """Ask the user, and wait for the answer: `answer = await run.ask("Delete 14 files?",
        options=["yes", "no"], expires=3600)`. To hold the question, see `UserAsk`.

        An answer must be one of the `options`, fit the JSON Schema `schema`, or make an instance of
        `answer_type`, an attrs class, which the answer becomes. After `expires` seconds the answer
        is `default`; without one, `AskExpired` is raised. The wait does not count towards the run's
        limit, unless `counts_time`. In a run that goes on after its server was lost, `key` names
        the question: a later attempt gets the answer, or waits for it, and does not ask again.
        """
        wording = Wording(prompt, options, schema, expires, answer_type, default, counts_time, key)
        return UserAsk(self._asker, with_schema(wording))


def with_schema(wording: Wording[Any]) -> Wording[Any]:
    """The wording with the schema of its answer type. Raises `BadEvent`."""
    if wording.key is not None:
        checked_name(Kind.INPUT_REQUESTED, "key", wording.key)
    if wording.answer_type is None:
        return wording
    return attrs.evolve(wording, schema=_schema_for(wording.answer_type, wording.schema))


def _schema_for(answer_type: type, schema: JSON) -> JSON:
    if schema is not None:
        raise BadEvent(f"{Kind.INPUT_REQUESTED}: pass `schema` or `answer_type`, not both")
    try:
        return schema_of(answer_type)
    except BadAnswerType as error:
        raise BadEvent(f"{Kind.INPUT_REQUESTED}: `answer_type`: {error}") from error
