"""A client of the admin endpoints of a running server. Errors say what to do."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import quote, urlencode, urlsplit

import attrs
import orjson

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.admin.crashes.door import CRASHES
from greenroom.admin.data_door import THREADS
from greenroom.admin.door import DEAD_LETTERS, EXPLANATIONS, TREE
from greenroom.admin.runs_door import RUNS
from greenroom.admin.users_door import USERS
from greenroom.admin.why_door import WHY
from greenroom.delivery.events.ids import EventId, RunId, ThreadId, UserId
from greenroom.delivery.history.explanation import FailureExplanation
from greenroom.delivery.history.unseen.answer import WhyUnseen
from greenroom.delivery.history.unseen.choice import Subject
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
ERASING_PATIENCE = 120.0
LARGEST = 64 * 1024 * 1024
LIST_CRASHES = "run `greenroom crashes` to list the crashes that are kept"
CHECK_URL = "check the URL: it must be the one that the server printed"
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
    """The server is greenroom, without admin endpoints."""


class NotAGreenroom(AdminError):
    """A server that is not greenroom answered."""


class NotThatNode(AdminError):
    """Another node of the cluster answers at the address."""


class NoSuchCrash(AdminError):
    """The crash report is not kept, or no longer."""


class UnknownReference(AdminError):
    """The server's journal has nothing of this id."""


class NotDone(AdminError):
    """The server refused to do it; the message says why."""


class NotDoneNow(NotDone):
    """The server may do it later."""

    temporary = True


