"""Where a key of the configuration stands in its file: for people who have to change it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from daemon.shape import join

_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")
_PRACTICE = re.compile(r"^practice\[(\d+)\]")


def lines_of(text: str) -> dict[str, int]:
    """The line of each table and key as problems name them (`practice[2].elation.client_id`), counted from 1."""
    found: dict[str, int] = {}
    arrays: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if (header := _TABLE.match(line)) is not None:
            table = ""
            *above, last = _parts(header[2])
            for part in above:
                table = join(table, part)
                table += f"[{arrays[table]}]" if table in arrays else ""
            table = join(table, last)
            if header[1] == "[[":
                arrays[table] = arrays.get(table, 0) + 1
                table += f"[{arrays[table]}]"
            found.setdefault(table, number)
        elif (named := _KEY.match(line)) is not None:
            found.setdefault(join(table, ".".join(_parts(named[1]))), number)
    return found


def _parts(name: str) -> list[str]:
    return [one.strip().strip("\"'") for one in name.split(".")]


class FileLines:
    """The lines of a file, as far as it can be read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            text = file.read_text()
        except (OSError, ValueError):
            text = ""
        self._lines = lines_of(text)
        self._practices = _practices(text)

    def place(self, key: str) -> str:
        """`FILE:LINE` of a key, of its table where it is not in the file, and the file alone where neither is."""
        while key and key not in self._lines:
            key = key.rpartition(".")[0]
        return f"{self._file}:{self._lines[key]}" if key else str(self._file)

    def practice(self, key: str) -> str:
        """The id of the practice that a key belongs to; "" for none."""
        found = _PRACTICE.match(key)
        number = int(found[1]) if found is not None else 0
        return self._practices[number - 1] if 0 < number <= len(self._practices) else ""


def _practices(text: str) -> list[str]:
    """The ids as they stand in the file; "" for what is none."""
    try:
        practices = tomllib.loads(text).get("practice", [])
    except (ValueError, RecursionError):
        return []
    if not isinstance(practices, list):
        return []
    ids = [one.get("id") if isinstance(one, dict) else None for one in practices]
    return [one if isinstance(one, str) else "" for one in ids]
