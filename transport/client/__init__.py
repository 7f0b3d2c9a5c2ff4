"""The reconnecting Python client: `client` is what programs use, `session` its pure core.

`line` keeps the session on a socket; `socket` and `handshake` open one; `causes` says what failed.
"""
