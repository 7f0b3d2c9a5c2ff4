"""A wheel holds the files of the package, byte by byte, and no others: the argument is its path.

Rooms are joined to `src/greenroom` by symlinks, which a build has to follow.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
NOT_OURS = {"greenroom/demo/react", "greenroom/demo/ag_ui"}  # examples in other languages


def in_the_checkout() -> dict[str, bytes]:
    names = [*SOURCE.glob("_greenroom_*.py"), *below(SOURCE / "greenroom")]
    return {path.relative_to(SOURCE).as_posix(): path.read_bytes() for path in names}


def below(folder: Path) -> list[Path]:
    """Its files that are ours, through symlinks (`rglob` follows none on Python 3.11)."""
    found: list[Path] = []
    for path in folder.iterdir():
        if path.is_dir():
            found += below(path) if is_ours(path) else []
        else:
            found.append(path)
    return found


def is_ours(folder: Path) -> bool:
    is_built = folder.name == "__pycache__"
    return not is_built and folder.relative_to(SOURCE).as_posix() not in NOT_OURS


def in_the_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        return {name: archive.read(name) for name in names}


def main(wheel: Path) -> str | None:
    here, there = in_the_checkout(), in_the_wheel(wheel)
    if wrong := sorted(name for name in here | there if here.get(name) != there.get(name)):
        return f"{wheel.name} is not the checkout's package: {', '.join(wrong)}"
    print(f"{wheel.name} holds the package's {len(here)} files")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
