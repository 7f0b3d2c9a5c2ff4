"""Names that a package exports and imports only when one is first asked for (PEP 562).

So a program loads what it uses, and a module of a package can be imported without all the others.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def exports_of(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package; `homes` has the names it exports by the module they are in.

    `{"ref": "Ref Request"}` for `package.ref.Ref` and `package.ref.Request`, and
    `{"run": "Run=AioRun"}` for `package.run.AioRun` as `Run`. Type checkers see the same names by
    imports under `TYPE_CHECKING`.
    """
    pairs = [(home, *each.split("=")) for home, names in homes.items() for each in names.split()]
    home_of = {name: (home, *own) for home, name, *own in pairs}

    def import_export(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        home, *own = home_of[name]
        found: object = getattr(importlib.import_module(f"{package}.{home}"), *own or (name,))
        setattr(sys.modules[package], name, found)
        return found

    return import_export
