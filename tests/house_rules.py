"""The house's rules, read from the syntax trees of a package's files (no module is run)."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import attrs

ROOMS = ("actors", "supervisor", "delivery", "transport")  # from the ground up; then the face
NO_MODULES = {"demo"}  # the examples: programs that the demo runs

HARMLESS = {
    *("__future__", "abc", "attrs", "base64", "bisect", "collections", "contextlib"),
    *("copy", "dataclasses", "difflib", "email", "enum", "fnmatch", "functools", "h11", "hashlib"),
    *("heapq", "html", "http", "ipaddress", "itertools", "json", "jsonschema_rs", "math"),
    *("operator", "orjson"),
    *("cattrs", "pathlib.PurePath", "pathlib.PurePosixPath", "re", "string", "struct", "textwrap"),
    *("types", "typing", "typing_extensions", "unicodedata", "urllib.parse", "binascii", "outcome"),
    *("weakref", "wsproto.frame_protocol", "wsproto.handshake", "wsproto.events"),
}
EXCUSED = {  # (module, what it imports): why a pure module may reach it
    **{
        (
            "greenroom.delivery.events.ids",
            each,
        ): "defaults of IdSource, which shells hold; tests inject"
        for each in ("secrets", "time", "typeid")
    },
    ("greenroom.delivery.events.ids", "greenroom.actors.forks"): "forked children throw bits away",
    ("greenroom.delivery.history.usage", "datetime"): "the day of a given time; it asks no clock",
    ("greenroom.delivery.history.times", "datetime"): "a given time in words",
    (
        "greenroom.transport.front_ends.ag_ui.interrupts",
        "datetime",
    ): "ISO 8601 for a given time; it asks no clock",
    ("greenroom.supervisor.restarts", "random"): "the default of an injected draw",
    ("greenroom.delivery.user.messages", "greenroom.actors"): "a base class, and types of fields",
    ("greenroom.delivery.user.nodes.messages", "greenroom.actors"): "a base class",
}
SAFE_TEXT = "greenroom.actors.text.safe"
ANY_ERROR = {"Exception", "BaseException", "ExceptionGroup", "BaseExceptionGroup"}
HELD_ERRORS = {"error", "__cause__", "__context__"}
LOG_CALLS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
MAKERS_OF_FILES = {
    *("greenroom.delivery.journal.private_files", "greenroom.testing.neighbour"),
    "greenroom.delivery.journal.redis.copy",  # in a directory that only its owner may enter
}
OPENERS_OF_DATABASES = {  # of the journal's file: its writer, its reader, its upkeep
    *("greenroom.delivery.journal.sqlite.file", "greenroom.delivery.journal.sqlite.reader"),
    *("greenroom.delivery.upkeep.journal_upkeep", "greenroom.testing.neighbour"),
    "greenroom.delivery.journal.redis.copy",  # of a file without a name, which no other one locks
}
COPYING = {"shutil", "tempfile"}
ASKS_WHETHER_PRINTABLE = {
    *(
        "greenroom.actors.text.escaping",
        "greenroom.delivery.events.ids",
        "greenroom.delivery.legacy.id_explanation",
    ),
    *("greenroom.delivery.legacy.legacy_ids", "greenroom.commands.tree.terminal_keys"),
    "greenroom.testing.replay.source",  # names in generated code, where nothing odd may be at all
}
DOING = {"open", "input", "print", "exec", "eval", "breakpoint", "__import__"}


@attrs.frozen
class Import:
    """`at_run_time` is False under `if TYPE_CHECKING`."""

    target: str
    line: int
    relative: bool
    at_run_time: bool


@attrs.define(slots=False)
class Module:
    """One file: its dotted name and what can be read in its tree."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.tree) or ""

    @property
    def pure(self) -> bool:
        return self.doc.partition("\n")[0].rstrip(".").endswith("(pure)")

    @property
    def is_test(self) -> bool:
        return self.path.name.startswith("test_")

    @property
    def floor(self) -> int:
        room = self.name.split(".")[1] if "." in self.name else ""
        return ROOMS.index(room) if room in ROOMS else len(ROOMS)

    @cached_property
    def imports(self) -> list[Import]:
        typing_only = set(_typing_only(self.tree))
        return [
            Import(target, node.lineno, relative, node not in typing_only)
            for node in self.nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for target, relative in _targets(node)
        ]

    def at(self, line: int, what: str) -> str:
        return f"{self.name}:{line}: {what}"


