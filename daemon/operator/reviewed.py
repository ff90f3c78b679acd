"""A list of reviewed pairs, to be linked in bulk: read from CSV, and every row that cannot be used named by its line."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass

from events.ids import BillingPatientId, EhrChartId
from projections.terms.names import Names, SystemName

YES = frozenset({"yes", "y", "true", "1", "x"})
NO = frozenset({"", "no", "n", "false", "0"})
DELIMITERS = (",", ";", "\t")
FORCE, REASON = "force", "reason"


class NotReviewed(Exception):
    """The text is no list of reviewed pairs; `line` is where, the text says why."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True)
class ReviewedPair:
    """A row: one chart of each system, `force` where the reviewer knows that they differ."""

    line: int
    ehr: EhrChartId
    billing: BillingPatientId
    force: bool = False
    reason: str = ""


@dataclass(frozen=True)
class ReviewedList:
    """The pairs, and what is wrong with the other rows, by line."""

    pairs: tuple[ReviewedPair, ...]
    problems: tuple[tuple[int, str], ...]


def columns(names: Names) -> tuple[str, ...]:
    """The columns of a list: the first two are needed."""
    return (names.ehr.prefix, names.billing.prefix, FORCE, REASON)


def read_reviewed(text: str, names: Names) -> ReviewedList:
    """The pairs of a list with a header. Raises NotReviewed.

    An id is written with or without its system's prefix. A chart that several rows name is left out everywhere.
    """
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count), strict=True)
    pairs: list[ReviewedPair] = []
    problems: list[tuple[int, str]] = []
    try:
        header = _header(next(reader, []), names)
        line = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                read = _row(line, header, row, names)
                (pairs if isinstance(read, ReviewedPair) else problems).append(read)  # type: ignore[arg-type]
            line = reader.line_num + 1
    except csv.Error as error:
        raise NotReviewed(reader.line_num, f"is not CSV ({error})") from None
    twice = _named_twice(pairs, names)
    problems += [(line, why) for line, why in twice.items()]
    return ReviewedList(tuple(one for one in pairs if one.line not in twice), tuple(sorted(problems)))


def _header(row: list[str], names: Names) -> list[str]:
    header = [cell.strip().strip("\ufeff").casefold() for cell in row]
    wanted = columns(names)
    for name in wanted:
        if header.count(name) > 1 or (name not in header and name in wanted[:2]):
            raise NotReviewed(1, f"needs one column {name} (columns: {', '.join(wanted)})")
    if unknown := [name or "(empty)" for name in header if name not in wanted]:
        raise NotReviewed(1, f"unknown column {unknown[0]} (columns: {', '.join(wanted)})")
    return header


def _row(line: int, header: list[str], row: list[str], names: Names) -> ReviewedPair | tuple[int, str]:
    if len(row) > len(header):
        return line, "more cells than columns"
    cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
    ehr, billing = _id(cells, names.ehr, names), _id(cells, names.billing, names)
    for name, id_ in ((names.ehr.prefix, ehr), (names.billing.prefix, billing)):
        if id_ is None:
            return line, f"{name}: is not an id of {names.ehr.label if name == names.ehr.prefix else names.billing.label}"
    force = cells.get(FORCE, "").casefold()
    if force not in YES | NO:
        return line, f"{FORCE}: is neither yes nor no"
    return ReviewedPair(
        line=line,
        ehr=EhrChartId(ehr or 0),
        billing=BillingPatientId(billing or 0),
        force=force in YES,
        reason=cells.get(REASON, ""),
    )


def _id(cells: dict[str, str], system: SystemName, names: Names) -> int | None:
    text = cells.get(system.prefix, "")
    charts = names.charts_in(text if ":" in text else f"{system.prefix}:{text}")
    if charts is None:
        return None
    return charts.ehr if system is names.ehr else charts.billing


def _named_twice(pairs: list[ReviewedPair], names: Names) -> dict[int, str]:
    """Rows that name a chart of another row: which of them is meant nobody can tell."""
    charts = {one.line: (names.chart(one.ehr), names.patient(one.billing)) for one in pairs}
    counts = Counter(chart for both in charts.values() for chart in both)
    return {
        line: f"{chart} is in {counts[chart]} rows"
        for line, both in charts.items()
        for chart in both[::-1]
        if counts[chart] > 1
    }
