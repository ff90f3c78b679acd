"""`chartwire match A.csv B.csv`: two exported lists matched, without any daemon, database or vendor."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn

if TYPE_CHECKING:
    from projections.matching import Decision, Matched, Person

PHONES = ("home_phone", "mobile_phone", "work_phone")
TEXTS = (
    "first_name",
    "middle_name",
    "last_name",
    "suffix",
    "sex",
    "address1",
    "address2",
    "city",
    "state",
    "zip",
    "email",
    "ssn",
)
COLUMNS = ("id", *TEXTS, "birth_date", *PHONES)
DELIMITERS = (",", ";", "\t")
AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
SEPARATOR = re.compile(r"\s*sep=([,;\t])\r?\n", re.IGNORECASE)
"""How a spreadsheet program writes what parts the cells, on a line of its own before the header."""
NAMED = 20
"""Lines of one kind that are named; the others are only counted."""


class Unusable(Exception):
    """A file that nothing can be matched with; says which and why."""


@dataclass
class Listed:
    """What a file holds: its people, and the lines that something is wrong with, by what it is."""

    path: Path
    people: list[Person] = field(default_factory=list)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def complain(self, line: int, what: str) -> None:
        self.lines.setdefault(what, []).append(line)


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "match", help="match two exported lists of patients (CSV), without a daemon, database or vendor"
    )
    parser.add_argument(
        "a", metavar="A.csv", type=Path, help=f"columns, of which any but id may be missing: {', '.join(COLUMNS)}"
    )
    parser.add_argument("b", metavar="B.csv", type=Path, help="as A.csv")
    parser.add_argument(
        "--json", metavar="FILE", help="write pairs by id, and who is alone, to FILE (mode 0600), or - for here"
    )
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """0 when both lists were matched, 1 when a file is unusable or the answer could not be written; then there is no answer."""
    try:
        _check_output(arguments.json, (arguments.a, arguments.b))
        lists = [read(path) for path in (arguments.a, arguments.b)]
    except Unusable as problem:
        warn(problem)
        return 1
    for one in lists:
        _tell_problems(one)
    from projections.matching import match  # half a second that no other command needs

    matched = match(lists[0].people, lists[1].people)
    report = sys.stderr if arguments.json == "-" else sys.stdout
    if arguments.json:
        text = json.dumps(answer(matched), indent=None, separators=(",", ":"), ensure_ascii=False)
        if arguments.json == "-":
            say(text)
        else:
            try:
                _write(Path(arguments.json), f"{text}\n")
            except OSError as error:
                warn(f"{arguments.json}: cannot be written ({error.strerror})")
                return 1
    for line in told(lists, matched):
        say(line, to=report)
    return 0


def _check_output(output: str | None, inputs: tuple[Path, Path]) -> None:
    """Raises Unusable where the answer would be written over an export, or nowhere.

    The answer of an earlier run is taken away: it would be read as the answer of this one.
    """
    if output is None or output == "-":
        return
    if not output.strip():
        raise Unusable("--json: names no file; give a file, or - for here")
    path = Path(output)
    if not path.exists():
        return
    for one in inputs:
        if one.exists() and path.samefile(one):
            raise Unusable(f"{output}: is a list to be matched; the answer would overwrite it, give another file")
    if path.is_file():
        try:
            path.unlink()
        except OSError as error:
            raise Unusable(f"{output}: cannot be written ({error.strerror})") from None


# Reading


def read(path: Path) -> Listed:
    """The people of a CSV file with a header: UTF-8, with comma, semicolon or tab."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Unusable(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: is not UTF-8 (byte {error.start})") from None
    listed = Listed(path)
    try:
        rows = _rows(text)
        header = next(rows, (0, []))[1]
        columns = _columns(listed, header)
        _fill(listed, columns, rows)
    except csv.Error as error:
        raise Unusable(f"{path}: is not CSV ({error})") from None
    return listed


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with the line that each begins on; empty ones are left out."""
    named = SEPARATOR.match(text)
    text = text[named.end() :] if named else text
    first = text.lstrip("\r\n").partition("\n")[0]
    found = max(DELIMITERS, key=lambda one: sum(_column(cell) in COLUMNS for cell in first.split(one)))
    delimiter = named[1] if named else found
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 1 if named else 0
    line = before + 1
    for row in reader:
        if any(cell.strip() for cell in row):
            yield line, row
        line = before + reader.line_num + 1


def _column(cell: str) -> str:
    return "_".join(cell.strip().strip('"').casefold().split())


def _columns(listed: Listed, header: list[str]) -> list[str]:
    columns = [_column(cell) for cell in header]
    if "id" not in columns:
        raise Unusable(f"{listed.path}:1: no column id")
    twice = sorted(name for name, count in Counter(columns).items() if count > 1 and name in COLUMNS)
    if twice:
        raise Unusable(f"{listed.path}:1: more than one column {', '.join(twice)}")
    if not set(columns) & {"first_name", "last_name"}:
        raise Unusable(f"{listed.path}:1: no column first_name or last_name")
    unknown = [cell.strip() or "(empty)" for cell, name in zip(header, columns, strict=True) if name not in COLUMNS]
    for name in unknown:
        listed.complain(1, f"unknown column {name}, not used")
    return columns


def _fill(listed: Listed, columns: list[str], rows: Iterator[tuple[int, list[str]]]) -> None:
    """Rows without an id of their own, or with more cells than the header, cannot be told apart and are left out."""
    seen: set[str] = set()
    for line, row in rows:
        if len(row) > len(columns) and any(cell.strip() for cell in row[len(columns) :]):
            listed.complain(line, "more cells than columns, left out")
            continue
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
        id_ = row[columns.index("id")] if cells.get("id") else ""  # as it stands in the file
        cells["id"] = id_
        if not id_ or id_ in seen:
            listed.complain(line, "duplicate id, left out" if id_ else "empty id, left out")
            continue
        seen.add(id_)
        listed.people.append(_person(listed, line, cells))


def _person(listed: Listed, line: int, cells: dict[str, str]) -> Person:
    from projections.matching import Person

    born = cells.get("birth_date", "")
    birth_date = date_of(born)
    if born and birth_date is None:
        listed.complain(line, "unreadable birth_date, not used")
    texts: dict[str, Any] = {name: cells.get(name, "") for name in TEXTS}
    phones = tuple(cells[name] for name in PHONES if cells.get(name))
    return Person(id=cells["id"], birth_date=birth_date, phones=phones, **texts)


def date_of(text: str) -> date | None:
    """YYYY-MM-DD or M/D/YYYY; None for anything else."""
    american = AMERICAN.fullmatch(text)
    try:
        if american:
            return date(int(american[3]), int(american[1]), int(american[2]))
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


# Telling


def answer(matched: Matched) -> dict[str, object]:
    """By ids as given; the differences name fields and doubts, never values."""
    from projections.matching import MatchVerdict

    return {
        "certain": [[one.left, one.right, one.probability] for one in matched.of(MatchVerdict.CERTAIN)],
        "candidates": [
            [one.left, one.right, one.probability, [*one.differences, *map(str, one.vetoes)]]
            for one in matched.of(MatchVerdict.CANDIDATE)
        ],
        "only_a": list(matched.only_left),
        "only_b": list(matched.only_right),
    }


def told(lists: list[Listed], matched: Matched) -> Iterator[str]:
    """Counts, and why pairs wait, the most frequent reason first."""
    from projections.matching import MatchVerdict
    from projections.matching.keys import told as told_large

    certain, candidates = matched.of(MatchVerdict.CERTAIN), matched.of(MatchVerdict.CANDIDATE)
    yield f"{lists[0].path}: {len(lists[0].people)} charts, {lists[1].path}: {len(lists[1].people)} charts"
    yield f"certain: {len(certain)} pairs"
    yield from _by_frequency(difference for one in certain for difference in one.differences)
    yield f"for a person: {len(candidates)} pairs"
    yield from _by_frequency(_reason(one) for one in candidates)
    yield f"only in A: {len(matched.only_left)}, only in B: {len(matched.only_right)}"
    yield from told_large(matched.large)


def _reason(one: Decision) -> str:
    return ", ".join(one.vetoes) or "too little agrees"


def _by_frequency(reasons: Iterator[str]) -> Iterator[str]:
    for reason, count in sorted(Counter(reasons).items(), key=lambda one: (-one[1], one[0])):
        yield f"    {count:6}  {reason}"


def _tell_problems(listed: Listed) -> None:
    for what, lines in listed.lines.items():
        for line in lines[:NAMED]:
            warn(f"{listed.path}:{line}: {what}")
        if len(lines) > 1:
            warn(f"{listed.path}: {len(lines)} times: {what}")


def _write(path: Path, text: str) -> None:
    """Whole or not at all, for its owner only."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
