"""The index of the contract: where each case of OTP's own test-suite is kept, or why it is not.

The tests of this folder name their sources: a page of the manual with its section or function,
Elixir's DynamicSupervisor or Registry, or, after "SUITE:", cases of stdlib's supervisor_SUITE (OTP
28, its all() and groups()), up to the full stop, with what is to be said of them in brackets.
"Beyond OTP" is said where no source knows of it, "Not here" where we do otherwise.

Since then a supervisor can be told to hibernate (`hibernate_after`: there is nothing like it in
Python), and to stop (`stop/1`, OTP 29): here only its parent stops it, or the end of its block.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

CASES = re.findall(
    r"\w+",
    """
sup_start_normal sup_start_ignore_init sup_start_ignore_child sup_start_ignore_temporary_child
sup_start_ignore_temporary_child_start_child sup_start_ignore_temporary_child_start_child_simple
sup_start_ignore_permanent_child_start_child_simple sup_start_error_return sup_start_fail
sup_start_child_returns_error sup_start_restart_child_returns_error
sup_start_child_returns_error_simple sup_start_map sup_start_map_simple sup_start_map_faulty_specs
sup_stop_infinity sup_stop_timeout sup_stop_timeout_dynamic sup_stop_brutal_kill
sup_stop_brutal_kill_dynamic sup_stop_race sup_stop_non_shutdown_exit_dynamic child_adm
child_adm_simple extra_return child_specs child_specs_map sup_flags multiple_restarts one_for_one
one_for_one_escalation one_for_all one_for_all_escalation one_for_all_other_child_fails_restart
simple_one_for_one simple_one_for_one_shutdown simple_one_for_one_extra
simple_one_for_one_escalation simple_one_for_one_corruption simple_one_for_one_restart_ignore
rest_for_one rest_for_one_escalation rest_for_one_other_child_fails_restart
external_start_no_progress_log permanent_normal transient_normal temporary_normal
permanent_shutdown transient_shutdown temporary_shutdown faulty_application_shutdown
permanent_abnormal transient_abnormal temporary_abnormal child_unlink tree
nonsignificant_temporary nonsignificant_transient significant_temporary significant_transient
significant_simple significant_bystander significant_escalation significant_upgrade_never_any
significant_upgrade_any_never significant_upgrade_never_all significant_upgrade_all_never
significant_upgrade_any_all significant_upgrade_all_any significant_upgrade_child count_children
count_children_supervisor count_restarting_children get_callback_module
do_not_save_start_parameters_for_temporary_children do_not_save_child_specs_for_temporary_children
simple_one_for_one_scale_many_temporary_children temporary_bystander simple_global_supervisor
hanging_restart_loop hanging_restart_loop_rest_for_one hanging_restart_loop_simple code_change
code_change_map code_change_simple code_change_simple_map order_of_children
scale_start_stop_many_children format_log_1 format_log_2 already_started_outside_supervisor
which_children which_children_simple_one_for_one
""",
)

ELSEWHERE = {
    "sup_start_fail": "supervisors are values, there is no init callback that could fail",
    "external_start_no_progress_log": "there are no progress reports; the tree shows who is up",
    "get_callback_module": "supervisors are values, there are no callback modules",
    "code_change_simple": "a dynamic supervisor takes a whole spec with every start_child",
    "code_change_simple_map": "a dynamic supervisor takes a whole spec with every start_child",
    "format_log_1": "crash reports have a form of their own: test_crash_report",
    "format_log_2": "crash reports have a form of their own: test_crash_report",
    "already_started_outside_supervisor": "a start function starts a task, never finds one",
    "scale_start_stop_many_children": "times are no test here; each call looks up one id",
    "simple_one_for_one_scale_many_temporary_children": "bench/supervision.py measures it",
}


SOURCES = re.compile(
    r"(supervisor|gen_server|application|app|systools|erlang)(\(\d\)|\.erl)|Reference Manual, \w+"
    r"|OTP Design Principles, |SASL, |DynamicSupervisor"
    r"|Elixir's Registry|SUITE: \w+|Beyond OTP: \w+"
)
NO_CONTRACT = {  # what greenroom adds: looking at trees and crashes, what carries it, refusals
    "test_census.py",
    "test_crash_report.py",
    "test_kept_bytes.py",
    "test_looking.py",
    "test_memory.py",
    "test_message_codec.py",
    "test_other_threads.py",
    "test_otp_contract.py",
    "test_reactor_child.py",
    "test_tree.py",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def claims_in(path: Path) -> Iterator[Function]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, Function) and node.name.startswith("test_"):
            yield node


def files() -> list[Path]:
    return sorted(Path(__file__).parents[1].rglob("test_*.py"))


@cache
def cited() -> set[str]:
    """The cases named after "SUITE:" in the docstrings of the tests of supervision."""
    docs = (ast.get_docstring(node) or "" for path in files() for node in claims_in(path))
    return {
        case.strip()
        for doc in docs
        for cases in re.findall(r"SUITE:([^.]*)", re.sub(r"\([^)]*\)", "", doc))
        for case in cases.split(",")
    }


@pytest.mark.requirement("R39")
@pytest.mark.parametrize("case", CASES)
def test_every_case_of_otps_suite_is_kept_by_a_test_or_has_a_reason_not_to_be(case: str) -> None:
    assert (case in cited()) != (case in ELSEWHERE)


@pytest.mark.requirement("R39")
def test_no_test_names_a_case_that_otps_suite_does_not_have() -> None:
    assert cited() - set(CASES) == set()


CONTRACT = [path for path in files() if path.name not in NO_CONTRACT]


@pytest.mark.requirement("R39")
@pytest.mark.parametrize("path", CONTRACT, ids=lambda path: path.name)
def test_every_test_of_the_contract_names_its_source(path: Path) -> None:
    docs = {node.name: ast.get_docstring(node) or "" for node in claims_in(path)}
    assert docs
    assert [name for name, doc in docs.items() if not SOURCES.search(doc)] == []
