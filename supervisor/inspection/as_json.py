"""The tree and crash reports as JSON, and back: the schemas of `docs/looking-in.md`.

Fields are those of `TreeNode` and `CrashReport`, under their own names; enums are their values.
New fields may be added; a field is not removed or changed in meaning without a new schema name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar, get_args

import attrs
import cattrs
import orjson

from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.actors.text.wording import a
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.crash.message_codec import JSON
from greenroom.supervisor.errors import RestartIntensityExceeded
from greenroom.supervisor.inspection.tree import TreeNode

MOST_LEVELS = 50
"""Levels of a tree in its JSON: encoders and readers of JSON have a limit of their own."""

T = TypeVar("T")
Object: TypeAlias = Mapping[str, JSON]

TREE, CRASHES, CRASH = "greenroom.tree/1", "greenroom.crashes/1", "greenroom.crash/1"


@attrs.frozen
class CrashLine:
    """One crash report in a list. `replayable`: its messages were kept whole.

    `needs_actor`: the report does not say how to make the actor, so the caller of a replay must.
    `process` (a name) and `began` (when that started, Unix time) say where it crashed; `here` is
    False for another process than the one that answers.
    """

    id: str
    number: int
    at: float
    path: str
    reason: str
    summary: str
    restarts: int
    budget: int | None
    replayable: bool
    needs_actor: bool = False
    process: str = ""
    began: float | None = None
    here: bool = True


@attrs.frozen
class ReportOrigin:
    """A process by its name, and when it started (Unix time). `here`: whether it is this one."""

    process: str
    began: float
    here: bool = True


class NotThatSchema(GreenroomError):
    """The JSON is not of the schema that was expected."""


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    converter.register_structure_hook_func(_is_json, lambda value, _: value)
    converter.register_unstructure_hook_func(_is_json, lambda value: value)
    converter.register_unstructure_hook(ExitReason, lambda reason: reason.kind.value)
    converter.register_structure_hook(ExitReason, lambda kind, _: ExitReason(ExitKind(kind)))
    return converter


def _is_json(kind: object) -> bool:
    """The alias `JSON`, however far its forward references were resolved."""
    return {str, float, bool, type(None)} <= set(get_args(kind))


_CONVERTER = _converter()


def dump_tree(node: TreeNode, *, at: float) -> bytes:
    """`at` is Unix time in seconds. Nodes deeper than `MOST_LEVELS` are counted as hidden."""
    shown = _pruned(node, MOST_LEVELS)
    return orjson.dumps({"schema": TREE, "at": at, "tree": _CONVERTER.unstructure(shown)})


def node_form(node: TreeNode) -> Object:
    """A node as JSON, with those of its children that it has."""
    form: Object = _CONVERTER.unstructure(node)
    return form


def line_form(report: CrashReport) -> Object:
    """A crash report as a line of a list."""
    form: Object = _CONVERTER.unstructure(line_of(report))
    return form


def _pruned(node: TreeNode, levels: int) -> TreeNode:
    if not node.children:
        return node
    if levels == 1:
        return attrs.evolve(node, children=(), hidden=node.hidden + len(node.children))
    children = tuple(_pruned(child, levels - 1) for child in node.children)
    return attrs.evolve(node, children=children)


def load_tree(data: bytes) -> TreeNode:
    """Raises `NotThatSchema`."""
    return _structured(_opened(data, TREE).get("tree"), TreeNode)


def dump_crash(report: CrashReport, origin: ReportOrigin | None = None) -> bytes:
    """The whole report, without the live exception."""
    return dump_kept_crash(crash_json(report), origin)


def dump_kept_crash(report: str | bytes, origin: ReportOrigin | None) -> bytes:
    """As `dump_crash`, for a report that is JSON already."""
    fields = attrs.asdict(origin) if origin is not None else {}
    return orjson.dumps({"schema": CRASH, **fields, "crash": orjson.Fragment(report)})


def crash_json(report: CrashReport) -> bytes:
    return _dumped(_CONVERTER.unstructure(report))


def line_json(report: CrashReport) -> bytes:
    """The report's line in a list, without where it crashed."""
    return _dumped(_CONVERTER.unstructure(line_of(report)))


def _dumped(form: JSON) -> bytes:
    try:
        return orjson.dumps(form)
    except orjson.JSONEncodeError:  # half a surrogate pair, which JSON cannot hold (RFC 8259 §8.2)
        return orjson.dumps(_sound(form))


def _sound(form: JSON) -> JSON:
    if isinstance(form, str):
        return form.encode("utf-8", "backslashreplace").decode()
    if isinstance(form, Mapping):
        return {str(_sound(key)): _sound(value) for key, value in form.items()}
    return [_sound(each) for each in form] if isinstance(form, Sequence) else form


def load_crash(data: bytes) -> CrashReport:
    """The report, its `reason` without the exception. Raises `NotThatSchema`."""
    return _structured(_with_gave_up(_opened(data, CRASH).get("crash")), CrashReport)


def _with_gave_up(form: JSON) -> JSON:
    """A report that was saved before it had `gave_up` says the same by the class of its error."""
    if not isinstance(form, Mapping) or "gave_up" in form:
        return form
    error = form.get("error")
    cls = str(error.get("type")).rpartition(":")[2] if isinstance(error, Mapping) else ""
    return {**form, "gave_up": cls == RestartIntensityExceeded.__name__}


def dump_crashes(lines: Iterable[CrashLine]) -> bytes:
    """A line for each report, in the given order, without the long fields."""
    forms = [_CONVERTER.unstructure(line) for line in lines]
    return _dumped({"schema": CRASHES, "crashes": forms})


def load_line(data: str | bytes, origin: ReportOrigin) -> CrashLine:
    """What `line_json` wrote. Raises `NotThatSchema`."""
    line = _structured(orjson.loads(data), CrashLine)
    return attrs.evolve(line, **attrs.asdict(origin))


def load_crashes(data: bytes) -> tuple[CrashLine, ...]:
    """Raises `NotThatSchema`."""
    return _structured(_opened(data, CRASHES).get("crashes"), tuple[CrashLine, ...])


def line_of(report: CrashReport, origin: ReportOrigin | None = None) -> CrashLine:
    recording = report.actor.recording if report.actor is not None else None
    return CrashLine(
        id=report.id,
        number=report.number,
        at=report.at,
        path=report.path,
        reason=report.reason.kind.value,
        summary=report.summary,
        restarts=report.restarts,
        budget=report.budget,
        replayable=recording is not None,
        needs_actor=recording is not None and not recording.makes_actor,
        **(attrs.asdict(origin) if origin is not None else {}),
    )


def _opened(data: bytes, schema: str) -> Object:
    try:
        fields = orjson.loads(data)
    except ValueError as error:
        raise NotThatSchema(f"not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("schema") != schema:
        raise NotThatSchema(f"the JSON must have the schema {schema}")
    return fields


def _structured(form: JSON, kind: type[T]) -> T:
    try:
        return _CONVERTER.structure(form, kind)
    except Exception as error:
        raise NotThatSchema(f"the JSON must hold {a(kind.__name__)}") from error
