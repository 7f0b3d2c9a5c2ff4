"""Run the benchmarks, and write docs/performance.md with its data and its chart.

Without options all of them run, which takes an hour on an idle machine. What was measured is
kept after each, so a report that was broken off goes on with `--only` those that are left.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from reporting.chart import chart
from reporting.page import Data, page, tables_of
from reporting.runs import RUNS, Run
from side_by_side.server import BENCH, PEERS

DOCS = BENCH.parent / "docs"
PACKAGES = ("trio", "trio-websocket", "apsw", "starlette", "uvicorn", "uvloop", "python-socketio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="NAME")
    parser.add_argument("--page", action="store_true", help="run nothing: write the page again")
    parser.add_argument("--to", type=Path, default=DOCS, help="the folder of the page")
    options = parser.parse_args()
    data = _kept(options.to)
    for name in [] if options.page else options.only:
        data["runs"][name] = measured(RUNS[name])
        data["environment"] = environment()
        write(data, options.to)
    write(data, options.to)


def _kept(folder: Path) -> Data:
    path = folder / "performance.json"
    kept: Data = json.loads(path.read_text()) if path.exists() else {"environment": {}, "runs": {}}
    return kept


def write(data: Data, folder: Path) -> None:
    """The data, and what is made of them."""
    for name, text in files(data).items():
        (folder / name).write_text(text, encoding="utf-8")


def files(data: Data) -> dict[str, str]:
    """By their names: the data, the page, and the chart if its figures are there."""
    made = {
        "performance.json": json.dumps(data, indent=1, ensure_ascii=False) + "\n",
        "performance.md": page(data),
    }
    if tables := tables_of(data, "connections"):
        title = "CPU of the server per event, µs"
        made["performance.svg"] = chart(tables[0], title, "connections")
    return made


def measured(run: Run) -> Data:
    """Run the command; its output goes to the terminal as it comes."""
    print(f"== python {run.command}", flush=True)
    found: Data = {"date": time.strftime("%Y-%m-%d"), "tables": [], "output": "", "failure": ""}
    if not run.script.exists():
        return {**found, "failure": f"missing: needs {run.arguments[0]}"}
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        figures = Path(folder, "figures.json")
        writing = [] if run.plain else ["--json", str(figures)]
        command = [sys.executable, str(run.script), *run.arguments[1:], *writing]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            found["output"] = "".join(_shown(process.stdout))
        if process.returncode:
            found["failure"] = f"It ended with {process.returncode}."
        elif figures.exists():
            found |= {"tables": json.loads(figures.read_text()), "output": ""}
    return found | {"seconds": round(time.monotonic() - began)}


def _shown(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        print(line, end="", flush=True)
        yield line


def environment() -> dict[str, str]:
    """Where the figures come from."""
    versions = [f"{name} {found}" for name in PACKAGES if (found := _version(name))]
    return {
        "machine": f"{os.cpu_count()} cores ({_processor()}), {_memory()} GiB of memory, "
        f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "packages": ", ".join([*versions, *_node_versions()]),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _node_versions() -> Iterator[str]:
    package = PEERS / "node_modules/socket.io/package.json"
    if package.exists():
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        yield f"Node {node.stdout.strip().removeprefix('v')}"
        yield f"socket.io {json.loads(package.read_text())['version']}"


if __name__ == "__main__":
    main()
