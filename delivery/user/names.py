"""The names of a user's parts of the tree (pure).

Characters that could end a name, in a path of the tree or in a sentence of the log, are
percent-encoded (RFC 3986 §2.1). So a path splits into its real parts, and the end of a user's id is
recognizable in logs.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from greenroom.delivery.events.ids import UserId

QUOTED = r"[\w.@|+~!$&*=%-]+"
"""A regular expression that matches the results of `quoted`."""

_TO_QUOTE = re.compile(r"[^\w.@|+~!$&*=-]")


def child_id(user: UserId) -> str:
    """The name of a user's subtree."""
    return f"user:{quoted(user)}"


def outbox_name(user: UserId) -> str:
    """The name of a user actor."""
    return f"outbox:{quoted(user)}"


def quoted(user: str) -> str:
    """A user's id as part of a name."""
    return _TO_QUOTE.sub(lambda found: quote(found[0], safe=""), user)


def unquoted(name: str) -> str:
    """The inverse of `quoted`."""
    return unquote(name)


def user_of_path(path: str) -> UserId | None:
    """The user in whose part of the tree a path is; None outside of those."""
    for name in path.split("/"):
        if name.startswith("user:"):
            return UserId.trusted(unquoted(name.removeprefix("user:")))
    return None
