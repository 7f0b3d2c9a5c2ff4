"""Sources of settings: a TOML file, the environment and keywords, and what is wrong in them."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.settings.values import Expected

PREFIX = "GREENROOM_"
CONFIG_FILE = Path("greenroom.toml")
NO_SETTINGS = frozenset({"GREENROOM_DEMO_PACE"})  # read by the demo agent, which is no setting
OPTIONS: Final = {"journal_wait": "--wait", "worker_port": "--port"}
"""Options of the command line that have another name than their setting."""

Fields: TypeAlias = Mapping[str, "attrs.Attribute[Any]"]  # Any: each setting has its own type


class BadSettings(GreenroomError):
    """Settings that cannot be used. `problems` holds one line each, the source named first."""

    fault = Fault.OPERATOR

    def __init__(self, problems: Iterable[str], *, advice: str = "") -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("\n".join(self.problems), advice=advice)


@attrs.frozen
class GivenSetting:
    """A value for the setting `name`. `source` says where it stands, for error messages."""

    source: str
    name: str
    value: object


def from_toml(path: Path | None) -> Iterator[GivenSetting]:
    """The entries of `path`, or of `greenroom.toml` if there is one. Raises `BadSettings`."""
    if path is None and not CONFIG_FILE.is_file():
        return
    path = path or CONFIG_FILE
    for name, value in _read_toml(path).items():
        yield GivenSetting(f"{path}: {name}", name, value)


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise BadSettings([f"{path}: is not UTF-8 text"]) from error
    except tomllib.TOMLDecodeError as error:
        raise BadSettings([f"{path}: is not TOML: {error}"]) from error


def from_environment(environ: Mapping[str, str], fields: Fields) -> Iterator[GivenSetting]:
    """The `GREENROOM_*` variables that are set and not empty."""
    for variable in sorted(environ):
        if _is_given(variable, environ):
            name = variable.removeprefix(PREFIX).lower()
            yield GivenSetting(variable, name, _parsed(fields.get(name), environ[variable]))


def _is_given(variable: str, environ: Mapping[str, str]) -> bool:
    return variable.startswith(PREFIX) and variable not in NO_SETTINGS and environ[variable] != ""


def _parsed(field: attrs.Attribute[Any] | None, text: str) -> object:
    """The text as a value. Text that cannot be one stays as it is, for `problem_of` to show."""
    try:
        return field.metadata["expected"].parse(text) if field else text
    except ValueError:
        return text


def from_keywords(keywords: Mapping[str, object]) -> Iterator[GivenSetting]:
    """Keywords that are not None, named as the options of the command line."""
    for name, value in keywords.items():
        if value is not None:
            option = OPTIONS.get(name, f"--{name.replace('_', '-')}")
            yield GivenSetting(option, name, value)


def problem_of(given: GivenSetting, fields: Fields) -> str | None:
    """What is wrong with a given value, or None."""
    field = fields.get(given.name)
    if field is None:
        closest = _closest(given, fields)
        return f"{given.source}: there is no such setting{closest}"
    shape: Expected = field.metadata["expected"]
    try:
        shape.read(given.value)
    except ValueError:
        shown = f"{shape.shown(given.value)}{_hint(given.value)}"
        return f"{given.source}: expected {shape.words}, got {shown}"
    return None


def raise_if_any(problems: Iterable[str | None]) -> None:
    """Raise one `BadSettings` with all problems that are not None."""
    found = [problem for problem in problems if problem is not None]
    if found:
        raise BadSettings(found)


def _closest(given: GivenSetting, fields: Fields) -> str:
    """The known name most like the given one, spelled as its source spells names."""
    close = difflib.get_close_matches(given.name.lower(), fields, n=1)
    if not close:
        return ""
    if given.source.startswith(PREFIX):
        return f"; did you mean {PREFIX}{close[0].upper()}?"
    return f"; did you mean {close[0]}?"


def _hint(value: object) -> str:
    if isinstance(value, str) and value.startswith("tcp://"):
        return "; Kubernetes sets this for a service named greenroom: enableServiceLinks: false"
    return ""
