"""The front door: an HTTP request becomes a page, an answer of the operator's, or a WebSocket.

`front_door` routes and proves the user; `upgrade` checks the opening handshake and the origin;
`half_open` and `unready` bound the sockets that have not proven themselves yet.
"""
