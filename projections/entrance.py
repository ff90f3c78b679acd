# PYTHON_ARGCOMPLETE_OK
"""`chartwire`, as it is installed: sees that its packages are its own, and hands over to `daemon.__main__`.

Other distributions have packages of these names: python-daemon has `daemon`, Events has `events`. pip lets either overwrite the other
without a word, so what would run is a mixture. This module stands in the package whose name nobody else has, and imports nothing of the
others before it looked; it hands over by name, since nothing below `daemon` may know it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module

PACKAGES = ("daemon", "events", "projections")
HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
OWN = "give chartwire an environment of its own: python3 -m venv /opt/chartwire && /opt/chartwire/bin/pip install chartwire"


def main() -> int:
    """The exit code: 1 where the packages are not chartwire's own."""
    if problem := mixture():
        print(f"chartwire cannot start: {problem}; {OWN}", file=sys.stderr)
        return 1
    return int(import_module("daemon.__main__").main())


def mixture() -> str:
    """What is wrong with where the packages come from; empty when they are chartwire's own."""
    for name in PACKAGES:
        origin = origin_of(name)
        if origin is None:
            return f"its package `{name}` is damaged, as if another distribution of that name had been removed from {HERE}"
        folder = os.path.dirname(os.path.dirname(os.path.realpath(origin)))
        others = sorted(owners(folder, name))
        if folder != HERE:
            return f"`{name}` is taken from {folder} ({', '.join(others) or 'of another distribution'}), not from {HERE}"
        if others:
            return f"its package `{name}` in {HERE} is also of {', '.join(others)}, and one has overwritten the other"
    return ""


def origin_of(name: str) -> str | None:
    """The file that importing the package would run; None for a folder without one. (`importlib.util` would take longer to load.)"""
    found = (finder.find_spec(name, None) for finder in sys.meta_path)
    return next((spec.origin for spec in found if spec is not None), None)


def owners(folder: str, name: str) -> Iterator[str]:
    """The distributions but chartwire that installed files of the package `name` into `folder`."""
    for entry in os.listdir(folder):
        if not entry.endswith((".dist-info", ".egg-info")) or entry.lower().startswith("chartwire-"):
            continue
        for file, start in (("RECORD", f"{name}/"), ("top_level.txt", f"{name}\n")):
            try:
                with open(os.path.join(folder, entry, file), encoding="utf-8", errors="replace") as stream:
                    listed = "\n" + stream.read() + "\n"
            except OSError:
                continue
            if f"\n{start}" in listed:
                yield entry.rpartition(".")[0].partition("-")[0].replace("_", "-")
                break


if __name__ == "__main__":
    sys.exit(main())
