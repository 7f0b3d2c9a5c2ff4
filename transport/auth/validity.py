"""Whether an identity that was proven is still good: its user may be banned, its token revoked.

An authenticator may offer `still_valid`. It is other people's code: it may raise, hang, or be asked
too often, so its answers are kept for a moment, and each has a time limit. All that asks an
authenticator of a server asks it here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, cast, runtime_checkable

import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.user.bans import Bans
from greenroom.transport.auth.tokens import Authenticator, Identity, JwtAuthenticator
from greenroom.transport.auth.verdict import Verdict

CHECK_SECONDS, FRESH_SECONDS = 10.0, 5.0
"""Seconds that an authenticator has for an answer, and that an answer is good for."""

CHECKS_AT_ONCE, MOST_ANSWERS = 16, 10_000
"""Questions that an authenticator is asked at a time, and answers that are kept."""

logger = logging.getLogger("greenroom.transport")


@runtime_checkable
class Revoking(Protocol):
    """An authenticator that can take back what it proved."""

    async def still_valid(self, identity: Identity) -> bool:
        """Whether a connection of this identity may go on. It gets what `authenticate` returned."""


class Validity:
    """Asks an authenticator about identities, on behalf of all connections of a server."""

    def __init__(
        self,
        authenticator: Authenticator,
        bans: Bans,
        *,
        patience: float = CHECK_SECONDS,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        """`patience`: seconds that an answer may take, with the wait for its turn; `fresh`: seconds
        that it is good for."""
        self.authenticator = authenticator
        self.bans = bans
        self._patience = patience
        self._fresh = fresh
        self._offers = isinstance(authenticator, Revoking)
        self._is_ours = type(authenticator) is JwtAuthenticator
        self._turns = trio.CapacityLimiter(CHECKS_AT_ONCE)
        self._answers: dict[Identity, tuple[float, Verdict]] = {}  # the oldest first

    def can_ask(self, identity: Identity) -> bool:
        """Whether the authenticator offers `still_valid`, and could answer False: a key that is
        fixed is never taken away."""
        return self._offers and (identity.proof is not None or not self._is_ours)

    async def authenticate(self, token: str) -> Identity:
        """The identity that a token proves. Raises `BadToken`, whatever else the authenticator
        raises, and `TypeError` if what it answers is no identity."""
        identity: object = await self.authenticator.authenticate(token)
        if not isinstance(identity, Identity):
            raise TypeError(
                "authenticate() must return an Identity, or raise BadToken for a token that is "
                f"not good; it returned {kind_of(identity)}"
            )
        return identity

    async def check(self, identity: Identity, *, use_kept: bool = True) -> Verdict:
        """Ask about an identity, unless an answer is kept that may be used. `UNKNOWN`: the
        authenticator raised, took too long, or answered something else than True or False. Raises
        nothing but its own cancellation."""
        if not self.can_ask(identity):
            return Verdict.GOOD
        if use_kept and (kept := self._kept(identity)) is not None:
            return kept
        with trio.move_on_after(self._patience):
            async with self._turns:
                return await self._answer(identity, use_kept=use_kept)
        logger.warning("no answer within %g s whether a token is still valid", self._patience)
        return Verdict.UNKNOWN

    async def _answer(self, identity: Identity, *, use_kept: bool) -> Verdict:
        try:
            kept = self._kept(identity) if use_kept else None
            return kept or self._keep(identity, await self._ask(identity))
        except BaseException as error:
            if must_go_on(error):
                raise
            log_failure(logger, error, "it could not be checked whether a token is still valid")
            return Verdict.UNKNOWN

    async def _ask(self, identity: Identity) -> Verdict:
        ask: Callable[[Identity], Awaitable[object]] = cast(
            Revoking, self.authenticator
        ).still_valid
        answer = await ask(identity)
        if not isinstance(answer, bool):
            raise TypeError(f"still_valid() must return True or False, not {answer!r:.40}")
        return Verdict.GOOD if answer else Verdict.REVOKED

    def _kept(self, identity: Identity) -> Verdict | None:
        at, verdict = self._answers.get(identity, (-self._fresh, None))
        return verdict if trio.current_time() - at < self._fresh else None

    def _keep(self, identity: Identity, verdict: Verdict) -> Verdict:
        self._answers.pop(identity, None)
        self._answers[identity] = (trio.current_time(), verdict)
        if len(self._answers) > MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        return verdict
