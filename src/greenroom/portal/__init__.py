"""The runtime beside a host that is not trio: in a thread of its own, with a border between.

The way of a call, `await run.final_report(report=…)` on an asyncio loop:

1. The method of the face (`aio/run.py`) is `emitting(Run.final_report)`: the method of that name,
   with its signature and types, on the object in the trio thread. It makes a `Call`.
2. `Border.call` appends it to a deque, and wakes the trio thread unless that was done.
3. The trio thread takes all that waits in one go. Each call is a task there, in the context
   (contextvars) of its caller. An emit that waits for its reply alone needs none (`EmitCall`).
4. Its outcome is appended to the deque of the caller's `HostLoop`, which wakes the loop once for
   all that waits. The caller gets the value, or raises the error with the frames of both sides.

A task that is cancelled while it waits interrupts its call, and goes on when that has ended. A
thread (`blocking/`) waits in a queue instead.

A **run's block** is a task in the trio thread, too (`HeldBlock`), because trio's scopes are entered
and left in one task. If the run is cut, it has the host leave: it cancels the asyncio task, or cuts
the `Lane` of the run, whose calls then raise `RunInterrupted`. Other blocks are two calls
(`Visit`).

**Text** is written into a buffer on the host's side (`TextFacts`), and crosses as a whole
(`HostText`), before the run's next call.

What crosses the other way, such as agents on a loop, is a `Job` of the `HostLoop`.

Nothing here may end the trio run by an error of a callback, and the end of that run answers every
call that waits (`RuntimeThread`).
"""
