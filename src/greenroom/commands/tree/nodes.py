"""`greenroom nodes`, and the node that `greenroom tree --node` asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from greenroom.admin.client import AdminClient, usual_client
from greenroom.commands.options import Flag
from greenroom.commands.output.looking import nodes_json, nodes_table
from greenroom.commands.output.printing import show
from greenroom.commands.output.streams import write_line
from greenroom.delivery.journal.node import Node
from greenroom.journal_opening import without_coredis, without_psycopg
from greenroom.settings import BadSettings, Settings
from greenroom.settings.database_url import DATABASES, DatabaseUrl

LIST = "run `greenroom nodes` to list them"


def nodes(
    *,
    json: Flag = False,
    journal: Annotated[str | None, Parameter(show_default=False)] = None,
    config: Path | None = None,
) -> None:
    """List the servers that share a journal in Postgres or Redis, with their leases.

    Parameters
    ----------
    json
        As JSON (schema greenroom.nodes/1).
    journal
        The journal's URL, postgresql://…, redis://…, redis+sentinel://… or redis+cluster://….
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    found = _nodes_of(Settings.load(config, journal=journal))
    if json:
        write_line(nodes_json(found))
    elif found:
        show(nodes_table(found))
    else:
        print("no server has this journal")


def client_of(name: str, settings: Settings, url: str | None) -> AdminClient:
    """A client of the node with this number or name. Raises `BadSettings`, and `JournalError`s."""
    if url is not None:
        raise BadSettings(["a URL and --node both name a server"], advice="leave one of them out")
    found = [each for each in _nodes_of(settings) if name in (str(each.number), each.name)]
    if not found:
        raise BadSettings([f"there is no node {name!r} at {settings.journal}"], advice=LIST)
    node = found[-1]  # the newest: a process that lost its lease has begun as another node
    if node.address is None:
        raise BadSettings(
            [f"node {node.number}, {node.name}, does not listen by itself"],
            advice="start a worker with --port; an app in a server of its own is asked by its URL",
        )
    return usual_client(settings, node.address, node.number)


def _nodes_of(settings: Settings) -> Sequence[Node]:
    place = settings.journal
    if not isinstance(place, DatabaseUrl):
        raise BadSettings(
            [f"one server at a time has the journal {place}"],
            advice=f"name a journal that they share with --journal {DATABASES}",
        )
    return _nodes_in_redis(place) if place.is_in_redis else _nodes_in_postgres(place)


def _nodes_in_postgres(place: DatabaseUrl) -> Sequence[Node]:
    try:
        from greenroom.delivery.journal.postgres.node_reads import read_nodes_at
    except ImportError as error:
        raise without_psycopg(place) from error
    return read_nodes_at(place.url)


def _nodes_in_redis(place: DatabaseUrl) -> Sequence[Node]:
    try:
        from greenroom.delivery.journal.redis.nodes.nodes_at import read_nodes_at
    except ImportError as error:
        raise without_coredis(place) from error
    return read_nodes_at(place.url)
