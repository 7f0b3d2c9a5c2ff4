"""Who may ask below `/api/`: a service token, from this machine only unless settings say more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from greenroom.services.problems import OutOfScope, TooManyRequests, problem, problem_of_request
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.auth.service_tokens import Service, ServiceAuthenticator
from greenroom.transport.auth.tokens import extract_token
from greenroom.transport.connection.socket.rate_limit import TokenBucket
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response
from greenroom.visitors import is_of_this_machine

MOST_BUCKETS: Final = 1_000
OPEN_TO_ALL: Final = "/api/openapi.json"


@attrs.define(eq=False)
class ServiceGate:
    """Proves the service of a request, and bounds how fast it may send.

    `anywhere`: other machines may ask, too. `rate`: requests a second of one service, on average;
    `burst`: at once.
    """

    authenticator: ServiceAuthenticator
    anywhere: bool
    rate: float
    burst: float
    clock: Callable[[], float] = trio.current_time
    _buckets: dict[str, TokenBucket] = attrs.field(factory=dict)

    async def refusal(self, head: RequestHead) -> Response | None:
        """What answers a request that may not pass; None for one that may."""
        try:
            self._check_place(head)
            if head.path != OPEN_TO_ALL:
                await self._proven(head)
        except BadRequest as error:
            return problem_of_request(error)
        except (BadToken, OutOfScope) as error:
            return problem(error)
        return None

    async def service(self, head: RequestHead) -> Service:
        """The service that asks. Raises `BadToken`, `OutOfScope`, `BadRequest`, or
        `TooManyRequests`."""
        self._check_place(head)
        service = await self._proven(head)
        self._count(service.name)
        return service

    def _check_place(self, head: RequestHead) -> None:
        if not (self.anywhere or is_of_this_machine(head)):
            raise OutOfScope(
                "only programs on this machine may ask",
                advice="set GREENROOM_API=anywhere on the server, and use TLS in front of it",
            )

    async def _proven(self, head: RequestHead) -> Service:
        token = extract_token(head)
        if token is None:
            raise BadToken(
                "a service token is needed",
                advice="send `Authorization: Bearer TOKEN`; `greenroom token --service` makes one",
            )
        return await self.authenticator.authenticate(token)

    def _count(self, service: str) -> None:
        now = self.clock()
        bucket = self._buckets.pop(service, None) or TokenBucket(self.rate, self.burst, now=now)
        self._buckets[service] = bucket
        if len(self._buckets) > MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        if not bucket.take(now):
            raise TooManyRequests(
                f"service {service!r} sends more than {self.rate:g} requests a second",
                advice="send several events in one request, or stream them as NDJSON",
            )
