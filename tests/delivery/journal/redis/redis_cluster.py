"""A Redis Cluster of the tests: three masters, and two replicas of the first one, on loopback."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Final

from tests.delivery.journal.redis_server import RedisServer, free_port

MASTERS: Final = 3
REPLICAS: Final = 2
SLOTS: Final = 16384
CUTS: Final = [SLOTS * n // MASTERS for n in range(MASTERS + 1)]
SETTINGS: Final = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", "60000"),
    *("--cluster-allow-replica-migration", "no"),
    *("--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"),
)


class RedisCluster:
    """Only `fail_over` makes a replica a master."""

    def __init__(self, directory: Path) -> None:
        """They begin as if they had known each other before: to meet takes them seconds."""
        places = [(free_port(), free_port()) for _ in range(MASTERS + REPLICAS)]
        self.servers = [ClusterServer(directory, places, n) for n in range(len(places))]
        wait_until(lambda: all(map(is_well, self.servers)))
        wait_until(lambda: all(map(is_linked, self.servers[MASTERS:])))

    def url(self, journal: str, *options: str, login: str = "") -> str:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"redis+cluster://{login}{hosts}/{journal}?{'&'.join(options)}"

    def master_of(self, journal: str) -> RedisServer:
        """As those say who run."""
        [found] = [each for each in self.servers if has_slot(each, journal)]
        return found

    def replicas_of(self, master: RedisServer) -> list[RedisServer]:
        return [each for each in self.servers if replicates(each, master)]

    def fail_over(self, dead: RedisServer, replica: RedisServer) -> None:
        """At once, and not after the time-out of the others; `dead` comes back as a replica."""
        replica.command("CLUSTER", "FAILOVER", "TAKEOVER")
        wait_until(lambda: b"role:master" in info_of(replica))
        dead.start()
        wait_until(lambda: replicates(dead, replica) and is_linked(dead))

    @contextmanager
    def moving(
        self, journal: str, source: RedisServer, target: RedisServer
    ) -> Iterator[Callable[[int], object]]:
        """The slot of a journal moves; what is yielded moves so many of its keys. In the end all
        have moved."""
        slot = str(slot_of(journal))
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", id_of(source))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", id_of(target))
        move = partial(_move, slot, source, target)
        try:
            yield move
        finally:
            while move(100):
                pass
            for each in (target, source):
                each.command("CLUSTER", "SETSLOT", slot, "NODE", id_of(target))

    @contextmanager
    def without_slot(self, journal: str) -> Iterator[None]:
        """No server has the slot of a journal, whose keys are not there yet."""
        slot = str(slot_of(journal))
        owner = self.master_of(journal)
        masters = [each for each in self.servers if b"role:master" in info_of(each)]
        for each in masters:
            each.command("CLUSTER", "DELSLOTS", slot)
        try:
            yield
        finally:
            for each in masters:
                each.command("CLUSTER", "SETSLOT", slot, "NODE", id_of(owner))
            wait_until(lambda: all(map(is_well, masters)))

    def stop(self) -> None:
        for each in self.servers:
            each.stop()


class ClusterServer(RedisServer):
    """`places`: of all servers the port, and the port on which they speak to each other."""

    def __init__(self, directory: Path, places: list[tuple[int, int]], number: int) -> None:
        own = directory / str(number)
        own.mkdir()
        lines = [_line(n, *place, is_own=n == number) for n, place in enumerate(places)]
        end = f"vars currentEpoch {MASTERS} lastVoteEpoch 0\n"
        (own / "nodes.conf").write_text("".join(lines) + end)
        self._place, bus = places[number]
        super().__init__(own, *SETTINGS, "--cluster-port", str(bus))

    def start(self) -> None:
        self.port = self._place
        super().start()


def _line(number: int, port: int, bus: int, *, is_own: bool) -> str:
    """A server in the file in which each keeps what it knows of the cluster."""
    is_master = number < MASTERS
    return " ".join(
        (
            f"{number:040x} 127.0.0.1:{port}@{bus}",
            ("myself," if is_own else "") + ("master -" if is_master else f"slave {0:040x}"),
            f"0 0 {number + 1 if is_master else 1} connected",
            f"{CUTS[number]}-{CUTS[number + 1] - 1}\n" if is_master else "\n",
        )
    )


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "the cluster did not come so far"
        time.sleep(0.02)


def id_of(server: RedisServer) -> str:
    return words(server.command("CLUSTER", "MYID"))[0]


def is_well(server: RedisServer) -> bool:
    return b"cluster_state:ok" in server.command("CLUSTER", "INFO")


def is_linked(server: RedisServer) -> bool:
    return b"master_link_status:up" in info_of(server)


def info_of(server: RedisServer) -> bytes:
    return server.command("INFO", "replication")


def has_slot(server: RedisServer, journal: str) -> bool:
    return server.command("EXISTS", f"greenroom:{{{journal}}}")[:1] == b":"


def _move(slot: str, source: RedisServer, target: RedisServer, most: int) -> int:
    """Returns how many keys moved."""
    keys = words(source.command("CLUSTER", "GETKEYSINSLOT", slot, str(most)))
    if keys:
        to = ("127.0.0.1", str(target.port), "", "0", "5000", "KEYS", *keys)
        assert source.command("MIGRATE", *to) == b"+OK\r\n"
    return len(keys)


def replicates(server: RedisServer, master: RedisServer) -> bool:
    return f"master_port:{master.port}\r\n".encode() in info_of(server)


def slot_of(journal: str) -> int:
    """As the specification of Redis Cluster says: CRC16 of the hash tag."""
    return crc_hqx(journal.encode(), 0) % SLOTS


def words(answer: bytes) -> list[str]:
    """The texts of an answer of one text or of a list."""
    return answer.decode().split("\r\n")[2 if answer[:1] == b"*" else 1 : -1 : 2]


def named(number: int, master: int) -> str:
    """A journal's name whose slot that master has at first."""
    names = (f"journal-{number}-{n}" for n in range(1_000))
    return next(each for each in names if CUTS[master] <= slot_of(each) < CUTS[master + 1])


@cache
def redis_cluster() -> RedisCluster:
    """Started once, for all tests."""
    directory = Path(tempfile.mkdtemp(prefix="greenroom-cluster-"))
    cluster = RedisCluster(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(cluster.stop)
    return cluster
