"""A replay written down as a test: Python source that makes the same actor and messages."""

from __future__ import annotations

import dataclasses
import enum
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.wording import a
from greenroom.supervisor.crash.message_codec import path_of
from greenroom.testing.replay.replay import Asked, Factory, Replayed

TEMPLATE = '''"""Crash {id} of {path}: {summary}.

Written by `greenroom replay`. It passes as long as the actor still crashes; once that is mended,
turn the assertions around.
"""

{imports}


def test_{name}() -> None:
    actor = {factory}
    messages = [
{messages}
    ]
    replayed = replay(actor, messages)
{assertions}
'''


class CannotWrite(GreenroomError):
    """A value has no expression in Python that would make it again."""


def test_source(
    *,
    crash: str,
    path: str,
    summary: str,
    factory: Factory,
    factory_name: str | None,
    messages: Iterable[object],
    replayed: Replayed,
) -> str:
    """The source of a pytest file. `factory_name` is `module:name` of a factory with a name."""
    writer = _Writer()
    made = writer.named(factory_name) if factory_name is not None else writer.factory(factory)
    lines = [f"        {writer.expression(message)}," for message in messages]
    return TEMPLATE.format(
        id=crash,
        path=_harmless(path),
        summary=_harmless(summary),
        imports=writer.imports(),
        name=f"replay_of_{re.sub(r'[^a-z0-9]', '_', crash)}",
        factory=made,
        messages="\n".join(lines),
        assertions="\n".join(_assertions(replayed)),
    )


test_source.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def _assertions(replayed: Replayed) -> Iterator[str]:
    """All that tells one crash from another (see `Replayed.difference`)."""
    for name in ("raised", "place", "handled", "phase"):
        value = getattr(replayed, name)
        if value is not None:
            yield f"    assert replayed.{name} == {value!r}"


class _Writer:
    """Expressions for values, and the imports that they need."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._names: dict[str, str] = {}

    def imports(self) -> str:
        lines = [f"import {module}" for module in sorted(self._modules)]
        ours = ["from greenroom.testing.replay.replay import replay"]
        if "Asked" in self._names:
            ours = ["from greenroom.testing.replay.replay import Asked, replay"]
        if "partial" in self._names:
            lines = ["from functools import partial", *lines]
        return "\n".join([*lines, *ours])

    def factory(self, factory: Factory) -> str:
        if isinstance(factory, partial):
            arguments = [self.expression(each) for each in factory.args]
            arguments += [f"{_name(k)}={self.expression(v)}" for k, v in factory.keywords.items()]
            made = self._class(factory.func)
            if not arguments:
                return made
            self._names["partial"] = "partial"
            return f"partial({', '.join([made, *arguments])})"
        return self._class(factory)

    def named(self, target: str) -> str:
        module, _, name = target.rpartition(":")
        if module.endswith(".py") or "/" in module:
            raise CannotWrite(
                f"a test cannot import {module!r}", advice="name the actor by its module"
            )
        return self._dotted(module, name)

    def expression(self, value: object) -> str:
        kind = type(value)
        if isinstance(value, Asked):
            self._names["Asked"] = "Asked"
            return f"Asked({self.expression(value.request)})"
        if value is None or kind in (bool, int, str, bytes):
            return repr(value)
        if kind is float:
            return repr(value) if repr(value)[-1].isdigit() else f"float({repr(value)!r})"
        if isinstance(value, enum.Enum):
            return f"{self._class(kind)}[{value.name!r}]"
        if isinstance(value, str):
            return f"str.__new__({self._class(kind)}, {str(value)!r})"
        if isinstance(value, list | tuple | set | frozenset):
            return self._items(value)
        if isinstance(value, Mapping):
            pairs = (f"{self.expression(k)}: {self.expression(v)}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
        return self._object(value)

    def _items(self, items: Iterable[object]) -> str:
        inside = ", ".join(self.expression(item) for item in items)
        return f"[{inside}]" if isinstance(items, list) else f"{type(items).__name__}([{inside}])"

    def _object(self, value: object) -> str:
        kind = type(value)
        if attrs.has(kind):
            names = [
                (each.alias or each.name, each.name) for each in attrs.fields(kind) if each.init
            ]
        elif dataclasses.is_dataclass(kind):
            names = [(each.name, each.name) for each in dataclasses.fields(kind) if each.init]
        else:
            raise CannotWrite(f"{a(path_of(kind))} cannot be written down")
        given = (f"{_name(to)}={self.expression(getattr(value, own))}" for to, own in names)
        return f"{self._class(kind)}({', '.join(given)})"

    def _class(self, kind: object) -> str:
        if not isinstance(kind, type):
            raise CannotWrite(
                "the actor's factory cannot be written down", advice="name it with --actor"
            )
        module, _, name = path_of(kind).partition(":")
        return kind.__qualname__ if module == "builtins" else self._dotted(module, name)

    def _dotted(self, module: str, name: str) -> str:
        for part in [*module.split("."), *name.split(".")]:
            _name(part)
        self._modules.add(module)
        return f"{module}.{name}"


def _name(name: str) -> str:
    """Only a name may stand in the source: reports are not trusted."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise CannotWrite(f"{name!r} is no name that Python source may hold")
    return name


def _harmless(text: str) -> str:
    """For the inside of a docstring."""
    return "".join(c if c.isprintable() and c not in '\\"' else "_" for c in text)[:80]
