"""Events without WebSocket: one answer that goes on (SSE), and frames that come by POST.

The connection behind it is the one of a WebSocket. `event_socket` makes its frames the messages of
a stream; `streams` finds the stream that posted frames belong to; `tickets` are for browsers, whose
`EventSource` cannot send a token.
"""