class House:
    """All modules below a package directory, by name. Rooms joined by symlinks are followed."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self.modules = {module.name: module for module in _find(package)}

    def module_of(self, target: str) -> Module | None:
        """The module an import means: `greenroom.actors.ref.Ref` is in `greenroom.actors.ref`."""
        while target and target not in self.modules:
            target = target.rpartition(".")[0]
        return self.modules.get(target)


def imports_that_go_up(house: House) -> Iterator[str]:
    """Also under TYPE_CHECKING and inside functions: a cycle is a cycle to its reader."""
    for module in house.modules.values():
        for each in module.imports:
            other = house.module_of(each.target)
            if other is not None and other.floor > module.floor:
                yield module.at(each.line, f"imports {other.name}, which is on a higher floor")


def relative_imports(house: House) -> Iterator[str]:
    for module in house.modules.values():
        for each in module.imports:
            if each.relative:
                yield module.at(each.line, "imports relatively")


def impurities(house: House) -> Iterator[str]:
    """What a pure module does or reaches at run time, through our own modules too."""
    for module in house.modules.values():
        if module.pure:
            yield from _impure_imports(house, module, (), set())
            yield from _impure_calls(module)


def careless_handlers(house: House) -> Iterator[str]:
    """Handlers that catch everything without a name, or everything to do nothing."""
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.ExceptHandler):
                if node.type is None:
                    yield module.at(node.lineno, "bare except")
                elif _swallows_all(node):
                    yield module.at(node.lineno, "catches everything and passes")


def unsafe_words(house: House) -> Iterator[str]:
    """Text made of an error that may be of any code: its `str` or `repr` may raise what it likes.

    `safe_str` and `safe_repr` make it. Known as such an error is what a handler of everything
    caught, a parameter annotated so, and an attribute that holds one by the house's names.
    """
    for module in house.modules.values():
        if module.name != SAFE_TEXT:
            for scope in module.nodes:
                for node in _texts_of(scope, _any_errors(scope)):
                    yield module.at(node.lineno, f"shows {ast.unparse(node)} without safe_str()")


def half_guards(house: House) -> Iterator[str]:
    """Handlers that keep every `Exception` and let a `SystemExit` or a stray `Cancelled` through.

    Other code that fails must not fail its caller: catch `BaseException`, and raise it again if
    `must_go_on(error)`. The face above the rooms has programs, which may be exited.
    """
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.Try) and module.floor < len(ROOMS):
                yield from (
                    module.at(each.lineno, "keeps every Exception only") for each in _half(node)
                )


def files_for_everybody(house: House) -> Iterator[str]:
    """Files that are not made by `private_files`: their permissions are the umask's."""
    for module in house.modules.values():
        if module.name not in MAKERS_OF_FILES:
            for node in module.nodes:
                if isinstance(node, ast.Call) and (what := _makes_file(node)):
                    yield module.at(node.lineno, f"{what}: make files with private_files")


def databases_opened_elsewhere(house: House) -> Iterator[str]:
    """SQLite connections outside of the modules that know whose locks a close takes away."""
    for module in house.modules.values():
        for node in module.nodes:
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("apsw.Connection", "sqlite3.connect")
                and module.name not in OPENERS_OF_DATABASES
            ):
                yield module.at(node.lineno, f"{ast.unparse(node.func)} is not for this module")


def _makes_file(call: ast.Call) -> str:
    """What it is called by if the call makes a file; nothing if not."""
    name = ast.unparse(call.func)
    owner, _, method = name.rpartition(".")
    if method in ("write_text", "write_bytes", "touch") or owner in COPYING:
        return name
    if name == "os.open" and "O_CREAT" in ast.unparse(call):
        return name
    if method == "open" and any(_is_writing_mode(each) for each in _arguments(call)):
        return name
    return ""


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)


def _is_writing_mode(argument: ast.expr) -> bool:
    value = argument.value if isinstance(argument, ast.Constant) else None
    return (
        isinstance(value, str)
        and re.fullmatch(r"[rwaxbt+]{1,4}", value) is not None
        and bool(set(value) & set("wax+"))
    )


