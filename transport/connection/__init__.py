"""One client's connection on the server: a supervised child and its actor.

`child` starts it; `actor` gets messages, steps the pure machine in `machine/` and performs its
commands; `socket/` is the WebSocket with its limits; `requests` and `attachment` ask the user
actor.
"""
