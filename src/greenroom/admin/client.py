"""A client of the admin endpoints of a running server. Each failure is an error in words."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

import attrs
import orjson

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.admin.door import CRASHES, DEAD_LETTERS, TREE
from greenroom.delivery.events.ids import EventId
from greenroom.settings import BadSettings, Settings
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.inspection.as_json import (
    CrashLine,
    NotThatSchema,
    load_crash,
    load_crashes,
    load_tree,
)
from greenroom.supervisor.inspection.tree import TreeNode

PATIENCE = 5.0
LARGEST = 64 * 1024 * 1024
TURN_ON = "start the server with GREENROOM_ADMIN_TOKEN set, 32 characters or more"


class AdminError(GreenroomError):
    """The admin endpoints did not answer as asked."""

    fault = Fault.OPERATOR


class CannotReach(AdminError):
    """No server answered."""

    temporary = True


class NotAdmitted(AdminError):
    """The token is wrong, or the server does not admit this machine."""


class AdminIsOff(AdminError):
    """The server is a greenroom without admin endpoints."""


class NotAGreenroom(AdminError):
    """A server that is not a greenroom answered."""


class NoSuchCrash(AdminError):
    """The crash report is not kept, or no longer."""


class NotDone(AdminError):
    """The server refused to settle a dead letter and said why."""


class NotDoneNow(NotDone):
    """The server may do it later."""

    temporary = True


@attrs.frozen
class AdminClient:
    """One server, by its URL (`http://127.0.0.1:8700`). Every method may raise `AdminError`."""

    url: str
    token: str = attrs.field(repr=False)
    timeout: float = PATIENCE

    def tree(self, *, children: int = 100) -> TreeNode:
        return load_tree(self.raw(f"{TREE}?children={children}"))

    def crashes(self) -> tuple[CrashLine, ...]:
        return load_crashes(self.raw(CRASHES))

    def crash(self, id_: str) -> CrashReport:
        return load_crash(self.raw_crash(id_))

    def raw_crash(self, id_: str) -> bytes:
        """The report's JSON. Raises `NoSuchCrash` too."""
        if not (id_.isascii() and id_.isalnum()):
            raise NoSuchCrash(f"{id_!r} is no crash's id", advice="`greenroom crashes` lists them")
        return self.raw(f"{CRASHES}/{id_}")

    def requeue(self, event: EventId) -> tuple[EventId, int]:
        """Emit a dead letter again. Returns the new id and offset. Raises `NotDone`, too."""
        match orjson.loads(self.raw(f"{DEAD_LETTERS}/{event}", "POST")):
            case {"event": str(again), "offset": int(offset)}:
                return EventId.parse(again), offset
        raise NotThatSchema(f"{self.url} does not say what became of {event}")

    def drop(self, event: EventId) -> None:
        """Forget a dead letter. Raises `NotDone`, too."""
        self.raw(f"{DEAD_LETTERS}/{event}", "DELETE")

    def raw(self, path: str, method: str = "GET") -> bytes:
        """The JSON that answers a path."""
        status, body = self._ask(method, path)
        if status == 200:
            return _checked(body, self.url)
        raise self._refusal(status, path, body)

    def _refusal(self, status: int, path: str, body: bytes) -> AdminError:
        match status, _reason(body):
            case 401, _:
                return NotAdmitted(
                    f"{self.url} does not take this admin token",
                    advice="give the server's own, by GREENROOM_ADMIN_TOKEN or --token",
                )
            case 403, _:
                return NotAdmitted(
                    f"{self.url} listens to its own machine only",
                    advice="ask from there (ssh), or set GREENROOM_ADMIN_ANYWHERE at the server",
                )
            case 404, None:
                return self._nothing_there()
            case 404, (message, _) if path.startswith(f"{CRASHES}/"):
                return NoSuchCrash(message, advice="`greenroom crashes` lists those that are")
            case _, (message, advice) if path.startswith(f"{DEAD_LETTERS}/"):
                kind = NotDoneNow if status == 503 else NotDone
                return kind(f"{self.url}: {message}", advice=advice)
        return NotAGreenroom(f"{self.url} answered {path} with {status}, as no greenroom does")

    def _nothing_there(self) -> AdminError:
        """A 404 without a reason: the admin endpoints are off, or the server is no greenroom."""
        if self._ask("GET", "/livez") == (200, b"alive\n"):
            return AdminIsOff(f"admin is off at {self.url}", advice=TURN_ON)
        return NotAGreenroom(f"there is no greenroom at {self.url}")

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        connection, prefix = self._connection()
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
            connection.request(method, prefix + path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(LARGEST)
        except ssl.SSLError as error:
            raise CannotReach(f"{self.url}: no TLS connection: {error.reason}") from error
        except OSError as error:
            raise CannotReach(
                f"nobody answers at {self.url}: {error.strerror or error}",
                advice="is the server up, and is this the URL it printed?",
            ) from error
        except http.client.HTTPException as error:
            raise NotAGreenroom(f"{self.url} does not speak HTTP: {error!r}") from error
        finally:
            connection.close()

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        try:
            return (
                kinds[parts.scheme](parts.hostname or "", parts.port, timeout=self.timeout),
                parts.path.rstrip("/"),
            )
        except (KeyError, ValueError) as error:
            raise BadSettings(
                [f"{self.url!r} is no URL of a server"], advice="for example http://127.0.0.1:8700"
            ) from error


def usual_client(settings: Settings, url: str | None = None) -> AdminClient:
    """A client of the server at `url`, or of the settings' server. Raises `BadSettings`."""
    if settings.admin_token is None:
        raise BadSettings(
            ["a running server is asked with its admin token, and there is none"],
            advice="set GREENROOM_ADMIN_TOKEN to that of the server, or give --token",
        )
    return AdminClient((url or _usual_url(settings)).rstrip("/"), settings.admin_token)


def _usual_url(settings: Settings) -> str:
    if settings.url is None and settings.port == 0:
        raise BadSettings(["port is 0, any free one: give the URL that the server printed"])
    return settings.url or f"http://127.0.0.1:{settings.port}"


def _reason(body: bytes) -> tuple[str, str] | None:
    """The message and advice of a refusal. None if a greenroom did not write it."""
    try:
        said = orjson.loads(body)
    except ValueError:
        return None
    match said:
        case {"error": str(message)}:
            return message, str(said.get("advice", ""))
    return None


def _checked(body: bytes, url: str) -> bytes:
    try:
        if str(orjson.loads(body)["schema"]).startswith("greenroom."):
            return body
    except (ValueError, KeyError, TypeError) as error:
        raise NotAGreenroom(f"there is no greenroom at {url}") from error
    raise NotThatSchema(f"{url} speaks of things this greenroom does not know")
