"""Settings come from four places, and say everything that is wrong with them at once."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import attrs
import pytest

from greenroom.actors.errors import Fault
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import POLICIES
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.settings import BadSettings, Settings
from greenroom.settings.database_url import DATABASES
from greenroom.settings.table import settings_table

SECRET = "s" * 32
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems_of(**environ: str) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as caught:
        Settings.load(environ=environ)
    return caught.value.problems


def test_without_anything_given_the_defaults_hold() -> None:
    assert Settings.load(environ={}) == Settings()
    assert Settings().host == "127.0.0.1"
    assert Settings().backlog_bytes == 16 * 1024 * 1024


def test_a_later_source_wins_file_then_environment_then_override() -> None:
    Path("greenroom.toml").write_text('port = 1\nhost = "a"\nlog_level = "debug"\n')
    settings = Settings.load(environ={"GREENROOM_PORT": "2", "GREENROOM_HOST": "b"}, port=3)
    assert (settings.port, settings.host, settings.log_level) == (3, "b", "debug")


def test_a_named_file_is_read_in_place_of_the_one_lying_there(tmp_path: Path) -> None:
    Path("greenroom.toml").write_text("port = 1")
    Path("other.toml").write_text("port = 2")
    assert Settings.load(Path("other.toml"), environ={}).port == 2


TEXTS = {
    "port": "1",
    "worker_port": "1",
    "tier": "enterprise",
    "agent_seconds": "60",
    "heartbeat": "20",
    "accept_deadline": "11",
    "hello_deadline": "11",
    "admin_token": SECRET,
    "look_token": SECRET,
    "admin_anywhere": "yes",
    "api": "anywhere",
    "metrics_open": "yes",
    "measure_cpu": "1",
    "metrics": "off",
    "log_users": "on",
    "log_errors": "no",
    "secret": SECRET,
    "allow_origins": "https://a.example",
    "log_level": "debug",
    "redelivery_delay": "0.5",
    "critical_done": "displayed",
    "progress_done": "confirmed",
    "log_format": "json",
    "show_errors": "type",
    "dead_letter_level": "error",
    "role": "web",
}


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Settings)])
def test_every_setting_can_be_said_in_the_environment(name: str) -> None:
    settings = Settings.load(environ={f"GREENROOM_{name.upper()}": TEXTS.get(name, "70000")})
    assert getattr(settings, name) != getattr(Settings(), name)


def test_values_take_their_types_from_text_and_toml() -> None:
    Path("greenroom.toml").write_text('heartbeat = 5\nallow_origins = ["https://A.example"]')
    environ = {"GREENROOM_JOURNAL": "x.db", "GREENROOM_PORT": "0", "GREENROOM_IDLE_SECONDS": "2.5"}
    settings = Settings.load(environ=environ)
    assert isinstance(settings.heartbeat, float)
    assert settings.allow_origins == ("https://a.example",)
    assert (settings.journal, settings.port, settings.idle_seconds) == (Path("x.db"), 0, 2.5)


def test_origins_are_separated_by_commas_in_a_variable() -> None:
    environ = {"GREENROOM_ALLOW_ORIGINS": "https://a.example, http://b.example:8080"}
    expected = ("https://a.example", "http://b.example:8080")
    assert Settings.load(environ=environ).allow_origins == expected


def test_an_empty_variable_and_an_override_of_none_count_as_not_given() -> None:
    assert Settings.load(environ={"GREENROOM_PORT": ""}, host=None) == Settings()


def test_all_problems_of_all_sources_are_told_at_once_each_with_its_source() -> None:
    Path("greenroom.toml").write_text('port = "many"\nhearbeat = 3')
    with pytest.raises(BadSettings) as caught:
        Settings.load(environ={"GREENROOM_LOG_LEVEL": "loud"}, journal="")
    assert caught.value.problems == (
        "greenroom.toml: port: expected a whole number from 0 to 65535, got 'many'",
        "greenroom.toml: hearbeat: there is no such setting; did you mean heartbeat?",
        "GREENROOM_LOG_LEVEL: expected one of debug, info, warning, error, critical, got 'loud'",
        f"--journal: expected a file path in UTF-8, or {DATABASES}, got ''",
    )
    assert caught.value.fault is Fault.OPERATOR


def test_an_unknown_variable_is_named_with_the_closest_known_one() -> None:
    (problem,) = problems_of(GREENROOM_PROT="1")
    assert problem == "GREENROOM_PROT: there is no such setting; did you mean GREENROOM_PORT?"


def test_variables_of_others_are_none_of_our_business() -> None:
    assert Settings.load(environ={"PORT": "x", "GREENROOM_DEMO_PACE": "0"}) == Settings()


def test_what_kubernetes_puts_into_the_port_is_explained() -> None:
    (problem,) = problems_of(GREENROOM_PORT="tcp://10.0.0.1:8700")
    assert "enableServiceLinks: false" in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("port", True),
        ("port", 8700.0),
        ("host", " "),
        ("heartbeat", 0),
        ("heartbeat", float("inf")),
        ("heartbeat", float("nan")),
        ("heartbeat", True),
        ("journal", 3),
        ("log_format", "xml"),
        ("allow_origins", "https://a.example"),
        ("allow_origins", ["a.example"]),
        ("allow_origins", ["https://a.example/path"]),
        ("secret", "s" * 31),
        ("queued_runs", -1),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_wherever_it_comes_from(
    name: str, value: Any
) -> None:
    with pytest.raises(BadSettings, match=f"^{name}: expected "):
        Settings(**{name: value})
    with pytest.raises(BadSettings, match=f"^--{name.replace('_', '-')}: expected "):
        Settings.load(environ={}, **{name: value})


def test_a_secret_is_shown_neither_in_a_repr_nor_in_an_error() -> None:
    assert SECRET not in repr(Settings(secret=SECRET))
    with pytest.raises(BadSettings) as caught:
        Settings(secret="hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"port = ", "is not TOML"), (b"\xff", "is not UTF-8"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, said: str) -> None:
    if content is not None:
        Path("my.toml").write_bytes(content)
    with pytest.raises(BadSettings, match=rf"^my\.toml: {said}"):
        Settings.load(Path("my.toml"), environ={})


@pytest.mark.parametrize(
    "chosen", [{"secret": SECRET}, {"key_file": Path("k")}, {"jwks_file": Path("j")}]
)
def test_one_way_to_check_tokens_is_enough_to_serve(chosen: dict[str, Any]) -> None:
    Settings.load(environ={}, **chosen).require_auth()


def test_none_or_two_ways_to_check_tokens_are_refused_with_advice() -> None:
    with pytest.raises(BadSettings, match="none of them") as none:
        Settings().require_auth()
    assert "GREENROOM_SECRET" in none.value.advice
    with pytest.raises(BadSettings, match="secret and key_file are set"):
        Settings(secret=SECRET, key_file=Path("k")).require_auth()


def test_settings_are_frozen_and_documented_field_by_field() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]  # that is the test
    for field in attrs.fields(Settings):
        assert field.metadata["about"].endswith("."), field.name
    assert inspect.getdoc(Settings)


def test_the_documented_table_is_the_classs_own() -> None:
    assert settings_table() in (DOCS / "settings.md").read_text(encoding="utf-8")


def test_what_counts_as_delivered_and_when_it_is_sent_again_can_be_set() -> None:
    Path("greenroom.toml").write_text('critical_done = "confirmed"\nredelivery_attempts = 5')
    chosen = Settings.load(environ={"GREENROOM_PROGRESS_SECONDS": "9"})
    critical, progress = (chosen.policies[each] for each in EventClass)
    assert (critical.done, critical.dead_letter) == (ReceiptStage.CONFIRMED, True)
    assert (progress.expires_after, progress.dead_letter) == (9, False)
    assert (chosen.patience.attempts, chosen.patience.opens_at) == (5, 4)
    assert Settings().policies == POLICIES


def test_delays_of_redelivery_that_clash_are_named_with_their_sources() -> None:
    problems = problems_of(GREENROOM_REDELIVERY_DELAY="11")
    assert problems == (
        "GREENROOM_REDELIVERY_DELAY: 11.0 s exceeds the 10.0 s of redelivery_longest",
    )


@pytest.mark.requirement("R11")
def test_time_outs_that_clash_do_not_start_and_both_are_named_with_their_sources() -> None:
    Path("greenroom.toml").write_text("agent_seconds = 100")
    problems = problems_of(GREENROOM_CONNECTION_SECONDS="104")
    assert problems == (
        "greenroom.toml: agent_seconds: 100 s and 5 s of margin exceed the 104 s of "
        "GREENROOM_CONNECTION_SECONDS",
    )
    Path("greenroom.toml").unlink()
    (problem,) = problems_of(GREENROOM_CONNECTION_SECONDS="100")
    assert problem.startswith("agent_seconds (by default): 120 s and 5 s of margin exceed")
    (problem,) = problems_of(GREENROOM_TIER="enterprise", GREENROOM_AGENT_SECONDS="59")
    assert problem.startswith("GREENROOM_AGENT_SECONDS: 59 s is less than the 60 s of enterprise")
    with pytest.raises(BadSettings, match=r"^agent_seconds: 300 s .* of connection_seconds$"):
        Settings(agent_seconds=300)
