"""The events of a connection's machine besides frames and news, and its commands (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.record import Page
from greenroom.delivery.user.messages import (
    Acked,
    ConfirmedThere,
    DisplayedThere,
    RunStarted,
    UserTyping,
)
from greenroom.transport.auth.verdict import Verdict
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

# Events beside the client's frames and the user actor's news


@attrs.frozen
class Upgraded:
    """The socket is open and its user proven. `expires_in`: seconds the token is good for."""

    expires_in: float | None = None
    expires_ms: int | None = None


@attrs.frozen
class FrameRefused:
    """A frame that breaks the protocol. `message` may repeat what was in it."""

    code: CloseCode
    message: str = attrs.field(metadata=SECRET)
    id: str | None
    fatal: bool


@attrs.frozen
class Overstepped:
    """A limit was passed, or the server must close: `code` says which and why."""

    code: CloseCode
    message: str | None = None


@attrs.frozen
class GaveUp:
    """The client acknowledges nothing; `talks` says whether it sent other frames meanwhile."""

    talks: bool


@attrs.frozen
class GapSeen:
    """The next events do not follow the last ones sent: events between them are missing."""


@attrs.frozen
class Heard:
    """The client gave a sign of life."""


@attrs.frozen
class HelloLate:
    """The client sent no `hello` within `Times.hello`."""


@attrs.frozen
class HeartbeatDue:
    """A heartbeat has passed: it is time for a ping."""


@attrs.frozen
class PongDue:
    """Half a heartbeat has passed since a ping: its answer is due."""


@attrs.frozen
class TokenDue:
    """By the monotonic clock the token is about to expire: look at the wall clock."""


@attrs.frozen
class TokenLeft:
    """Seconds until the token expires by the wall clock; below 0 once it has expired."""

    seconds: float


@attrs.frozen
class RequestRefused:
    """The request `id` cannot be carried out; `temporary`: the same request may succeed later."""

    id: str
    code: CloseCode
    message: str
    temporary: bool = False


@attrs.frozen
class RunBegan:
    """The request `id`, a `say`, was carried out: it started a run, or repeats the one that did."""

    id: str
    started: RunStarted


@attrs.frozen
class RunCancelled:
    """The request `id`, a `cancel`, was carried out."""

    id: str
    run: RunId


@attrs.frozen
class HistoryRead:
    """The request `id`, a `history`, was carried out; `more`: there are events before the page."""

    id: str
    page: Page
    more: bool


@attrs.frozen
class RequestDone:
    """The answer to a request whose result needs no more than to be written."""

    id: str
    result: Mapping[str, JSON] = attrs.field(metadata=SECRET)


@attrs.frozen
class TokenRefreshed:
    """The answer to a `refresh`: a good token of this or another user."""

    id: str
    user: UserId
    expires_in: float | None
    expires_ms: int | None


@attrs.frozen
class Draining:
    """The server stops. The client may come back after `after_ms` and up to `jitter_ms` more."""

    after_ms: int
    jitter_ms: int


@attrs.frozen
class Disconnected:
    """The service throws the user out. `reconnect`: ms to wait, and the most ms of jitter to add;
    None: the client is not to come back by itself."""

    reason: str | None = None
    reconnect: tuple[int, int] | None = None


@attrs.frozen
class TokenChecked:
    """What the authenticator says of the token now."""

    verdict: Verdict


@attrs.frozen
class SocketGone:
    """The socket is closed already."""


# Commands to the shell


@attrs.frozen
class Send:
    """Write this frame. One that is volatile is worth nothing if it has to wait."""

    frame: bytes
    is_volatile: bool = False


class SendEvents(NamedTuple):
    """Write this frame of events, then report to the user actor what is written `through`."""

    frame: bytes
    through: int


@attrs.frozen
class Ping:
    """Ask for a sign of life. With `position` the ping says which offset was written last."""

    position: bool


@attrs.frozen
class AttachTo:
    """Ask the user actor to feed this connection."""

    hello: wire.Hello


@attrs.frozen
class Tell:
    """Send this message to the user actor."""

    message: Acked | DisplayedThere | ConfirmedThere | UserTyping


@attrs.frozen
class Carry:
    """Carry out a request of the client; the answer is an event."""

    request: wire.ClientRequest


@attrs.frozen
class CheckToken:
    """Look how long the token stays valid; the answer is the event `TokenLeft`."""

    expires_ms: int


@attrs.frozen
class AskAboutToken:
    """Ask whether the token is still good; the answer is `TokenChecked`, or `Disconnected`."""


@attrs.frozen
class Close:
    """Say `closing`, then close."""

    code: CloseCode
    reason: str | None = None
    reconnect: tuple[int, int] | None = None


ConnectionCommand: TypeAlias = (
    Send | SendEvents | Ping | AttachTo | Tell | Carry | CheckToken | AskAboutToken | Close
)
