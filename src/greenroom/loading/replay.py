"""From a saved crash report to a replay: what may be imported, and how values are made of it.

A report is not trusted. Without `trust`, no module is imported because it says so: what it
names must be loaded already, by the actor that the user named. Nothing it names is called but
attrs classes, dataclasses, enums, texts and actors, and nothing is unpickled.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import attrs

from greenroom.actors.actor import Actor
from greenroom.actors.errors import GreenroomError
from greenroom.loading.agent import load_object, search_first
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.crash.message_codec import JSON, CannotDecode, ValueDecoder, classes_of
from greenroom.supervisor.inspection.as_json import NotThatSchema, load_crash
from greenroom.testing.replay.replay import Asked, Factory, Replayed, replay
from greenroom.testing.replay.source import test_source

STANDARD_INPUT = Path("-")
EXAMPLE = "name it as MODULE_OR_FILE:FACTORY, for example app:Till or shop/app.py:make_till"
SHAPE = "it is an actor's class, or a function that returns a fresh actor"


class CannotReplay(GreenroomError):
    """The report lacks what a replay needs, or names code that may not be imported."""


@attrs.frozen
class Case:
    """A replay that is ready to run. `redacted` secrets have stand-ins among the messages."""

    report: CrashReport
    factory: Factory
    messages: tuple[object, ...]
    redacted: int

    def run(self) -> Replayed:
        return replay(self.factory, self.messages)

    def recorded(self) -> Replayed:
        """How it went by the report; nothing is run."""
        phase = self.report.actor.phase if self.report.actor is not None else None
        return Replayed(self.report.error, len(self.messages), len(self.messages), phase)

    def test(self, replayed: Replayed, actor: str | None = None) -> str:
        """The source of a pytest file, `actor` as it was named for `load_case`. Raises
        `CannotWrite`."""
        return test_source(
            crash=self.report.id,
            path=self.report.path,
            summary=self.report.summary,
            factory=self.factory,
            factory_name=None if isinstance(self.factory, type | partial) else actor,
            messages=self.messages,
            replayed=replayed,
        )


def load_case(path: Path, *, actor: str | None, trust: bool) -> Case:
    """Read a report saved by `greenroom crash ID --json`; `-` is standard input.

    `actor` names what makes a fresh actor, `module:factory`; without it, the report must. An
    actor's class gets the arguments that the report has. Raises `CannotReplay`, `NotThatSchema`,
    `BadTarget`, and what the imported code raises.
    """
    try:
        report = load_crash(_read(path))
    except NotThatSchema as error:
        raise NotThatSchema(
            f"{path} must be a crash report: {error.message}",
            advice="save one with `greenroom crash ID --json > CRASH.json`",
        ) from error
    return case_of(report, actor=actor, trust=trust)


def case_of(report: CrashReport, *, actor: str | None = None, trust: bool = False) -> Case:
    """The replay of a report, as `load_case`."""
    recording = report.actor.recording if report.actor is not None else None
    if recording is None:
        raise _not_recorded(report)
    if report.error is None:
        raise CannotReplay(f"crash {report.id} has no error to reproduce: it was {report.reason}")
    named = _named_factory(actor) if actor is not None else None
    form = recording.factory if named is None or isinstance(named, type) else None
    loader = _Loader(trust)
    loader.check([*classes_of(list(recording.messages)), *_classes_of_factory(form, named)])
    decoder = ValueDecoder(loader.load)
    if named is None or (form is not None and isinstance(named, type)):
        factory = _factory(form, decoder, named)
    else:
        factory = named
    messages = tuple(_message(form, decoder) for form in recording.messages)
    return Case(report, factory, messages, decoder.redacted)


def _read(path: Path) -> bytes:
    return sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()


def _not_recorded(report: CrashReport) -> CannotReplay:
    if report.actor is not None and report.actor.let_go:
        return CannotReplay(
            f"the messages of crash {report.id} were dropped to make room for newer reports",
            advice="save a report soon after its crash",
        )
    return CannotReplay(
        f"the messages of crash {report.id} were not recorded",
        advice="record them with actor_child(…, record=100)",
    )


@attrs.frozen
class _Loader:
    """Finds classes by `module:Class`, in modules that are loaded or may be."""

    trust: bool

    def check(self, paths: Collection[str]) -> None:
        """Raises `CannotReplay`, which names every module that needs trust."""
        modules = sorted({path.partition(":")[0] for path in paths})
        strange = [name for name in modules if not self._may_import(name)]
        if strange:
            raise CannotReplay(
                f"the report names code that is not trusted: {', '.join(map(repr, strange))}",
                advice="import it with --trust if the report is your own, or name the actor's "
                "own module with --actor module:factory",
            )

    def load(self, path: str) -> object:
        module, _, name = path.partition(":")
        self.check([path])
        if "<locals>" in name:
            raise CannotReplay(f"{path} is defined inside a function and cannot be imported")
        if self.trust:
            search_first(Path.cwd())
        try:
            found: object = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError) as error:
            raise CannotReplay(
                f"{path} cannot be imported: {error}",
                advice=f"modules are searched for from {Path.cwd()}",
            ) from error
        return found

    def _may_import(self, module: str) -> bool:
        return self.trust or module in sys.modules


def _classes_of_factory(form: JSON, named: object | None) -> list[str]:
    if not isinstance(form, Mapping):
        return []
    arguments = [*classes_of(form.get("args")), *classes_of(form.get("kwargs"))]
    return arguments if named is not None else [str(form.get("class")), *arguments]


def _named_factory(target: str) -> Factory:
    found = load_object(target, "actor", EXAMPLE, SHAPE)
    if not callable(found):
        raise CannotReplay(f"{target} must make an actor, but cannot be called", advice=SHAPE)
    return cast(Factory, found)


def _factory(form: JSON, decoder: ValueDecoder, named: object | None) -> Factory:
    """The `named` class, or else the recorded one, with the recorded arguments."""
    if not isinstance(form, Mapping):
        raise CannotReplay(
            "the report does not say how to make the actor",
            advice="use --actor module:factory; or give actor_child a class or a partial of one",
        )
    made = named or decoder.load(str(form.get("class")))
    if not (isinstance(made, type) and issubclass(made, Actor)):
        raise CannotReplay(
            f"{getattr(made, '__qualname__', made)} is not the class of an actor",
            advice="name the class of an actor, or a function, with --actor module:factory",
        )
    args, kwargs = form.get("args"), form.get("kwargs")
    if not isinstance(args, Sequence) or not isinstance(kwargs, Mapping):
        raise CannotReplay(
            "the actor's arguments were not kept whole", advice="use --actor module:factory"
        )
    try:
        given = [decoder.decode(each) for each in args]
        named = {name: decoder.decode(each) for name, each in kwargs.items()}
    except CannotDecode as error:
        raise CannotReplay(
            f"the actor cannot be made again: {error.message}", advice="use --actor module:factory"
        ) from error
    return partial(made, *given, **named)


def _message(form: JSON, decoder: ValueDecoder) -> object:
    try:
        if isinstance(form, Mapping) and "$ask" in form:
            return Asked(decoder.decode(form["$ask"]))  # type: ignore[arg-type]  # it was one
        return decoder.decode(form)
    except CannotDecode as error:
        raise CannotReplay(f"a message cannot be made again: {error.message}") from error
