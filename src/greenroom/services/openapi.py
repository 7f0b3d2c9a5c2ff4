from __future__ import annotations


def openapi() -> bytes:
    return b"{}"
