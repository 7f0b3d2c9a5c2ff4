"""What users read of errors, and what is kept of them for operators.

An error's text may hold anything: connection strings, paths, other users' data. By default a user
gets a sentence and a reference, the id of the event; the journal keeps the cause beside the
event, and `greenroom explain REFERENCE` shows it.
"""

from __future__ import annotations

import enum
import inspect
import logging
import time
from collections.abc import Callable
from typing import Never, TypeAlias, cast

import attrs

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.actors.text.safe import safe_str, type_name
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.errors import is_of_the_server, words_for_clients
from greenroom.delivery.observer import RunOutcome
from greenroom.delivery.run.failures.failure import CauseDraft, RunFailure
from greenroom.delivery.run.failures.secrets import Secrets
from greenroom.delivery.run.life import RunLife

logger = logging.getLogger("greenroom.delivery")

AGENT_FAILED = "Something went wrong, and the agent could not finish."
TOOL_FAILED = "The tool failed."
ERROR = "Error"
"""The `error` of an `agent_failed` that does not name the exception's type."""

MAX_MESSAGE = 1000
"""Characters of an error message that are shown to the user."""

SLOW_SECONDS, REST_SECONDS = 0.5, 60.0
"""A `describe_error` that took longer than the first is not called again for the second."""

Hook: TypeAlias = Callable[[BaseException, Never], str]
"""A `describe_error`. `Never`: a run's own type is above this module."""


class ShowErrors(enum.StrEnum):
    """What users read of an agent's errors: each shows what the one before it does, too."""

    REFERENCE = "reference"
    TYPE = "type"
    TEXT = "text"


@attrs.define(eq=False)
class ErrorWords:
    """The words for users' eyes, by the setting `show_errors` and the hook `describe_error`.

    The hook runs in the task of the agent that failed. What it raises, and what is no text, is
    logged, and the usual sentence takes its place; so it does while a slow hook is not called.
    `keep_texts`: whether causes keep the messages of errors. `clock` is monotonic, in seconds.
    """

    show: ShowErrors = ShowErrors.REFERENCE
    describe: Hook | None = None
    secrets: Secrets = attrs.field(factory=Secrets)
    keep_texts: bool = True
    clock: Callable[[], float] = time.monotonic
    _called_again_at: float = attrs.field(default=0.0, init=False)

    def of_run(
        self, outcome: RunOutcome, crash: BaseException | None, run: object, life: RunLife
    ) -> RunFailure | None:
        """What the `agent_failed` says of a run's end; None for a run that completes."""
        if crash is not None:
            error = ERROR if self.show is ShowErrors.REFERENCE else type_name(crash)
            message = self._described(crash, run) or self._usual(crash, AGENT_FAILED)
            return RunFailure(error, message, "crash", self.cause(crash))
        if outcome == "timeout":
            return life.timed_out()
        if outcome == "lost":
            return life.lost_words
        return None

    def of_tool(self, error: BaseException, run: object) -> str:
        """The `error` of the `tool_completed` of a tool that raised."""
        if described := self._described(error, run):
            return described
        sentence = self._usual(error, TOOL_FAILED)
        if self.show is ShowErrors.REFERENCE:
            return sentence
        return f"{type_name(error)}: {sentence}"

    def cause(self, error: BaseException) -> CauseDraft:
        """What is kept of an error for operators."""
        return CauseDraft.of(error, self.secrets, texts=self.keep_texts)

    def _usual(self, error: BaseException, neutral: str) -> str:
        return self._clean(error_message(error)) if self.show is ShowErrors.TEXT else neutral

    def _described(self, error: BaseException, run: object) -> str:
        """The sentence of the hook; empty if there is none."""
        if self.describe is None or self.clock() < self._called_again_at:
            return ""
        began = self.clock()
        try:
            describe = cast("Callable[[BaseException, object], object]", self.describe)
            said = describe(error, run)
        except BaseException as broken:
            if must_go_on(broken):
                raise
            log_failure(logger, broken, "describe_error failed")
            return ""
        finally:
            self._time(self.clock() - began)
        if isinstance(said, str):
            return self._clean(safe_str(said, MAX_MESSAGE)).strip()
        if inspect.iscoroutine(said):
            said.close()
        logger.error("describe_error must return a str, not %s", kind_of(said))
        return ""

    def _time(self, took: float) -> None:
        if took > SLOW_SECONDS:
            self._called_again_at = self.clock() + REST_SECONDS
            logger.error(
                "describe_error took %.1f s, which held up all users: it is not called for %g s",
                took,
                REST_SECONDS,
            )

    def _clean(self, text: str) -> str:
        """Without secrets, and valid in JSON (no lone surrogates, RFC 8259 §8.2)."""
        hidden = self.secrets.hidden(text)[:MAX_MESSAGE]
        return hidden.encode("utf-8", "backslashreplace").decode()


def error_message(error: BaseException) -> str:
    """The message of an error."""
    if is_of_the_server(error):
        return words_for_clients(error)
    return safe_str(error, otherwise=f"<{type_name(error)} cannot be shown>")
