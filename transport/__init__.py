"""Transport: the wire, the server with its front door and connections, and the Python client.

`protocol/` is pure and knows no socket; `door/` and `auth/` let a client in; `connection/` serves
it; `client/` is the other end. Imports go down to `delivery`, `supervisor` and `actors`.
"""