@attrs.frozen
class AdminClient:
    """One server, by its URL (`http://127.0.0.1:8700`). Every method may raise `AdminError`.
    `node`: its number in a cluster, if no other server is to answer for the tree."""

    url: str
    token: str = attrs.field(repr=False)
    timeout: float = PATIENCE
    node: int | None = None

    def tree(self, *, children: int = 100) -> TreeNode:
        return load_tree(self.raw_tree(children))

    def raw_tree(self, children: int) -> bytes:
        """The tree's JSON."""
        node = "" if self.node is None else f"&node={self.node}"
        return self.raw(f"{TREE}?children={children}{node}")

    def crashes(self) -> tuple[CrashLine, ...]:
        return load_crashes(self.raw(CRASHES))

    def crash(self, id_: str) -> CrashReport:
        return load_crash(self.raw_crash(id_))

    def raw_crash(self, id_: str) -> bytes:
        """The report's JSON. Raises `NoSuchCrash` too."""
        if not (id_.isascii() and id_.isalnum()):
            raise NoSuchCrash(f"{id_!r} is not the id of a crash", advice=LIST_CRASHES)
        return self.raw(f"{CRASHES}/{id_}")

    def explanation(self, event: EventId) -> FailureExplanation:
        """An event with the cause of what failed. Raises `UnknownReference`, too."""
        body = self.raw(f"{EXPLANATIONS}/{event}")
        try:
            return FailureExplanation.from_json(body)
        except (ValueError, KeyError, TypeError) as error:
            raise NotThatSchema(f"the answer of {self.url} does not explain {event}") from error

    def why(self, subject: Subject) -> WhyUnseen:
        """Why a user did not see an event. Raises `UnknownReference`, too."""
        body = self.raw(f"{WHY}/{quote(str(subject), safe='')}")
        try:
            return WhyUnseen.from_json(body)
        except (ValueError, KeyError, TypeError) as error:
            raise NotThatSchema(f"the answer of {self.url} does not say why") from error

    def requeue(self, event: EventId) -> tuple[EventId, int]:
        """Emit a dead letter again. Returns the new id and offset. Raises `NotDone`, too."""
        match orjson.loads(self.raw(f"{DEAD_LETTERS}/{event}", "POST")):
            case {"event": str(again), "offset": int(offset)}:
                return EventId.parse(again), offset
        raise NotThatSchema(f"the answer of {self.url} does not have the new id of {event}")

    def drop(self, event: EventId) -> None:
        """Forget a dead letter. Raises `NotDone`, too."""
        self.raw(f"{DEAD_LETTERS}/{event}", "DELETE")

    def disconnect(self, user: UserId, **asked: str) -> int:
        """End the user's connections; their number. `asked`: the query (see `users_door`). Raises
        `NotDone`, too."""
        match orjson.loads(self.raw(f"{_place_of(user)}?{urlencode(asked)}", "POST")):
            case {"connections": int(ended)}:
                return ended
        raise NotThatSchema(f"the answer of {self.url} does not have the number of connections")

    def readmit(self, user: UserId) -> bool:
        """Admit the user again; whether the user was refused. Raises `NotDone`, too."""
        return orjson.loads(self.raw(_place_of(user), "DELETE")).get("was_refused") is True

    def retry(self, user: UserId, run: RunId, say: str) -> RunId:
        """Have a run tried again; the run that begins. Raises `NotDone`, too."""
        path = f"{RUNS}/{run}?{urlencode({'user': user, 'say': say})}"
        match orjson.loads(self.raw(path, "POST")):
            case {"run": str(began)}:
                return RunId.parse(began)
        raise NotThatSchema(f"the answer of {self.url} does not have the run that begins")

    def cancel(self, user: UserId, run: RunId) -> None:
        """Cancel a run. Raises `NotDone`, too."""
        self.raw(f"{RUNS}/{run}?{urlencode({'user': user})}", "DELETE")

    def erase_user(self, user: UserId) -> None:
        """Erase all that is kept of the user. Raises `NotDone`, too."""
        patient = attrs.evolve(self, timeout=ERASING_PATIENCE)
        patient.raw(f"{USERS}/{quote(user, safe='')}", "DELETE")

    def change_thread(self, user: UserId, thread: ThreadId, **asked: str) -> None:
        """Name or archive a thread. `asked`: the query (see `data_door`). Raises `NotDone`, too."""
        self.raw(f"{THREADS}/{thread}?{urlencode({'user': user, **asked})}", "POST")

    def erase_thread(self, user: UserId, thread: ThreadId) -> None:
        """Erase a thread. Raises `NotDone`, too."""
        patient = attrs.evolve(self, timeout=ERASING_PATIENCE)
        patient.raw(f"{THREADS}/{thread}?{urlencode({'user': user})}", "DELETE")

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
                    f"{self.url} does not accept this admin token",
                    advice="set GREENROOM_ADMIN_TOKEN or --token to the server's admin token",
                )
            case 403, (message, advice):
                return NotAdmitted(f"{self.url}: {message}", advice=advice)
            case 403, None:
                return NotAdmitted(
                    f"{self.url} answers `/admin/` on its own machine only",
                    advice="run the command there, or set GREENROOM_ADMIN_ANYWHERE on the server",
                )
            case 404, None:
                return self._nothing_there()
            case 421, (message, advice):
                return NotThatNode(f"{self.url}: {message}", advice=advice)
            case 404, (message, _) if path.startswith(f"{CRASHES}/"):
                return NoSuchCrash(message, advice=LIST_CRASHES)
            case 404, (message, advice) if path.startswith((f"{EXPLANATIONS}/", f"{WHY}/")):
                return UnknownReference(message, advice=advice)
            case _, (message, advice) if path.startswith(_SETTLING):
                kind = NotDoneNow if status == 503 else NotDone
                return kind(f"{self.url}: {message}", advice=advice)
        return NotAGreenroom(
            f"{self.url} answered {path} with status {status}, which greenroom never does",
            advice=CHECK_URL,
        )

    def _nothing_there(self) -> AdminError:
        """A 404 without a reason: the admin endpoints are off, or the server is not greenroom."""
        if self._ask("GET", "/livez") == (200, b"alive\n"):
            return AdminIsOff(f"{self.url} has no admin endpoints", advice=TURN_ON)
        return NotAGreenroom(f"the server at {self.url} is not greenroom", advice=CHECK_URL)

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        connection, prefix = self._connection()
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
            connection.request(method, prefix + path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(LARGEST)
        except ssl.SSLError as error:
            raise CannotReach(
                f"no TLS connection to {self.url}: {error.reason}",
                advice="use an http:// URL for a server without TLS",
            ) from error
        except OSError as error:
            raise CannotReach(
                f"no server answers at {self.url}: {error.strerror or error}",
                advice="check that the server is running, and that this is the URL it printed",
            ) from error
        except http.client.HTTPException as error:
            raise NotAGreenroom(
                f"the server at {self.url} does not speak HTTP: {error!r}", advice=CHECK_URL
            ) from error
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
                [f"the URL must have http:// or https:// and a host, not {self.url!r}"],
                advice="for example http://127.0.0.1:8700",
            ) from error


def usual_client(
    settings: Settings, url: str | None = None, node: int | None = None
) -> AdminClient:
    """A client of the server at `url`, or of the settings' server. Raises `BadSettings`."""
    if settings.admin_token is None:
        raise BadSettings(
            ["`admin_token` must be set to ask a running server"],
            advice="set GREENROOM_ADMIN_TOKEN or --token to the server's admin token",
        )
    return AdminClient((url or _usual_url(settings)).rstrip("/"), settings.admin_token, node=node)


def _usual_url(settings: Settings) -> str:
    if settings.url is None and settings.port == 0:
        raise BadSettings(
            ["`port` is 0, so the server listens on any free port"],
            advice="give the URL that the server printed",
        )
    return settings.url or f"http://127.0.0.1:{settings.port}"


_SETTLING = (f"{DEAD_LETTERS}/", f"{USERS}/", f"{RUNS}/", f"{THREADS}/")


def _place_of(user: UserId) -> str:
    return f"{USERS}/{quote(user, safe='')}/disconnect"


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
        raise NotAGreenroom(f"the server at {url} is not greenroom", advice=CHECK_URL) from error
    raise NotThatSchema(
        f"{url} answered in a schema that this greenroom cannot read",
        advice="use the version of greenroom that the server has",
    )
