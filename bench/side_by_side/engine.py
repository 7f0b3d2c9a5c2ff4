"""A database server that several servers of greenroom share, and its CPU time."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar


class Engine(ABC):
    """It is started by the benchmark."""

    title: ClassVar[str]

    @abstractmethod
    def url(self, name: str) -> str:
        """Of the database of that name, which is made when it is first asked for."""

    @abstractmethod
    def seconds(self) -> float:
        """User and system time of it, in steps of 10 ms."""

    @abstractmethod
    def bytes(self, name: str) -> int:
        """What the database takes on the disk."""


def seconds_of(pid: int) -> float:
    """User and system time of a process and its children, of those that have ended as well
    (proc(5)): in steps of 10 ms."""
    own = _times(pid)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = sum(own) + sum(sum(_times(int(each))[:2]) for each in children)
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _times(pid: int) -> list[int]:
    """In ticks: utime, stime, and those of children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has just ended
        return [0, 0, 0, 0]
    return [int(each) for each in fields[11:15]]
