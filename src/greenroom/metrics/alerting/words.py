"""What the rules of docs/alerts.yml say and advise, in its words (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ALERT_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "GreenroomDown": (
        "{{ $labels.instance }} cannot be scraped.",
        "Check that the process is alive. A server that drains closes its port first; if it "
        "does not end, its runs hang.",
    ),
    "GreenroomEventsUnreceived": (
        "Events are accepted on {{ $labels.instance }}, and no client receives any.",
        "Open the page as a user of your own: do events arrive and are they acknowledged? "
        "Look at greenroom_events_sent_total and at what was deployed last on the client's "
        "side.",
    ),
    "GreenroomEventsNotSent": (
        "Connections are ready on {{ $labels.instance }} and events are accepted, but none is"
        " sent.",
        "Compare the connected users with the users that agents speak to; look for a full "
        "mailbox or backlog, then restart the server: events are durable and will be sent.",
    ),
    "GreenroomDeliveryRateLow": (
        "Only {{ $value | humanizePercentage }} of accepted events on {{ $labels.instance }} "
        "are received.",
        "See whether users are away (greenroom_users_active against ready connections) or "
        "clients fail (close codes).",
    ),
    "GreenroomEventsLate": (
        "One in twenty critical events on {{ $labels.instance }} takes more than 30 s to be "
        "received.",
        "See greenroom_event_loop_lag_seconds and greenroom_backlog_events for a slow server,"
        " close codes for slow clients.",
    ),
    "GreenroomDeadLetters": (
        "{{ $value | humanize }} events on {{ $labels.instance }} were given up.",
        "A client was connected and did not receive them, or their policy is critical: look "
        "at `greenroom dead-letters list`. The runbook says how to requeue or drop them.",
    ),
    "GreenroomUsersDoNotReturn": (
        "{{ $value | humanizePercentage }} of critical events on {{ $labels.instance }} wait "
        "for users who do not come back.",
        "Does anything notify users that an event waits, and is `critical_seconds` longer "
        "than they stay away?",
    ),
    "GreenroomCriticalEventsExpired": (
        "{{ $value | humanize }} critical events on {{ $labels.instance }} expired before a "
        "client received them.",
        "Is the expiry too short for how long your users stay away?",
    ),
    "GreenroomRetriesHigh": (
        "One event in ten on {{ $labels.instance }} is sent again for want of an ack.",
        "Check the path to clients (close codes 1006 and 4101), and what the client does "
        "between an event and its ack.",
    ),
    "GreenroomBreakersOpen": (
        "Circuit breakers on {{ $labels.instance }} opened {{ $value | humanize }} times in "
        "ten minutes.",
        "Clients connect, acknowledge nothing, are closed after about 20 s and reconnect. "
        "Find what they have in common; close codes 4101 and 4103 say whether they send "
        "frames at all.",
    ),
    "GreenroomIsolationViolation": (
        "An event of one user was stopped on its way to another on {{ $labels.instance }}.",
        "No event got out. Report it with the log line and the crash report: this is a bug of"
        " greenroom.",
    ),
    "GreenroomIdMismatches": (
        "A {{ $labels.given }} id was used as a {{ $labels.expected }} id on {{ "
        "$labels.instance }}.",
        "Find the caller: the error it got names both kinds. For ids of an older system see "
        "`greenroom ids explain`.",
    ),
    "GreenroomLookupsFailing": (
        "Look-ups of a {{ $labels.wanted }} fail on {{ $labels.instance }}: {{ $value | "
        "humanize }} in ten minutes.",
        "session: was the journal replaced or trimmed? run, thread: does a client ask with "
        "ids it made up or kept too long?",
    ),
    "GreenroomUsersUnavailable": (
        "{{ $labels.instance }} cannot serve a user, or cannot read its journal.",
        "Look at the disk and at the log: the journal's own error is there.",
    ),
    "GreenroomJournalFailing": (
        "The journal of {{ $labels.instance }} refuses commits.",
        "Free disk space, check the file's permissions; emits raise until it works again.",
    ),
    "GreenroomJournalUnwritable": (
        "The journal of {{ $labels.instance }} cannot be written: the server is not ready.",
        "`/readyz` says why. Nothing is accepted until it is mended: free disk space, "
        "check the file's permissions, or the database.",
    ),
    "GreenroomJournalSlow": (
        "One commit in a hundred on {{ $labels.instance }} takes more than 250 ms.",
        "See what else writes to that disk. Every event waits for its commit.",
    ),
    "GreenroomEmitsRefused": (
        "{{ $value | humanize }} emits of agents on {{ $labels.instance }} were refused.",
        "journal: see GreenroomJournalFailing. unavailable: actors restart.",
    ),
    "GreenroomAgentsBreakGrammar": (
        "Agents on {{ $labels.instance }} emit events that their run's grammar or fields do "
        "not allow.",
        "A bug in an agent: the error it got names what is wrong.",
    ),
    "GreenroomRunsFailing": (
        "{{ $value | humanizePercentage }} of runs on {{ $labels.instance }} crash, time out "
        "or are lost.",
        "`greenroom crashes` shows the last crashes with what led to them.",
    ),
    "GreenroomRestartStorm": (
        "{{ $value | humanize }} restarts in five minutes on {{ $labels.instance }}.",
        "`greenroom crashes`: what do they have in common? A supervisor gives up after too "
        "many in a short time.",
    ),
    "GreenroomCrashLoop": (
        "What serves users on {{ $labels.instance }} crashed and was restarted "
        "{{ $value | humanize }} times in ten minutes.",
        "`greenroom crashes` shows what crashed and why; `greenroom why USER` says "
        "whether a user misses events for it.",
    ),
    "GreenroomSupervisorGaveUp": (
        "A supervisor on {{ $labels.instance }} used up its restarts.",
        "`greenroom crashes`: the chain of its last report has the crashes that led to this.",
    ),
    "GreenroomHeartbeatCloses": (
        "{{ $value | humanizePercentage }} of closes on {{ $labels.instance }} are missed "
        "heartbeats.",
        "A network or proxy that drops idle connections silently: is its time-out above "
        "`heartbeat`?",
    ),
    "GreenroomSlowClients": (
        "{{ $value | humanize }} clients on {{ $labels.instance }} were cut for being too slow.",
        "Do agents emit more than a client can show? See run.pressure. Otherwise check the "
        "clients' network.",
    ),
    "GreenroomForgedReports": (
        "Clients of {{ $labels.instance }} acknowledge events they were not sent.",
        "A broken client, or an attack: the log names the connections.",
    ),
    "GreenroomHandshakesRefused": (
        "{{ $value | humanizePercentage }} of upgrades on {{ $labels.instance }} are refused.",
        "By status: 401 tokens or keys, 403 origins, 429 and 503 load or drain.",
    ),
    "GreenroomHalfOpenFull": (
        "Sockets that never finish their upgrade fill {{ $labels.instance }}.",
        "A storm of connects, or an attack of idle sockets: limit them at the proxy.",
    ),
    "GreenroomKeysUnreadable": (
        "The JWKS file of {{ $labels.instance }} cannot be read: tokens signed with new keys "
        "are refused.",
        "The log names the file and what is wrong with it; the keys read before stay in use "
        "until it can be read.",
    ),
    "GreenroomEventLoopBlocked": (
        "The event loop of {{ $labels.instance }} is more than 250 ms late.",
        "Agent code that computes or blocks inside trio: move it to a thread. `measure_cpu` "
        "shows who.",
    ),
    "GreenroomMailboxDeep": (
        "A mailbox of {{ $labels.actor }} on {{ $labels.instance }} holds {{ $value }} messages.",
        "`greenroom tree` shows the actor and its last message.",
    ),
    "GreenroomBacklogHigh": (
        "Clients of {{ $labels.instance }} are {{ $value | humanize1024 }}B behind.",
        "Many slow clients, or one agent that floods: greenroom_events_accepted_total by kind.",
    ),
    "GreenroomDrainStuck": (
        "{{ $labels.instance }} drains for more than five minutes.",
        "Runs do not end: a second SIGTERM stops at once. Events are durable, runs end as lost.",
    ),
}
"""For each rule its summary and what to do."""