def escapes_of_their_own(house: House) -> Iterator[str]:
    """Text of others is made harmless in one place; elsewhere it is only checked, or typed."""
    for module in house.modules.values():
        for node in module.nodes:
            asks = isinstance(node, ast.Attribute) and node.attr == "isprintable"
            if asks and module.name not in ASKS_WHETHER_PRINTABLE:
                yield module.at(node.lineno, "asks isprintable; use actors.escaping.one_line")


def _find(package: Path) -> Iterator[Module]:
    for directory, below, files in os.walk(package, followlinks=True):
        below[:] = [name for name in below if name not in NO_MODULES]
        for file in files:
            if file.endswith(".py"):
                path = Path(directory, file)
                parts = (package.name, *path.relative_to(package).with_suffix("").parts)
                yield Module(".".join(parts).removesuffix(".__init__"), path)


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, bool]]:
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield alias.name, False
        else:
            yield f"{node.module}.{alias.name}", node.level > 0


def _typing_only(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from ast.walk(statement)


def _impure_imports(
    house: House, module: Module, way: tuple[str, ...], seen: set[str]
) -> Iterator[str]:
    seen.add(module.name)
    for each in module.imports:
        other = house.module_of(each.target)
        if not each.at_run_time or (other is not None and other.name in seen):
            continue
        if excuse_for(module, each):
            continue
        if other is not None:
            yield from _impure_imports(house, other, (*way, module.name), seen)
        elif not _harmless(each.target):
            through = f" (reached from {' > '.join(way)})" if way else ""
            yield module.at(each.line, f"imports {each.target}{through}, not known to be pure")


def excuse_for(module: Module, each: Import) -> tuple[str, str] | None:
    """The key in EXCUSED that lets this import pass."""
    keys = [(module.name, prefix) for prefix in _prefixes(each.target)]
    return next((key for key in keys if key in EXCUSED), None)


def _harmless(target: str) -> bool:
    return any(prefix in HARMLESS for prefix in _prefixes(target))


def _prefixes(target: str) -> list[str]:
    parts = target.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _impure_calls(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DOING:
            yield module.at(node.lineno, f"calls {node.func.id}()")


def _half(node: ast.Try) -> Iterator[ast.ExceptHandler]:
    caught = [ast.unparse(each.type) for each in node.handlers if each.type is not None]
    for each in node.handlers:
        names = {n.id for n in ast.walk(each.type or each) if isinstance(n, ast.Name)}
        raises = any(isinstance(below, ast.Raise) for below in ast.walk(each))
        if "Exception" in names and not raises and "BaseException" not in caught:
            yield each


def _any_errors(scope: ast.AST) -> set[str]:
    """The names by which a handler, a function or a module knows an error of any kind."""
    if isinstance(scope, ast.ExceptHandler):
        return {scope.name} if scope.name and scope.type and _is_any_error(scope.type) else set()
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        given = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
        return {each.arg for each in given if each.annotation and _is_any_error(each.annotation)}
    return {"."} if isinstance(scope, ast.Module) else set()


def _is_any_error(kind: ast.expr) -> bool:
    names = {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)}
    calls = any(isinstance(node, ast.Subscript) for node in ast.walk(kind))  # list[Exception] …
    return bool(names & ANY_ERROR) and not calls


def _texts_of(scope: ast.AST, names: set[str]) -> Iterator[ast.expr]:
    """Where an error of these names, or (for `.`) an attribute that is one, is made text."""
    if names:
        for node in ast.walk(scope):
            for shown in _shown_by(node):
                if (isinstance(shown, ast.Name) and shown.id in names) or (
                    "." in names and isinstance(shown, ast.Attribute) and shown.attr in HELD_ERRORS
                ):
                    yield shown


def _shown_by(node: ast.AST) -> list[ast.expr]:
    """What a node makes text of: an f-string, `str()`, `repr()`, the arguments of a log call."""
    if isinstance(node, ast.FormattedValue):
        return [node.value]
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in ("str", "repr", "format", "print"):
            return node.args
        if isinstance(node.func, ast.Attribute) and node.func.attr in LOG_CALLS:
            return node.args
    return []


def _swallows_all(handler: ast.ExceptHandler) -> bool:
    names = {node.id for node in ast.walk(handler.type or handler) if isinstance(node, ast.Name)}
    passes = all(isinstance(statement, ast.Pass) for statement in handler.body)
    return passes and bool(names & {"Exception", "BaseException"})
