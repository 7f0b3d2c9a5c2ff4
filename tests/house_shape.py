"""The house's rules on its shape: lengths, crowded folders, circles, and tests apart."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from tests.circles import circles_of
from tests.house_rules import House

LONGEST_FILE, LONGEST_FUNCTION = 400, 40  # lines
MOST_FILES = 15  # of Python in a folder, without those in the folders below it
UNMENDED: dict[str, set[str]] = {}  # by rule: what breaks it still; nothing is added here


def import_circles(house: House) -> Iterator[str]:
    """Files that import each other, directly or round about, also inside of functions."""
    for circle in circles_of(arrows_of(house)):
        yield f"{' <-> '.join(circle)}: import each other"


def crowded_folders(house: House) -> Iterator[str]:
    folders = Counter(module.path.parent for module in house.modules.values())
    for folder, files in folders.items():
        if files > MOST_FILES:
            place = folder.relative_to(house.package.parent).as_posix()
            yield f"{place}: has {files} files; at most {MOST_FILES} are allowed"


def tests_that_import_tests(house: House) -> Iterator[str]:
    """What several tests need stands in a module that is no test."""
    for module in house.modules.values():
        for each in module.imports:
            other = house.module_of(each.target)
            if other is not None and other is not module and other.is_test:
                yield module.at(each.line, f"imports {other.name}, which is a test module")


def files_too_long(house: House) -> Iterator[str]:
    for module in house.modules.values():
        lines = len(module.text.splitlines())
        if lines > LONGEST_FILE:
            yield module.at(1, f"has {lines} lines; at most {LONGEST_FILE} are allowed")


def functions_too_long(house: House) -> Iterator[str]:
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _code_lines(node)
                if lines > LONGEST_FUNCTION:
                    yield module.at(node.lineno, f"{node.name} has {lines} lines")


def lambdas_that_carry_on(house: House) -> Iterator[str]:
    """`partial(self.next, x)` names what comes next; an editor cannot follow a lambda."""
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.Lambda) and isinstance(node.body, ast.Call):
                own = "self" in {each.arg for each in node.args.args}
                if ast.unparse(node.body.func).startswith("self.") and not own:
                    yield module.at(node.lineno, f"write partial({ast.unparse(node.body.func)}, …)")


def marks_that_are_lost(house: House) -> Iterator[str]:
    """A second `pytestmark` of a module replaces the first."""
    for module in house.modules.values():
        assigned = [node for node in module.tree.body if isinstance(node, ast.Assign)]
        marks = [node for node in assigned if ast.unparse(node.targets[0]) == "pytestmark"]
        for node in marks[1:]:
            yield module.at(node.lineno, "put the marks of a module in one list")


def arrows_of(house: House) -> dict[str, list[str]]:
    """Which modules of the house each of its modules imports."""
    return {
        name: [
            other.name
            for each in module.imports
            if (other := house.module_of(each.target)) is not None and other is not module
        ]
        for name, module in house.modules.items()
    }


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the function without its docstring: parameters are documented at length."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    doc = node.body[0]
    has_doc = ast.get_docstring(node) is not None and doc.end_lineno is not None
    return lines - (doc.end_lineno - doc.lineno + 1) if has_doc and doc.end_lineno else lines
