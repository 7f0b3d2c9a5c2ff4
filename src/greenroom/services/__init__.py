"""Other processes: programs with a service token speak to users by HTTP, as `Run` does in Python.

`door` has the routes and `openapi` their description; `desk` begins runs and finds them;
`held_run` holds one run for the program that speaks in it, and `entries` says what each of its
requests does. `greenroom.remote` is the client.
"""
