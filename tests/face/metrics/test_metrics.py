"""`/metrics` of a real server: every number moves when its thing happens, and none tells a name."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
import trio

from greenroom import BadId
from greenroom.delivery.errors import JournalFull
from greenroom.delivery.events.ids import IdSource, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.metrics.counts import MOST_SERIES, Metrics
from greenroom.metrics.gauges import watching_lag
from greenroom.metrics.table import METRICS, metrics_table
from greenroom.settings import Settings
from tests.face.http_get import get
from tests.face.metrics.scrape import Scrape, parsed
from tests.protocol.client import Client, refusal
from tests.protocol.server import ADMIN, Server, serving, token_for

DOCS = Path(__file__).parents[3] / "docs"
IDS = IdSource()
closed_serving = partial(serving, metrics_open=False)

pytestmark = [pytest.mark.requirement("R10"), pytest.mark.requirement("R02")]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def scrape(server: Server) -> Scrape:
    return Scrape(server)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port, token_for("alice")) as client:
        client.hello()
        yield client


def test_an_event_is_counted_at_each_stage_with_the_time_it_took(
    client: Client, scrape: Scrape
) -> None:
    assert scrape.value("events_accepted_total") == 0
    events = client.story({"think": 3})
    assert scrape.value("events_accepted_total", "agent_thinking", "progress") == 3
    assert scrape.value("events_accepted_total", "critical") == 3
    scrape.wait("events_sent_total", "false", at_least=6)
    assert scrape.value("sent_bytes_total", "false") > 600
    assert scrape.value("events_received_total") == 0
    last = events[-1]["offset"]
    client.send("ack", offset=last)
    scrape.wait("events_received_total", at_least=6)
    assert scrape.value("event_received_seconds_count", "progress") == 3
    client.send("displayed", offsets=[last])
    client.send("confirm", offset=last, verdict="good")
    scrape.wait("events_displayed_total", "agent_completed")
    scrape.wait("events_confirmed_total", "agent_completed")
    assert scrape.value("event_confirmed_seconds_count", "critical") == 1


def test_a_forged_report_is_counted(client: Client, scrape: Scrape) -> None:
    client.send("ack", offset=99)
    client.send("displayed", offsets=[99])
    client.send("confirm", offset=99)
    for stage in ("received", "displayed", "confirmed"):
        scrape.wait("reports_refused_total", stage)


def test_a_replay_is_counted_apart_and_what_was_received_counts_once(
    server: Server, client: Client, scrape: Scrape
) -> None:
    last = client.story()[-1]["offset"]
    client.send("ack", offset=last)
    scrape.wait("events_received_total", at_least=3)
    epoch = server.runtime.journal.epoch
    with Client(server.port, token_for("alice")) as again:
        again.hello(offset=0, epoch=epoch)
        again.send("ack", offset=again.events()[-1]["offset"])
        scrape.wait("events_sent_total", "true", at_least=3)
        again.story("bye")
    assert scrape.value("events_received_total") == 3


def test_runs_are_counted_by_how_they_end(client: Client, scrape: Scrape) -> None:
    client.story()
    scrape.wait("runs_ended_total", "ok")
    client.ask("say", id="crash", body="crash")
    scrape.wait("runs_ended_total", "crash")
    run = client.ask("say", id="wait", body="wait")["run"]
    scrape.wait("runs_live")
    client.ask("cancel", id="stop", run=run)
    scrape.wait("runs_ended_total", "cancelled")
    assert scrape.value("runs_live") == 0
    assert scrape.value("run_seconds_count") == 3
    assert scrape.value("crashes_total", "crash") == 1


def test_connections_are_counted_by_phase_while_they_live_and_by_code_when_they_end(
    server: Server, scrape: Scrape
) -> None:
    with Client(server.port, token_for("alice")) as client:
        client.hello()
        assert scrape.value("connections", "ready") == 1
        assert scrape.value("connections_opened_total") == 1
        assert scrape.value("connection_ready_seconds_count") == 1
        assert scrape.value("actors", "ConnectionActor") == 1
        assert scrape.value("users_active") == 1
        client.send("hello")
        scrape.wait("connections_closed_total", "4502", "server")
    assert scrape.value("connections", "ready") == 0
    assert scrape.value("frames_refused_total") == 0  # a second hello is a frame, out of place
    with Client(server.port, token_for("alice")) as client:
        client.hello()
    scrape.wait("connections_closed_total", "1000", "client")


def test_a_connection_that_says_no_hello_is_counted_by_its_code() -> None:
    with serving(hello_deadline=0.1) as hasty, Client(hasty.port, token_for("alice")):
        Scrape(hasty).wait("connections_closed_total", "4102", "server")


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\x83\x80\0\0\0\0", "1002"), (b"\x81\x81\0\0\0\0\xff", "1007")],
    ids=["an unknown opcode", "no UTF-8"],
)
def test_a_close_that_the_websocket_layer_begins_is_counted_as_the_servers(
    server: Server, scrape: Scrape, frame: bytes, code: str
) -> None:
    with Client(server.port, token_for("alice")) as client:
        client.hello()
        client.connection.socket.sendall(frame)
        scrape.wait("connections_closed_total", code, "server")


def test_frames_that_break_the_protocol_are_counted_by_code(client: Client, scrape: Scrape) -> None:
    client.send("no such thing")
    scrape.wait("frames_refused_total", "4502")


def test_handshakes_that_are_refused_are_counted_by_status(server: Server, scrape: Scrape) -> None:
    assert refusal(server.port, None)[0] == 401
    assert refusal(server.port, token_for("alice", secret="x" * 40))[0] == 401
    assert scrape.value("handshakes_refused_total", "401") == 2
    assert get(server, "/nowhere", None)[0] == 404
    assert scrape.value("handshakes_refused_total") == 2


def test_peers_that_dawdle_and_those_that_are_pushed_out_are_counted_apart() -> None:
    with serving(accept_deadline=0.2, max_half_open=1) as server:
        scrape = Scrape(server)
        assert scrape.value("half_open_limit") == 1
        with socket.create_connection(("127.0.0.1", server.port)):
            scrape.wait("handshakes_dropped_total", "too_late")
        with serving(max_half_open=1) as narrow:
            first = Scrape(narrow)
            with (
                socket.create_connection(("127.0.0.1", narrow.port)),
                socket.create_connection(("127.0.0.1", narrow.port)),
            ):
                first.wait("handshakes_dropped_total", "crowded_out")


@pytest.mark.requirement("R21")
@pytest.mark.requirement("R01")
def test_ids_of_the_wrong_kind_are_counted_wherever_they_come_from(
    server: Server, client: Client, scrape: Scrape
) -> None:
    run = IDS.new(RunId)
    client.ask("history", id="h", thread=run, limit=1)
    scrape.wait("id_mismatches_total", "thread", "run")
    assert refusal(server.port, token_for(run))[0] == 401
    scrape.wait("id_mismatches_total", "user", "run")
    with pytest.raises(BadId):
        server.run_sync(lambda: server.runtime.run(user=run))
    scrape.wait("id_mismatches_total", "user", "run", at_least=2)


@pytest.mark.requirement("R21")
def test_look_ups_of_what_is_not_there_are_counted(
    server: Server, client: Client, scrape: Scrape
) -> None:
    client.ask("history", id="h", thread=IDS.new(ThreadId), limit=1)
    scrape.wait("lookups_failed_total", "thread")
    client.ask("cancel", id="c", run=IDS.new(RunId))
    scrape.wait("lookups_failed_total", "run")
    assert scrape.value("requests_refused_total", "cancel", "4502") == 1
    with Client(server.port, token_for("alice")) as stranger:
        stranger.hello(session=IDS.new(SessionId))
        scrape.wait("lookups_failed_total", "session")
    assert scrape.value("journal_lookup_seconds_count") >= 2


def test_a_token_refused_in_band_is_counted(client: Client, scrape: Scrape) -> None:
    client.ask("refresh", id="r", token="nonsense")
    scrape.wait("requests_refused_total", "refresh", "4500")


class FullDisk(MemoryJournal):
    full = False

    def keep(self, entries: Sequence[Entry]) -> None:
        if self.full and entries:
            raise JournalFull("no room")
        super().keep(entries)


def test_what_the_journal_does_is_counted_and_what_it_refuses_too() -> None:
    disk = FullDisk()
    with serving(on=disk) as server, Client(server.port, token_for("alice")) as client:
        scrape = Scrape(server)
        client.hello()
        client.story()
        assert scrape.value("journal_append_seconds_count") >= 1
        assert scrape.value("journal_append_entries_sum") >= 3
        assert scrape.value("journal_appended_bytes_total") > 300
        assert scrape.value("journal_bytes") > 300
        disk.full = True
        client.send("say", id="two", body="hello")
        scrape.wait("journal_appends_failed_total", "JournalFull")
        scrape.wait("requests_refused_total", "say", "4105")
        disk.full = False


def test_emits_that_raise_are_counted_by_reason(server: Server, scrape: Scrape) -> None:
    async def misuse() -> None:
        async with server.runtime.run(user="alice", agent="a") as run:
            with pytest.raises(Exception, match="must be JSON"):
                await run.final_report(report=object())  # type: ignore[arg-type]  # the test
            await run.agent_completed()
            with pytest.raises(Exception, match="end"):
                await run.agent_thinking(text="too late")

    server.run(misuse)
    assert scrape.value("emits_refused_total", "bad_event") == 1
    assert scrape.value("emits_refused_total", "out_of_order") == 1


def test_restarts_are_counted(server: Server, scrape: Scrape) -> None:
    assert scrape.value("restarts_total") == 0
    server.run(_crash_alices_actor, server)
    scrape.wait("restarts_total")
    scrape.wait("crashes_total", "crash")


async def _crash_alices_actor(server: Server) -> None:
    async with server.runtime.users.lease(UserId("alice")) as user:
        user.actor.tell_owed("no message of its")  # type: ignore[arg-type]  # so it crashes


async def test_a_late_timer_tells_how_late(autojump_clock: trio.abc.Clock) -> None:
    lags: list[float] = []
    with watching_lag(lags.append):
        await trio.sleep(3.5)
    assert lags == [0.0, 0.0, 0.0]


def test_what_only_redelivery_can_cause_is_ready_to_be_counted() -> None:
    metrics = Metrics()
    metrics.retried(Kind.FINAL_REPORT)
    metrics.expired(Kind.AGENT_THINKING, 2)
    metrics.dead_lettered(Kind.FINAL_REPORT, "warning")
    metrics.superseded(5)
    metrics.breaker_moved(None, "closed")
    metrics.breaker_moved("closed", "open")
    metrics.breaker_moved("open", None)
    samples = parsed(metrics.expose("application/openmetrics-text")[0].decode())
    report = ("critical", "final_report")
    assert samples["greenroom_event_retries_total"][report] == 1
    assert samples["greenroom_events_dead_lettered_total"][(*report, "warning")] == 1
    assert sum(samples["greenroom_events_expired_total"].values()) == 2
    assert samples["greenroom_events_superseded_total"] == {(): 5}
    assert sum(samples["greenroom_breakers"].values()) == 0
    assert samples["greenroom_breaker_moves_total"][("open",)] == 1


# Who may look, and what the text is like


FOREIGN = [
    {"Host": "greenroom.example"},  # DNS rebinding, or a proxy that keeps the name
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example:8700"},
    {"Via": "1.1 proxy"},
    {"Forwarded": "for=10.0.0.1"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Proto": "https"},
    {"X-Real-Ip": "127.0.0.1"},
    {"CF-Connecting-IP": "10.0.0.1"},
]


@pytest.mark.fault("P6")
@pytest.mark.parametrize("anywhere", [False, True])
def test_unless_it_is_asked_for_metrics_are_closed(anywhere: bool) -> None:
    """Also to this machine: a proxy that says nothing looks like it."""
    with closed_serving(admin_anywhere=anywhere) as server:
        for headers in ({}, {"Host": "127.0.0.1"}, *FOREIGN):
            status, body, _ = get(server, "/metrics", None, **headers)
            assert (status, b"metrics_open" in body) == (403, True)


@pytest.mark.fault("P6")
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_an_explicit_setting_opens_them_to_this_machine_and_another_to_all(
    headers: dict[str, str],
) -> None:
    with closed_serving(metrics_open=True) as server:
        for host in ("localhost", "LOCALHOST:8700", "127.0.0.1:8700", "[::1]", "[::1]:8700"):
            assert get(server, "/metrics", None, Host=host)[0] == 200
        assert get(server, "/metrics", None, **headers)[0] == 403
    with closed_serving(metrics_open=True, admin_anywhere=True) as server:
        assert get(server, "/metrics", None, **headers)[0] == 200


@pytest.mark.fault("P6")
@pytest.mark.parametrize("path", ["/metrics", "/admin/tree"])
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_with_the_token_too_other_machines_and_hosts_need_leave(
    path: str, headers: dict[str, str]
) -> None:
    with closed_serving(admin_token=ADMIN) as server:
        assert get(server, path, ADMIN)[0] == 200
        assert get(server, path, ADMIN, **headers)[0] == 403


def test_with_an_admin_token_it_is_needed() -> None:
    with closed_serving(admin_token=ADMIN, admin_anywhere=True) as server:
        assert get(server, "/metrics", None)[0] == 401
        assert get(server, "/metrics", token_for("alice"))[0] == 401
        assert get(server, "/metrics", ADMIN, **{"X-Forwarded-For": "10.0.0.1"})[0] == 200


def test_switched_off_there_is_no_such_place_and_nothing_counts() -> None:
    with closed_serving(metrics=False) as server:
        assert get(server, "/metrics", None)[:2] == get(server, "/nowhere", None)[:2]
        assert server.runtime.metrics is None


def test_who_asks_for_openmetrics_gets_it_and_others_get_prometheus_text(server: Server) -> None:
    _, body, headers = get(server, "/metrics", None)
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"greenroom_build_info" in body
    accept = {"Accept": "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"}
    _, body, headers = get(server, "/metrics", None, **accept)
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_no_label_names_a_user_a_run_or_a_connection(client: Client, server: Server) -> None:
    run = client.story("everything")[-1]["run"]
    body = get(server, "/metrics", None)[1].decode()
    assert "alice" not in body
    assert run not in body
    assert not re.search(r"(run|conn|sess|thread|evt|req|call)_[0-9a-z]{26}", body)


@pytest.mark.fault("P2")
def test_ids_of_every_length_are_one_series(server: Server, scrape: Scrape) -> None:
    for length in range(256, 266):
        assert refusal(server.port, token_for("x" * length))[0] == 401
    assert scrape.value("id_mismatches_total", "user", "a long string") == 10


def test_labels_that_never_end_stop_at_a_bound() -> None:
    metrics = Metrics()
    for number in range(10 * MOST_SERIES):
        metrics.id_mismatch("run", f"given {number}")
    samples = parsed(metrics.expose("application/openmetrics-text")[0].decode())
    mismatches = samples["greenroom_id_mismatches_total"]
    assert len(mismatches) == MOST_SERIES + 1
    assert sum(mismatches.values()) == 10 * MOST_SERIES


def test_no_append_is_missed_while_another_thread_scrapes() -> None:
    """A registry of an embedding service may have a thread of its own."""
    metrics, appends = Metrics(), 20_000
    done = Event()

    def scrape() -> None:
        while not done.is_set():
            metrics.expose()

    thread = Thread(target=scrape)
    thread.start()
    for _ in range(appends):
        metrics.appended(0.001, 2, 30)
    done.set()
    thread.join()
    samples = parsed(metrics.expose("application/openmetrics-text")[0].decode())
    assert sum(samples["greenroom_journal_append_seconds_count"].values()) == appends
    assert sum(samples["greenroom_journal_append_entries_sum"].values()) == 2 * appends
    assert sum(samples["greenroom_journal_appended_bytes_total"].values()) == 30 * appends


def test_two_runtimes_in_one_process_count_apart() -> None:
    with serving() as one, serving() as other, Client(one.port, token_for("alice")) as client:
        client.hello()
        assert Scrape(one).value("connections_opened_total") == 1
        assert Scrape(other).value("connections_opened_total") == 0


def test_names_are_as_prometheus_wants_them() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS), "each name once"
    for metric in METRICS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name), metric.name
        assert not metric.name.endswith("_total"), metric.name
        assert metric.about.endswith("."), metric.name
        assert all(len(labels) == len(metric.labels) for labels in metric.known), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name
        assert not re.search(r"millis|_ms|minutes|kib", metric.name), metric.name
        assert not {"user", "session", "run", "thread", "connection"} & set(metric.labels)


def test_the_documented_table_is_the_exporters_own() -> None:
    assert metrics_table() in (DOCS / "metrics.md").read_text(encoding="utf-8")


def test_metrics_are_on_unless_switched_off_and_closed_unless_opened() -> None:
    assert Settings().metrics
    assert not Settings().metrics_open
