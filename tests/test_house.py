"""The house keeps its rules, and each rule catches who breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import greenroom
from tests import house_rules, house_shape, house_words
from tests.house_rules import ROOMS, House

Rule = Callable[[House], Iterator[str]]

PACKAGE = Path(greenroom.__file__).parent
ROOT = Path(__file__).parents[1]
RULES: list[Rule] = [
    house_rules.imports_that_go_up,
    house_rules.relative_imports,
    house_shape.import_circles,
    house_shape.crowded_folders,
    house_rules.impurities,
    house_shape.files_too_long,
    house_shape.functions_too_long,
    house_shape.lambdas_that_carry_on,
    house_rules.careless_handlers,
    house_rules.unsafe_words,
    house_rules.half_guards,
    house_rules.files_for_everybody,
    house_rules.databases_opened_elsewhere,
    house_rules.escapes_of_their_own,
    house_words.asserts_that_check,
    house_words.words_from_docstrings,
    house_words.articles_before_placeholders,
    house_words.articles_before_percent_signs,
    house_words.reprs_of_ids,
    house_words.homonyms,
    house_words.worn_words,
]
RULES_OF_TESTS: list[Rule] = [
    house_rules.relative_imports,
    house_shape.import_circles,
    house_shape.crowded_folders,
    house_shape.tests_that_import_tests,
    house_shape.marks_that_are_lost,
]


def by_name(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.fixture(scope="module")
def house() -> House:
    return House(PACKAGE)


@pytest.fixture(scope="module")
def tests() -> House:
    return House(Path(__file__).parent)


@pytest.mark.fault("D1", "P1")
@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_every_module_keeps_the_rule(rule: Rule, house: House) -> None:
    assert [each for each in rule(house) if place_of(each) not in unmended(rule)] == []


@pytest.mark.parametrize("rule", RULES_OF_TESTS, ids=by_name)
def test_every_test_keeps_the_rule(rule: Rule, tests: House) -> None:
    assert [each for each in rule(tests) if place_of(each) not in unmended(rule)] == []


def test_what_is_unmended_is_broken_still(house: House, tests: House) -> None:
    for name, places in house_shape.UNMENDED.items():
        rule: Rule = getattr(house_shape, name)
        broken = {place_of(each) for each in [*rule(house), *rule(tests)]}
        assert places <= broken, "these are mended: take them out of UNMENDED"


def place_of(violation: str) -> str:
    return violation.partition(":")[0]


def unmended(rule: Rule) -> set[str]:
    return house_shape.UNMENDED.get(rule.__name__, set())


def test_every_room_and_pure_modules_in_it_are_seen(house: House) -> None:
    assert {"greenroom.actors.mailbox", "greenroom.settings"} <= house.modules.keys()
    assert {module.floor for module in house.modules.values()} == {0, 1, 2, 3, 4}
    assert house.modules["greenroom.transport.protocol.wire"].pure
    assert not house.modules["greenroom.actors.mailbox"].pure


def test_every_excuse_is_still_needed(house: House) -> None:
    imports = [(module, each) for module in house.modules.values() for each in module.imports]
    used = {house_rules.excuse_for(module, each) for module, each in imports}
    assert used >= house_rules.EXCUSED.keys()


@pytest.mark.skipif(not (ROOT / "src").exists(), reason="these tests run beside a built package")
@pytest.mark.parametrize(
    ("name", "room"), [*((name, name) for name in ROOMS), ("demo", "examples")]
)
def test_rooms_stand_at_the_root_and_are_joined_by_symlinks(name: str, room: str) -> None:
    link = ROOT / "src" / "greenroom" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..", "..", room)


@pytest.mark.skipif(not (ROOT / ".ci").exists(), reason="these tests run beside a built package")
def test_every_test_that_continuous_integration_names_is_there() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    named = set(re.findall(r"\btests/[\w/.]*\w", script))
    assert len(named) > 15
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_page_of_the_documentation_is_reached_from_its_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if f"({page})" not in index} == {"index.md"}


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]
    assert sorted(numbers) == [f"{n:04}" for n in range(len(numbers))]


def test_every_page_is_in_plain_words() -> None:
    assert list(house_words.worn_words_on_pages(ROOT)) == []


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("README.md", "Who lags, gets less."),
        ("CHANGELOG.md", "- a client is told so"),
        ("docs/runs.md", "Each is\ngiven a number."),
        ("changes/names.fixed.md", "It does not stop, nor does it wait."),
        ("transport/page/index.html", "<p>Nobody is here.</p>"),
    ],
)
def test_a_worn_word_on_a_page_is_caught(page: str, text: str, tmp_path: Path) -> None:
    write(tmp_path / page, text)
    assert len(list(house_words.worn_words_on_pages(tmp_path))) == 1


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("docs/decisions/0009-who-lags.md", "Who lags gets the whole text."),
        ("docs/index.md", "- [Who lags gets the whole text](decisions/0009-who-lags.md)"),
        ("docs/actors.md", "`Probe`: `told`, `handled`; `test_nobody`"),
        ("docs/runs.md", "The connection is given up, `NOBODY_LISTENING`."),
    ],
)
def test_code_and_decisions_may_use_any_word(page: str, text: str, tmp_path: Path) -> None:
    write(tmp_path / page, text)
    assert list(house_words.worn_words_on_pages(tmp_path)) == []


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def plant(tmp_path: Path, **files: str) -> House:
    package = tmp_path / "greenroom"
    for name, text in files.items():
        write(package.joinpath(*name.split("__")).with_suffix(".py"), text)
    return House(package)


UP = [
    "from greenroom.transport.wire import decode",
    "import greenroom.transport.wire",
    "def late():\n    from greenroom.transport import wire",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import greenroom.transport.wire",
]


@pytest.mark.parametrize("text", UP)
def test_an_import_that_goes_up_is_caught_wherever_it_hides(text: str, tmp_path: Path) -> None:
    house = plant(tmp_path, actors__ref=text, transport__wire="")
    assert len(list(house_rules.imports_that_go_up(house))) == 1


def test_an_import_that_goes_down_or_stays_is_fine(tmp_path: Path) -> None:
    house = plant(
        tmp_path,
        actors__ref="import greenroom.actors.errors",
        actors__errors="",
        cli="from greenroom.actors.ref import Ref",
    )
    assert list(house_rules.imports_that_go_up(house)) == []


CIRCLES = [
    {"actors__a": "import greenroom.actors.b", "actors__b": "from greenroom.actors import a"},
    {
        "actors__a": "def f():\n    import greenroom.actors.b",
        "actors__b": "import greenroom.actors.a",
    },
    {
        "actors__a": "from greenroom.actors.b import B",
        "actors__b": "if typing.TYPE_CHECKING:\n    from greenroom.cli import run",
        "cli": "from greenroom.actors.a import A",
    },
]


@pytest.mark.parametrize("files", CIRCLES)
def test_files_that_import_each_other_are_caught_also_round_about(
    files: dict[str, str], tmp_path: Path
) -> None:
    house = plant(tmp_path, actors__of_all="import greenroom.actors.a", **files)
    (circle,) = house_shape.import_circles(house)
    assert circle.count("<->") == len(files) - 1


def test_every_circle_is_caught_and_a_way_round_that_does_not_close_is_fine(tmp_path: Path) -> None:
    ways = {f"actors__{a}": f"import greenroom.actors.{b}" for a, b in ["ab", "ba", "cd", "dc"]}
    house = plant(tmp_path, **ways, actors__e="import greenroom.actors.a, greenroom.actors.c")
    assert len(list(house_shape.import_circles(house))) == 2


def test_a_crowded_folder_is_caught_and_rooms_in_it_do_not_count(tmp_path: Path) -> None:
    fifteen = {f"actors__file_{number}": "" for number in range(15)}
    house = plant(tmp_path, **fifteen, actors__inner__file="")
    assert list(house_shape.crowded_folders(house)) == []
    (tmp_path / "greenroom" / "actors" / "__init__.py").touch()
    (violation,) = house_shape.crowded_folders(House(tmp_path / "greenroom"))
    assert violation.startswith("greenroom/actors: has 16 files")


@pytest.mark.parametrize(
    "text",
    [
        "from greenroom.actors.test_ref import helper",
        "import greenroom.actors.test_ref",
        "def f():\n    from greenroom.actors import test_ref",
    ],
)
def test_a_test_that_imports_a_test_is_caught(text: str, tmp_path: Path) -> None:
    house = plant(tmp_path, actors__test_ref="import greenroom.helper", actors__a=text, helper="")
    assert len(list(house_shape.tests_that_import_tests(house))) == 1


def test_a_mark_that_another_one_replaces_is_caught(tmp_path: Path) -> None:
    house = plant(tmp_path, test_a="pytestmark = first\npytestmark = second", test_b="")
    assert len(list(house_shape.marks_that_are_lost(house))) == 1


@pytest.mark.parametrize("text", ["from . import errors", "from .errors import Fault"])
def test_a_relative_import_is_caught(text: str, tmp_path: Path) -> None:
    house = plant(tmp_path, actors__ref=text, actors__errors="")
    assert len(list(house_rules.relative_imports(house))) == 1


IMPURE = [
    "import trio",
    "import os.path",
    "from time import monotonic",
    "from pathlib import Path",
    "def late():\n    import random",
    "from greenroom.actors.disk import helper",
    "from greenroom.actors.between import helper",
    "def save():\n    open('file')",
]


@pytest.mark.parametrize("text", IMPURE)
def test_a_pure_module_that_reaches_for_the_world_is_caught(text: str, tmp_path: Path) -> None:
    house = plant(
        tmp_path,
        actors__plan=f'"""A plan (pure)."""\n{text}\n',
        actors__between="from greenroom.actors.disk import helper",
        actors__disk="import socket",
    )
    assert len(list(house_rules.impurities(house))) == 1


def test_a_pure_module_may_import_pure_ones_and_what_only_types_need(tmp_path: Path) -> None:
    text = (
        "import math\nfrom greenroom.actors.table import rows\nfrom typing import TYPE_CHECKING\n"
    )
    house = plant(
        tmp_path,
        actors__plan=f'"""A plan (pure)."""\n{text}\nif TYPE_CHECKING:\n    import trio\n',
        actors__table="from greenroom.actors.plan import plan\nimport enum",
        actors__shell="import trio",
    )
    assert list(house_rules.impurities(house)) == []


LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 40
LONG_METHOD = "class C:\n    async def f():\n" + "        x = 1\n" * 40


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (house_shape.files_too_long, "x = 1\n" * 401),
        (house_shape.functions_too_long, LONG_FUNCTION),
        (house_shape.functions_too_long, LONG_METHOD),
        (house_shape.lambdas_that_carry_on, "reply.then(lambda result: self._kept(run, result))"),
        (house_rules.careless_handlers, "try:\n    f()\nexcept:\n    raise"),
        (house_rules.careless_handlers, "try:\n    f()\nexcept Exception:\n    pass"),
        (house_rules.escapes_of_their_own, "x = ''.join(c for c in 'a' if c.isprintable())"),
    ],
)
def test_what_is_too_long_or_careless_is_caught(rule: Rule, text: str, tmp_path: Path) -> None:
    assert len(list(rule(plant(tmp_path, actors__ref=text)))) == 1


@pytest.mark.fault("P1")
@pytest.mark.parametrize(
    "text",
    [
        "open(path, 'w')",
        "path.open(mode='ab')",
        "gzip.open(path, 'xt')",
        "path.write_text(text)",
        "trio.Path(path).write_bytes(data)",
        "shutil.copy(a, b)",
        "tempfile.mkdtemp()",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
    ],
)
def test_a_file_made_for_everybody_is_caught(text: str, tmp_path: Path) -> None:
    house = plant(tmp_path, delivery__notes=text, delivery__journal__private_files=text)
    assert len(list(house_rules.files_for_everybody(house))) == 1


@pytest.mark.parametrize("text", ["open(path)", "path.open('rb')", "data.copy()", "os.open(p, 0)"])
def test_a_file_that_is_only_read_is_fine(text: str, tmp_path: Path) -> None:
    assert list(house_rules.files_for_everybody(plant(tmp_path, delivery__notes=text))) == []


@pytest.mark.fault("D1")
@pytest.mark.parametrize("text", ["apsw.Connection(path)", "sqlite3.connect(path)"])
def test_a_database_that_is_opened_elsewhere_is_caught(text: str, tmp_path: Path) -> None:
    house = plant(tmp_path, delivery__notes=text, delivery__journal__sqlite__file=text)
    assert len(list(house_rules.databases_opened_elsewhere(house))) == 1


@pytest.mark.fault("W3", "W16")
@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (house_words.asserts_that_check, "assert x > 0, 'why'"),
        (house_words.asserts_that_check, "assert x is not None"),
        (house_words.asserts_that_check, "def f(x):\n    assert isinstance(x, int)"),
        (house_words.words_from_docstrings, "f'{type(x).__doc__} cannot come'"),
        (house_words.articles_before_placeholders, "f'it is a {kind}'"),
        (house_words.articles_before_placeholders, "f'An {kind} came'"),
        (house_words.articles_before_placeholders, "('no ' f'{x}' ' is a ' f'{kind}')"),
        (house_words.articles_before_percent_signs, "log('it is a %s', kind)"),
        (house_words.reprs_of_ids, "f'of {self._user!r}'"),
        (house_words.reprs_of_ids, "f'run {run!r} is over'"),
        (house_words.worn_words, '"""The caller is told."""'),
        (house_words.worn_words, "x = 1  # it starts anew"),
        (house_words.worn_words, "log(f'nobody answers at {url}')"),
        (house_words.worn_words, "def f():\n    '''What it is\n    given.'''"),
    ],
)
def test_a_check_that_can_be_taken_away_and_broken_grammar_are_caught(
    rule: Rule, text: str, tmp_path: Path
) -> None:
    assert len(list(rule(plant(tmp_path, actors__ref=text)))) == 1


def test_a_name_that_two_classes_share_is_caught(tmp_path: Path) -> None:
    house = plant(tmp_path, actors__a="class Due: ...", actors__b="class Due: ...\nclass Over: ...")
    (violation,) = house_words.homonyms(house)
    assert violation == "greenroom.actors.b:1: Due is also a class of greenroom.actors.a"


@pytest.mark.fault("W3", "W16")
def test_asserts_that_narrow_and_messages_of_plain_text_are_fine(tmp_path: Path) -> None:
    text = """
