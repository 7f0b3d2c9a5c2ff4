"""Front-end protocols of others: AG-UI, the AI SDK's message streams and Durable Streams.

`texts`, `questions` and `family` are the projection of a run that the protocols share; each
protocol's folder or file maps it to that protocol. The client in clients/js does the same on its
side of the connection: tests/protocol/vectors/projections keeps both in step.
"""
