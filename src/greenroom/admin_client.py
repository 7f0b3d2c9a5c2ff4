"""Asks a running greenroom's admin endpoints, and says in words what goes wrong."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

import attrs
import orjson

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.settings import BadSettings
from greenroom.supervisor.crash_report import CrashReport
from greenroom.supervisor.looking_json import (
    CrashLine,
    NotThatSchema,
    load_crash,
    load_crashes,
    load_tree,
)
from greenroom.supervisor.tree import TreeNode

PATIENCE = 5.0
LARGEST = 64 * 1024 * 1024
TURN_ON = "start the server with GREENROOM_ADMIN_TOKEN set, 32 characters or more"


class AdminError(GreenroomError):
    """The server did not show what was asked for."""

    fault = Fault.OPERATOR


class CannotReach(AdminError):
    """Nobody answered."""

    temporary = True


class NotAdmitted(AdminError):
    """The token is not the server's, or the server shows nothing to this machine."""


class AdminIsOff(AdminError):
    """It is a greenroom, and nobody may look into it."""


class NotAGreenroom(AdminError):
    """Something else answered."""


class NoSuchCrash(AdminError):
    """The report is not kept, or not any more."""


@attrs.frozen
class AdminClient:
    """One server, by its URL (`http://127.0.0.1:8700`). Every method may raise `AdminError`."""

    url: str
    token: str = attrs.field(repr=False)
    timeout: float = PATIENCE

    def tree(self, *, children: int = 100) -> TreeNode:
        return load_tree(self.raw(f"/admin/tree?children={children}"))

    def crashes(self) -> tuple[CrashLine, ...]:
        return load_crashes(self.raw("/admin/crashes"))

    def crash(self, id_: str) -> CrashReport:
        return load_crash(self.raw_crash(id_))

    def raw_crash(self, id_: str) -> bytes:
        """The report's JSON. Raises `NoSuchCrash` too."""
        if not (id_.isascii() and id_.isalnum()):
            raise NoSuchCrash(f"{id_!r} is no crash's id", advice="`greenroom crashes` lists them")
        return self.raw(f"/admin/crashes/{id_}")

    def raw(self, path: str) -> bytes:
        """The JSON that answers a path."""
        status, body = self._get(path)
        match status:
            case 200:
                return _checked(body, self.url)
            case 401:
                raise NotAdmitted(
                    f"{self.url} does not take this admin token",
                    advice="give the server's own, by GREENROOM_ADMIN_TOKEN or --token",
                )
            case 403:
                raise NotAdmitted(
                    f"{self.url} shows its tree to its own machine only",
                    advice="ask from there (ssh), or set GREENROOM_ADMIN_ANYWHERE at the server",
                )
            case 404:
                raise self._missing(path, body)
        raise NotAGreenroom(f"{self.url} answered {path} with {status}, as no greenroom does")

    def _missing(self, path: str, body: bytes) -> AdminError:
        """404 says that a crash is not kept, that admin is off, or that this is somebody else."""
        if path.startswith("/admin/crashes/") and body.startswith(b'{"error":'):
            id_ = path.rpartition("/")[2]
            return NoSuchCrash(
                f"no crash {id_!r} is kept", advice="`greenroom crashes` lists those that are"
            )
        if self._get("/livez") == (200, b"alive\n"):
            return AdminIsOff(f"{self.url} lets nobody look in: admin is off", advice=TURN_ON)
        return NotAGreenroom(f"there is no greenroom at {self.url}")

    def _get(self, path: str) -> tuple[int, bytes]:
        connection, prefix = self._connection()
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
            connection.request("GET", prefix + path, headers=headers)
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


def _checked(body: bytes, url: str) -> bytes:
    try:
        if str(orjson.loads(body)["schema"]).startswith("greenroom."):
            return body
    except (ValueError, KeyError, TypeError) as error:
        raise NotAGreenroom(f"there is no greenroom at {url}") from error
    raise NotThatSchema(f"{url} speaks of things this greenroom does not know")