assert x is not None, "the caller looked"
assert isinstance(x, int), "it is typed so"
f"{a(kind)} is no plan {b!r}, user {str(user)!r} of {run}"
"""
    house = plant(tmp_path, actors__ref=text)
    for rule in RULES:
        assert list(rule(house)) == []


UNSAFE = [
    "def f(error: Exception) -> str:\n    return str(error)",
    "def f(error: BaseException | None) -> str:\n    return f'{error!r}'",
    "try:\n    g()\nexcept Exception as e:\n    logger.warning('no: %s', e)",
    "try:\n    g()\nexcept (OSError, BaseException) as e:\n    print(e)",
    "logger.info('left: %s', reason.error)",
    "words = f'because of {error.__cause__}'",
]
SAFE = [
    "def f(error: Exception) -> str:\n    return safe_str(error)",
    "def f(error: Exception) -> str:\n    return type(error).__name__ + f'{safe_repr(error)}'",
    "try:\n    g()\nexcept OSError as e:\n    print(e)",
    "logger.error('failed', exc_info=reason.error)",
    "def f(errors: list[Exception]) -> str:\n    return str(errors)",
]


@pytest.mark.fault("S3")
@pytest.mark.parametrize("text", UNSAFE)
def test_text_made_of_any_error_is_caught_where_it_may_raise(text: str, tmp_path: Path) -> None:
    assert len(list(house_rules.unsafe_words(plant(tmp_path, actors__ref=text)))) == 1


@pytest.mark.fault("S3")
@pytest.mark.parametrize("text", SAFE)
def test_safe_text_and_text_of_known_errors_is_fine(text: str, tmp_path: Path) -> None:
    assert list(house_rules.unsafe_words(plant(tmp_path, actors__ref=text))) == []


HALF = "try:\n    g()\nexcept Exception:\n    log()"


@pytest.mark.fault("D2")
@pytest.mark.parametrize(
    ("text", "caught"),
    [
        (HALF, 1),
        (f"{HALF}\n    raise", 0),
        (f"{HALF}\nexcept BaseException:\n    raise", 0),
        ("try:\n    g()\nexcept BaseException:\n    log()", 0),
        ("try:\n    g()\nexcept OSError:\n    log()", 0),
    ],
)
def test_a_guard_against_exceptions_only_is_caught(text: str, caught: int, tmp_path: Path) -> None:
    assert len(list(house_rules.half_guards(plant(tmp_path, actors__ref=text)))) == caught
    assert list(house_rules.half_guards(plant(tmp_path / "face", cli=text))) == []
