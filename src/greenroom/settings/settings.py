"""Settings: everything an operator can choose, each setting a checked field of one class."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import attrs

from greenroom.actors.text.wording import kind_of
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import DONE, LEVELS, POLICIES, Policies
from greenroom.delivery.journal.retention.cutoffs import Retention
from greenroom.delivery.outbox.redelivery import Patience
from greenroom.delivery.run.failures.error_words import ShowErrors
from greenroom.delivery.run.text_buffer import BUFFER_BYTES, PACE, TextPace
from greenroom.delivery.run.timeouts import Tier, Timeouts
from greenroom.delivery.user.parts import QUEUE_SECONDS
from greenroom.delivery.user.runs.run_queue import RUNS_AT_ONCE, RUNS_WAITING
from greenroom.settings import values as expected
from greenroom.settings.clashes import clashes, timeouts_of
from greenroom.settings.database_url import DatabaseUrl
from greenroom.settings.derived import KEYS, PATIENCE, patience_of, policies_of, require_one_key
from greenroom.settings.role import NodeRole
from greenroom.settings.sources import (
    BadSettings,
    GivenSetting,
    from_environment,
    from_keywords,
    from_toml,
    problem_of,
    raise_if_any,
)
from greenroom.settings.typed import FILE, JOURNAL, ORIGINS, as_file, as_journal, as_origins
from greenroom.settings.values import described, setting

MEMORY = ":memory:"
MIB = 1024 * 1024
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


@attrs.frozen(kw_only=True)
class Settings:
    """Everything an operator can choose. Durations are seconds unless the name says otherwise.

    Building one checks every field and raises `BadSettings` with all that is wrong.
    """

    host: str = setting("127.0.0.1", expected.text("an address or host name"), "Where to listen.")
    port: int = setting(8700, expected.whole(0, 65535), "Port to listen on; 0 takes a free one.")
    journal: Path | DatabaseUrl = attrs.field(
        default=Path("greenroom.db"),
        converter=as_journal,
        metadata=described(
            JOURNAL,
            f"Where events are kept: a file, a database, or `{MEMORY}` (gone with the process).",
        ),
    )
    secret: str | None = setting(
        None,
        expected.optional(expected.secret()),
        "Shared secret of HS256 tokens, 32 bytes or more.",
        show=False,
    )
    key_file: Path | None = attrs.field(
        default=None,
        converter=as_file,
        metadata=described(FILE, "PEM file with the public key of RS256 or ES256 tokens."),
    )
    jwks_file: Path | None = attrs.field(
        default=None,
        converter=as_file,
        metadata=described(FILE, "JWKS file (RFC 7517) with public keys of RS256 or ES256 tokens."),
    )
    audience: str | None = setting(
        None, expected.optional(expected.text()), "The `aud` a token must carry, if set."
    )
    issuer: str | None = setting(
        None, expected.optional(expected.text()), "The `iss` a token must carry, if set."
    )
    allow_origins: tuple[str, ...] = attrs.field(
        default=(),
        converter=as_origins,
        metadata=described(
            ORIGINS, "Web origins that may connect besides the server's own; `*` lets all in."
        ),
    )
    accept_deadline: float = setting(
        10.0, expected.seconds(), "From TCP connection to answered upgrade."
    )
    hello_deadline: float = setting(10.0, expected.seconds(), "From upgrade to `hello`.")
    heartbeat: float = setting(25.0, expected.seconds(), "Between two `ping` frames.")
    tier: str = setting(
        Tier.STANDARD.value,
        expected.one_of(*Tier),
        "The shortest run limit that users are promised: 40 s on standard, 60 s on enterprise.",
    )
    agent_seconds: float = setting(
        120.0, expected.seconds(), "Seconds that a run may take before it is cut."
    )
    connection_seconds: float = setting(
        300.0,
        expected.seconds(),
        "Seconds that a client waits for the end of a run: at least `agent_seconds` and 5 more.",
    )
    runs_per_user: int = setting(
        RUNS_AT_ONCE, expected.whole(1), "Runs of one user that may go on at once."
    )
    queued_runs: int = setting(
        RUNS_WAITING, expected.whole(0), "Runs of one user that may wait for their turn."
    )
    role: str = setting(
        NodeRole.ALL.value,
        expected.one_of(*NodeRole),
        "What this server does: `web` leaves runs to workers, `worker` has no users' connections.",
    )
    worker_port: int | None = setting(
        None,
        expected.optional(expected.whole(0, 65535)),
        "Port for a worker's `/livez`, `/readyz`, `/metrics` and `/admin/`; unset, it has none.",
    )
    concurrency: int = setting(32, expected.whole(1), "Runs that a worker has at once.")
    queue_seconds: float = setting(
        QUEUE_SECONDS, expected.seconds(), "Seconds that a run waits for a worker if there is none."
    )
    text_interval: float = setting(
        PACE.interval, expected.seconds(), "Seconds that streamed text waits for more of it."
    )
    text_bytes: int = setting(
        PACE.bytes,
        expected.whole(1, BUFFER_BYTES, unit=" bytes"),
        "Bytes of streamed text that leave without waiting any longer.",
    )
    max_frame_bytes: int = setting(
        65_536, expected.whole(1_024, unit=" bytes"), "Largest frame accepted from a client."
    )
    frames_per_second: float = setting(
        50.0, expected.number(0), "Frames a connection may send per second, on average."
    )
    frames_burst: int = setting(
        100, expected.whole(1), "Frames a connection may send at once before the average counts."
    )
    frames_per_user: int = setting(
        4, expected.whole(1), "Frames of all sockets of a user, in multiples of one socket's limit."
    )
    connections_per_user: int = setting(
        20, expected.whole(1), "Ready sockets of a user; as many more may be opening or closing."
    )
    max_half_open: int = setting(
        1_024, expected.whole(1), "TCP connections that may wait for their upgrade at a time."
    )
    idle_seconds: float = setting(
        60.0,
        expected.seconds(),
        "Seconds after which a user without a socket or a run is removed from memory.",
    )
    drain_seconds: float = setting(
        10.0, expected.seconds(), "Seconds that runs have to end when the server stops."
    )
    journal_wait: float | None = setting(
        None,
        expected.optional(expected.seconds()),
        "Seconds to wait for another process to close the journal; unset, none (`--wait`).",
    )
    commit_interval: float = setting(
        0.004,
        expected.pause(),
        "Seconds from one commit to the next, unless all users of the first emitted again.",
    )
    backlog_events: int = setting(
        10_000,
        expected.whole(1),
        "Events that may wait for one connection before it is closed as too slow (4103).",
    )
    backlog_bytes: int = setting(
        16 * MIB,
        expected.whole(65_536, unit=" bytes"),
        "Bytes that may wait for one connection before it is closed as too slow (4103).",
    )
    redelivery_delay: float = setting(
        PATIENCE.delays.first,
        expected.seconds(),
        "Seconds to wait for an acknowledgement before resending; doubled after each attempt.",
    )
    redelivery_longest: float = setting(
        PATIENCE.delays.limit,
        expected.seconds(),
        "The longest wait for an acknowledgement, after any number of attempts.",
    )
    redelivery_attempts: int = setting(
        PATIENCE.attempts,
        expected.whole(3),
        "Attempts to send an event before its connection is closed.",
    )
    critical_done: str = setting(
        str(POLICIES[EventClass.CRITICAL].done),
        expected.one_of(*map(str, DONE)),
        "The stage at which a critical event has been delivered.",
    )
    critical_seconds: float = setting(
        POLICIES[EventClass.CRITICAL].expires_after,
        expected.seconds(),
        "Seconds for a critical event to reach that stage before it is a dead letter.",
    )
    dead_letter_level: str = setting(
        POLICIES[EventClass.CRITICAL].level,
        expected.one_of(*LEVELS),
        "The level at which dead letters of users who were away are logged; those of users who "
        "were connected are critical.",
    )
    progress_done: str = setting(
        str(POLICIES[EventClass.PROGRESS].done),
        expected.one_of(*map(str, DONE)),
        "The stage at which a progress event has been delivered.",
    )
    progress_seconds: float = setting(
        POLICIES[EventClass.PROGRESS].expires_after,
        expected.seconds(),
        "Seconds for a progress event to reach that stage before it expires.",
    )
    keep_days: float | None = setting(
        None,
        expected.optional(expected.number(0, unit=" of days")),
        "Days that the journal keeps events which have their outcome; unset, for ever.",
    )
    keep_events: int | None = setting(
        None,
        expected.optional(expected.whole(1)),
        "Events that the journal keeps of each user, the newest ones; unset, all of them.",
    )
    progress_days: float | None = setting(
        None,
        expected.optional(expected.number(0, unit=" of days")),
        "Days that the journal keeps the content of progress events; unset, as that of others.",
    )
    progress_events: int | None = setting(
        None,
        expected.optional(expected.whole(1)),
        "Newest events of a user among which progress events keep their content; unset, all.",
    )
    session_days: float = setting(
        90.0,
        expected.number(0, unit=" of days"),
        "Days after which a session is forgotten that was not seen since and missed nothing.",
    )
    admin_token: str | None = setting(
        None,
        expected.optional(expected.secret()),
        "The token for `/observer` and `/admin/`, which show the server and act on users, runs and "
        "dead letters; with neither token set, there are no such paths.",
        show=False,
    )
    look_token: str | None = setting(
        None,
        expected.optional(expected.secret()),
        "A second token for `/admin/`, which may look and change nothing.",
        show=False,
    )
    admin_anywhere: bool = setting(
        False, expected.flag(), "Admit requests to `/admin/` from other machines, too."
    )
    api: str = setting(
        "local",
        expected.one_of("off", "local", "anywhere"),
        "Whether programs with a service token may use `/api/`: on this machine, or anywhere.",
    )
    api_runs: int = setting(1_000, expected.whole(1), "Open runs that one service may have.")
    api_rate: float = setting(
        500.0, expected.number(0), "Requests below `/api/` a second of one service, on average."
    )
    api_lease: float = setting(
        30.0,
        expected.seconds(),
        "Seconds without a request after which a run of another process is lost.",
    )
    url: str | None = setting(
        None,
        expected.optional(expected.text("a server's URL")),
        "The running server that commands ask; unset, the one at `port` on this machine.",
    )
    metrics: bool = setting(
        True, expected.flag(), "Count, and answer `/metrics` to requests with the admin token."
    )
    metrics_open: bool = setting(
        False,
        expected.flag(),
        "Answer `/metrics` without a token; to this machine only, unless `admin_anywhere` is set.",
    )
    measure_cpu: bool = setting(
        False, expected.flag(), "Show in the tree each actor's use of CPU (costs some 1 µs a step)."
    )
    log_level: str = setting(
        "info", expected.one_of(*LOG_LEVELS), "The lowest level that is logged."
    )
    log_users: bool = setting(
        False, expected.flag(), "Log ids of users; otherwise a pseudonym, the same for each user."
    )
    log_errors: bool = setting(
        True,
        expected.flag(),
        "Log the messages of errors that agents raise. They may hold what users say.",
    )
    show_errors: str = setting(
        ShowErrors.REFERENCE.value,
        expected.one_of(*ShowErrors),
        "What users read of errors that agents raise: a sentence and a reference, the error's type "
        "as well, or its text.",
    )
    log_format: str = setting(
        "console", expected.one_of("console", "json"), "Logs for people or for machines."
    )

    def __attrs_post_init__(self) -> None:
        given, fields = attrs.asdict(self, recurse=False), attrs.fields_dict(Settings)
        raise_if_any(
            problem_of(GivenSetting(name, name, value), fields) for name, value in given.items()
        )
        raise_if_any(clashes(given, {}, _defaults(fields)))

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        environ: Mapping[str, str] = os.environ,
        **overrides: object,
    ) -> Settings:
        """Settings from `path` (or `greenroom.toml` if there is one), environment and overrides.

        A later source wins. An empty variable and an override of None count as not set.
        Raises `BadSettings` with every problem of every source.
        """
        fields = attrs.fields_dict(cls)
        given = [
            *from_toml(path),
            *from_environment(environ, fields),
            *from_keywords(overrides),
        ]
        raise_if_any(problem_of(each, fields) for each in given)
        chosen = {each.name: each.value for each in given}
        sources = {each.name: each.source for each in given}
        raise_if_any(clashes(chosen, sources, _defaults(fields)))
        return cls(**chosen)  # type: ignore[arg-type]  # checked

    @classmethod
    def checked(cls, given: object) -> Settings:
        """`given`, if it is a `Settings`. Raises `BadSettings` for anything else."""
        if isinstance(given, cls):
            return given
        problem = f"settings must be a greenroom.Settings, not {kind_of(given)}"
        raise BadSettings([problem], advice="make them with `greenroom.Settings(port=8700, …)`")

    @property
    def in_memory(self) -> bool:
        """True when the journal is not to touch the disk."""
        return str(self.journal) == MEMORY

    @property
    def timeouts(self) -> Timeouts:
        """The hierarchy of time-outs."""
        return timeouts_of(attrs.asdict(self, recurse=False))

    @property
    def text_pace(self) -> TextPace:
        """When streamed text leaves."""
        return TextPace(self.text_interval, self.text_bytes)

    @property
    def patience(self) -> Patience:
        """When unacknowledged events are sent again, and when their connection is closed."""
        return patience_of(self.redelivery_delay, self.redelivery_longest, self.redelivery_attempts)

    @property
    def retention(self) -> Retention:
        """How long the journal keeps events and sessions."""
        return Retention(
            self.keep_days,
            self.keep_events,
            self.session_days,
            self.progress_days,
            self.progress_events,
        )

    @property
    def policies(self) -> Policies:
        """For each class of events, the stage that counts as delivered and the time to reach it."""
        return policies_of(
            (self.critical_done, self.critical_seconds),
            (self.progress_done, self.progress_seconds),
            self.dead_letter_level,
        )

    def require_auth(self) -> None:
        """Raise `BadSettings` unless exactly one way to check tokens is chosen."""
        require_one_key([name for name in KEYS if getattr(self, name) is not None])


def _defaults(fields: Mapping[str, attrs.Attribute[object]]) -> dict[str, object]:
    return {name: field.default for name, field in fields.items()}
