"""greenroom.v1 without I/O (pure): frames, their codec, what their fields may hold, close codes.

`docs/protocol.md` has the words. To add a field to a client's frame, see `wire` and `frame_codec`.
"""
