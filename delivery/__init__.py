"""Floor 3: delivery. What an agent says reaches its user in order, durably, and is accounted for.

The way of an event, from the agent's call to the user's screen, and back:

1. `run/`: the agent calls an event method of its `Run`. The grammar refuses what comes out of
   order, the fields are checked, and the emitter makes a `Draft` of it (`events/draft.py`).
2. `user/`: the draft is asked of the user actor, the single writer of the user's sequence. Its
   messages are in `user/messages.py`; a table in `user/actor.py` says which method takes which.
3. `outbox/`: the pure heart. `Outbox` gives the draft its offset when a batch leaves for the
   journal, one batch in flight at a time.
4. `journal/`: the writer commits the batches of all users together (`journal/writer.py`); the
   journal is in memory or in SQLite. Only what is durable goes on.
5. `user/` again: the emitter gets its `Receipt`, and the outbox says which connections are handed
   which records. Each connection is a cursor over the log: a replay comes from the journal, the
   newest events from memory.
6. `transport/connection/` writes them to the socket, and reports what it wrote.
7. The client acknowledges: `user/reports.py` notes it, the session's cursor moves
   (`outbox/sessions.py`), and `outbox/redelivery.py` stops its clock. Without an acknowledgement
   it sends again, and gives the connection up in the end.
8. `user/settling.py` gives each event its one outcome; events that nobody received in time become
   dead letters (`dead_letters.py`).

Beside the way: `events/` has the words of the above (ids, kinds, records, policies), `history/`
reads what happened, `upkeep/` checks, exports and migrates a journal, `legacy/` reads the ids of
older systems.
"""
