"""Floor 3: delivery. An agent's events reach its user in order, durably, and are accounted for.

The path of an event, from the agent's call to the user's screen and back:

1. `run/`: the agent calls an event method of its `Run`. The grammar refuses events that are out
   of order, the fields are checked, and the emitter makes a `Draft` (`events/draft.py`).
2. `user/`: the emitter asks the user actor, the single writer of the user's sequence, to accept
   the draft. Its messages are in `user/messages.py`; a table in `user/actor.py` maps each message
   to the method that handles it. It is a reactor: the dispatcher of the trio run
   (`actors/reactors/`) handles the messages of all users in shared turns.
3. `outbox/`: the pure heart. `Outbox` gives the draft its offset when a batch leaves for the
   journal, one batch in flight at a time.
4. `journal/`: in memory or in SQLite, whose thread commits the batches of a whole turn together
   (`commits/committer.py`), at a pace (`commits/pace.py`). Only durable events go on.
5. `user/` again: the emitter gets its `Receipt`, and the outbox decides which connections are
   handed which records. Each connection is a cursor over the log: a replay comes from the journal,
   the newest events from memory.
6. `transport/connection/`, a reactor too, writes the records to the socket without waiting, and
   reports how far the system has taken them.
7. The client acknowledges: `user/outcomes/reports.py` notes it, the session's cursor moves
   (`outbox/sessions.py`), and `outbox/redelivery.py` stops its clock. Without an acknowledgement
   the events are sent again, and in the end the connection is given up.
8. `user/outcomes/settling.py` gives each event its one outcome; events that no client received in
   time become dead letters (`dead_letters.py`).

A message of the user (`say`) takes steps 3 to 5 in one trip: `user/runs/says.py` has it appended on
the condition that its key is new (`Unsaid`), and a refused append tells which run had it. What was
in the same batch waits again.

Aside from this path: `events/` has the vocabulary (ids, kinds, records, policies), `history/` reads
past events, `upkeep/` checks, exports and migrates a journal, and `legacy/` reads the ids of older
systems.
"""
