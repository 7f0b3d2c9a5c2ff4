"""The pytest plugin tells which promise is kept by which test, and only where it is wanted."""

from __future__ import annotations

import pytest

PROMISES = """
| row | promise |
|---|---|
| R01 | Tea is hot. |
| R02 | Milk is cold. |
| R03 | Sugar is sweet. |
"""

TESTS = """
import pytest

@pytest.mark.requirement("R01")
@pytest.mark.parametrize("cup", [1, 2])
def test_the_tea(cup): assert False, "it runs"

@pytest.mark.requirement("R01", "R03")
def test_the_tray(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nrequirements_file = promises.md\naddopts = --strict-markers")
    pytester.path.joinpath("promises.md").write_text(PROMISES)
    pytester.makepyfile(test_tea=TESTS)
    return pytester


def test_promises_without_a_test_come_first_then_those_with_theirs_once(
    project: pytest.Pytester,
) -> None:
    result = project.runpytest("--requirements")
    result.stdout.fnmatch_lines(
        [
            "1 of 3 promises have no test yet",
            "  R02 Milk is cold.",
            "2 promises have tests",
            "  R01 Tea is hot.",
            "      test_tea.py::test_the_tea",
            "      test_tea.py::test_the_tray",
            "  R03 Sugar is sweet.",
            "      test_tea.py::test_the_tray",
        ],
        consecutive=True,
    )


def test_the_report_stands_in_place_of_a_run(project: pytest.Pytester) -> None:
    result = project.runpytest("--requirements")
    assert result.ret == 0
    result.assert_outcomes()


def test_a_row_without_a_test_can_be_made_to_fail(project: pytest.Pytester) -> None:
    assert project.runpytest("--requirements", "--every-row").ret == pytest.ExitCode.TESTS_FAILED
    milk = "import pytest\n@pytest.mark.requirement('R02')\ndef test_milk(): pass"
    project.makepyfile(test_milk=milk)
    assert project.runpytest("--requirements", "--every-row").ret == 0


def test_without_the_option_tests_run_as_ever(project: pytest.Pytester) -> None:
    result = project.runpytest()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.no_fnmatch_line("*promises*have*")


@pytest.mark.parametrize(
    ("ids", "said"),
    [('"R09"', "is marked 'R09', which promises.md lacks"), ("", "without an id")],
)
def test_a_mark_that_names_no_promise_fails_the_collection_naming_the_test(
    ids: str, said: str, project: pytest.Pytester
) -> None:
    project.makepyfile(
        test_cake=f"import pytest\n@pytest.mark.requirement({ids})\ndef test_cake(): pass"
    )
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_cake.py::test_cake*{said}*"])


@pytest.mark.parametrize(("text", "said"), [("", "has no rows"), (None, "No such file")])
def test_a_file_without_promises_is_refused(
    text: str | None, said: str, project: pytest.Pytester
) -> None:
    path = project.path / "promises.md"
    path.unlink() if text is None else path.write_text(text)
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*requirements_file*{said}*"])


def test_a_project_that_names_no_promises_sees_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_own(): pass")
    result = pytester.runpytest("--markers")
    result.stdout.no_fnmatch_line("*requirement*")
    assert pytester.runpytest("--requirements").ret == pytest.ExitCode.USAGE_ERROR


def test_pytest_in_another_project_does_not_import_greenroom(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\ndef test_own(): assert 'greenroom' not in sys.modules"  # nor what it imports
    )
    assert pytester.runpytest_subprocess().ret == 0


def test_faults_have_a_table_a_marker_and_a_report_of_their_own(project: pytest.Pytester) -> None:
    project.makeini(
        "[pytest]\nrequirements_file = promises.md\nfaults_file = faults.md\n"
        "addopts = --strict-markers"
    )
    project.path.joinpath("faults.md").write_text("| D1 | Tea was lost. |\n| D2 | Spilled. |\n")
    project.makepyfile(
        test_cup="import pytest\n@pytest.mark.fault('D2')\ndef test_cup(): assert False"
    )
    result = project.runpytest("--faults")
    result.stdout.fnmatch_lines(
        [
            "1 of 2 faults have no test yet",
            "  D1 Tea was lost.",
            "1 faults have tests",
            "  D2 Spilled.",
            "      test_cup.py::test_cup",
        ],
        consecutive=True,
    )
    assert result.ret == 0
