"""Fails unless every name that `greenroom` exports has a type that pyright knows whole.

Run with the Python of an environment that has greenroom installed as a service would have it;
the argument is the pyright to ask. https://microsoft.github.io/pyright/#/typed-libraries
"""

from __future__ import annotations

import json
import subprocess
import sys

import greenroom
from greenroom import aio, blocking

PACKAGES = (greenroom, aio, blocking)
NEAREST = 5  # pyright lists first what the exported names lead to
ROOTS = ("missing type annotation", "Ambiguous", "Type unknown", "Missing type")


def main(pyright: str) -> int:
    """Print what is not known; the exit code."""
    symbols = ask(pyright)
    exported = {f"{each.__name__}.{name}" for each in PACKAGES for name in each.__all__}
    unknown = [s["name"] for s in symbols if s["name"] in exported and not s["isTypeKnown"]]
    missing = exported - {s["name"] for s in symbols}
    for name in unknown:
        print(f"{name}: its type is not fully known")
    for name in sorted(missing):
        print(f"{name}: pyright does not see it")
    if unknown:
        print("\nThis may be why:", *reasons(symbols)[:NEAREST], sep="\n  ")
    if not (unknown or missing):
        print(f"{len(exported)} exported names, all with known types")
    return 1 if unknown or missing else 0


def ask(pyright: str) -> list[dict]:
    command = [pyright, "--outputjson", "--ignoreexternal", "--verifytypes", "greenroom"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return json.loads(answer)["typeCompleteness"]["symbols"]


def reasons(symbols: list[dict]) -> list[str]:
    return [
        f"{symbol['name']}: {found['message'].splitlines()[0]}"
        for symbol in symbols
        if not symbol["isTypeKnown"]
        for found in symbol["diagnostics"]
        if any(root in found["message"] for root in ROOTS)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
