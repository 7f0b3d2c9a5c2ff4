"""The house's rules on words: messages, checks that `python -OO` drops, names, and prose."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from tests.house_rules import House, Module

ARTICLE = re.compile(r"(^|[^\w'])[Aa]n? $")
PERCENT = re.compile(r"(^|[^\w'])[Aa]n? %[sr]")
IDS = {"user", "thread", "run", "session", "connection", "tool_call", "parent"}
"""Names of values that are ids: their `repr` names their class."""
ANY_TEXT = {"greenroom.delivery.upkeep.journal_check"}
"""Here such names are columns of a file, plain text that may hold anything."""
WORN = re.compile(
    r"\b(anew|nobody|told|lag(s|ging)|so\s+many|nor\s+do(es)?|comes?\s+for)\b"
    r"|\b(is|are|was|were|been)\s+given\b(?!\s+(up|away|back)\b)",
    re.IGNORECASE,
)
"""Words that read like a translation, and for which plain English has others."""
NO_PROSE = re.compile(
    r"`[^`\n]*`"  # code
    r"|\[[^]\n]*\]\(decisions/[^)]*\)"  # titles of decisions, which stay as they were written
    r"|\w+\.\w+\(\)"  # a method
)
PROSE = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
NAMES = {"nobody listening"}
"""Values of the public API, which stay."""
PAGES = (
    *("README.md", "CHANGELOG.md", "bench/README.md", "docs/*.md", "docs/*.yml", "changes/*.md"),
    *("transport/page/*.html", "clients/page/src/*.ts", "bench/**/*.py"),
    *("src/greenroom/observer/page/*.html", "clients/observer/src/**/*.ts"),
)


def asserts_that_check(house: House) -> Iterator[str]:
    """`python -O` takes asserts away, so one may only tell a type checker what cannot be otherwise.

    That is `assert x is not None, "why"` or `assert isinstance(x, T), "why"`.
    """
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.Assert) and not (node.msg and _narrows(node.test)):
                yield module.at(
                    node.lineno, "raise an error; or narrow a type, and say why it cannot fail"
                )


def words_from_docstrings(house: House) -> Iterator[str]:
    """`python -OO` takes docstrings away."""
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.Attribute) and node.attr == "__doc__":
                yield module.at(node.lineno, "reads __doc__, which is None under -OO")


def articles_before_placeholders(house: House) -> Iterator[str]:
    """`f"it is a {kind}"` says "it is a int" one day."""
    for module, text in _f_strings(house):
        for before, part in zip(text.values, text.values[1:], strict=False):
            ends_in_article = isinstance(before, ast.Constant) and ARTICLE.search(str(before.value))
            if ends_in_article and isinstance(part, ast.FormattedValue):
                yield module.at(text.lineno, "use greenroom.actors.text.wording.a()")


def articles_before_percent_signs(house: House) -> Iterator[str]:
    """The same in the format of a log line: `"it is a %s"`."""
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.Constant) and PERCENT.search(str(node.value)):
                yield module.at(node.lineno, "use greenroom.actors.text.wording.a()")


def reprs_of_ids(house: House) -> Iterator[str]:
    """`f"user {user!r}"` says "user UserId('alice')"."""
    for module, text in _f_strings(house):
        for part in () if module.name in ANY_TEXT else text.values:
            if isinstance(part, ast.FormattedValue) and part.conversion == ord("r"):
                name = getattr(part.value, "id", getattr(part.value, "attr", "")).lstrip("_")
                if name in IDS:
                    yield module.at(text.lineno, f"write {{str({name})!r}}, or {{{name}}}")


def homonyms(house: House) -> Iterator[str]:
    """Two classes of one name: readers and searches would take one for the other."""
    homes: dict[str, Module] = {}
    for module in house.modules.values():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                home = homes.setdefault(node.name, module)
                if home is not module:
                    yield module.at(node.lineno, f"{node.name} is also a class of {home.name}")


def worn_words(house: House) -> Iterator[str]:
    """In docstrings, comments and messages."""
    for module in house.modules.values():
        for token in tokenize.generate_tokens(StringIO(module.text).readline):
            if token.type in PROSE and token.string.strip("'\"") not in NAMES:
                for line, word in _worn(token.string):
                    yield module.at(token.start[0] + line, f"say it plainly: {word!r}")


def worn_words_on_pages(root: Path) -> Iterator[str]:
    """In the documentation, the news and the page. (Decisions stay as they were written.)"""
    for page in sorted(each for pattern in PAGES for each in root.glob(pattern)):
        for line, word in _worn(page.read_text(encoding="utf-8")):
            yield f"{page.relative_to(root)}:{line + 1}: say it plainly: {word!r}"


def _worn(text: str) -> Iterator[tuple[int, str]]:
    """Each worn word, also across the end of a line, with the line it begins in, from 0."""
    prose = NO_PROSE.sub(lambda code: " " * len(code[0]), text)
    for found in WORN.finditer(prose):
        yield prose.count("\n", 0, found.start()), found[0]


def _narrows(test: ast.expr) -> bool:
    match test:
        case ast.Compare(ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
        case ast.Call(func=ast.Name(id="isinstance")):
            return True
    return False


def _f_strings(house: House) -> Iterator[tuple[Module, ast.JoinedStr]]:
    for module in house.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.JoinedStr):
                yield module, node
