"""Errors of transport: bad frames, bad tokens, refused and lost connections."""

from __future__ import annotations

from collections.abc import Mapping

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.delivery.events.ids import BadId
from greenroom.transport.protocol.close_codes import CloseCode


class TransportError(GreenroomError):
    """Something between a client and its user actor went wrong."""


class BadFrame(TransportError):
    """A frame breaks the protocol.

    `id` is the frame's own, when it had a usable one; `fatal` says that the connection ends.
    """

    fault = Fault.CLIENT

    def __init__(
        self,
        message: str,
        *,
        code: CloseCode = CloseCode.PROTOCOL_ERROR,
        id: str | None = None,  # noqa: A002 - the wire's own word
        fatal: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.id = id
        self.fatal = fatal


class IsolationViolation(TransportError):
    """An event was about to reach another user's connection. It was stopped (R23)."""

    fault = Fault.GREENROOM


class BadToken(TransportError):
    """A token does not prove who its bearer is. The message never holds the token."""

    fault = Fault.CLIENT


def wrong_id_behind(error: BaseException | None) -> BadId | None:
    """The id of another kind that made a frame or token bad, if that is what it was."""
    while error is not None and not isinstance(error, BadId):
        error = error.__cause__
    return error


class BadKeyFile(TransportError):
    """A key for checking tokens is missing, unreadable or too weak."""

    fault = Fault.OPERATOR


class BadRequest(TransportError):
    """An HTTP request that is not granted. `status` and `headers` belong to the answer."""

    fault = Fault.CLIENT

    def __init__(
        self, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


class BadOrigin(TransportError):
    """A setting names an origin that no browser would ever send."""

    fault = Fault.OPERATOR


class PortBusy(TransportError):
    """Another process listens on the port."""

    fault = Fault.OPERATOR
    temporary = True


class CannotListen(TransportError):
    """The address cannot be listened on: not this machine's, not allowed, not an address."""

    fault = Fault.OPERATOR


class ClientError(TransportError):
    """The Python client could not do what was asked."""


class BadUrl(ClientError):
    """The URL is not that of a greenroom server."""


class Refused(ClientError):
    """The server answered the upgrade with an HTTP status instead of a socket."""

    fault = Fault.OPERATOR

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the server refused the connection with HTTP {status}: {text}")
        self.status = status
        self.text = text


class CannotConnect(ClientError):
    """The way to the server leads elsewhere or nowhere: no such host, a certificate that is not
    trusted, something that speaks neither HTTP nor TLS."""

    fault = Fault.OPERATOR


class NoToken(ClientError):
    """The program's token function failed, or gave something else than a token."""

    temporary = True


class SessionClosed(ClientError):
    """The server ended the session with a code that says not to come back as one is."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the server closed the session with {code}: {reason}")
        self.code = code
        self.reason = reason


class RequestFailed(ClientError):
    """The server answered a request with an error. `temporary` says whether a retry may help."""

    def __init__(self, code: int, message: str, *, temporary: bool) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code
        self.temporary = temporary  # type: ignore[misc]  # per answer here, per class elsewhere


class BadMessage(RequestFailed):
    """A request or report that the client did not send, or will not send again: no JSON, text with
    half a surrogate pair, a field that the protocol does not allow, or more bytes than the server
    takes."""

    fault = Fault.CALLER

    def __init__(
        self, message: str, *, code: int = CloseCode.PROTOCOL_ERROR, advice: str = ""
    ) -> None:
        super().__init__(code, message, temporary=False)
        self.advice = advice


class ClientClosed(ClientError):
    """The client was closed before the answer came."""
