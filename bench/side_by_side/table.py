"""Figures of several subjects, measured in rounds by turns, shown as medians beside one of them."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import attrs


@attrs.define
class Table:
    """`figures` of each subject: a value per round. `base`: what the others are a multiple of."""

    title: str
    base: str
    figures: dict[str, dict[str, list[float]]] = attrs.field(factory=dict)
    absent: dict[str, str] = attrs.field(factory=dict)  # subject → why it has no figures

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(name for found in self.figures.values() for name in found))

    def add(self, subject: str, found: dict[str, float]) -> None:
        """One round of a subject."""
        for name, value in found.items():
            self.figures.setdefault(subject, {}).setdefault(name, []).append(value)

    def join(self, other: Table) -> None:
        """Take in the figures of another table, for the same subjects."""
        self.base, self.absent = other.base, {**self.absent, **other.absent}
        for subject, found in other.figures.items():
            self.figures.setdefault(subject, {}).update(found)

    def median(self, subject: str, column: str) -> float | None:
        """None: it was not measured."""
        values = self.figures.get(subject, {}).get(column)
        return statistics.median(values) if values else None

    def cell(self, subject: str, column: str) -> str:
        """The median, and how many times the base's it is."""
        value, base = self.median(subject, column), self.median(self.base, column)
        if value is None:
            return "–"
        alone = subject == self.base or not base
        return digits(value) if alone else f"{digits(value)} ({digits(value / base)} ×)"

    def lines(self) -> list[list[str]]:
        """Head and rows, as text."""
        rows = [[name, *(self.cell(name, each) for each in self.columns)] for name in self.figures]
        return [["", *self.columns], *rows, *map(list, self.absent.items())]

    def print(self) -> None:
        print(self.title)
        for first, *others in self.lines():
            print(f"  {first:24}", *(f"{each:>20}" for each in others))


def digits(value: float) -> str:
    """Three of them that count, or all of a whole number."""
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def write(tables: list[Table], path: Path) -> None:
    path.write_text(json.dumps([attrs.asdict(table) for table in tables]))


def read(tables: list[dict[str, Any]]) -> list[Table]:
    return [Table(**table) for table in tables]
