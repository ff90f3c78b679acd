"""The named queries of `events/sql/matching.sql` and `days.sql`, as tests/simulation/answers.py has those of every day."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.answers import Answer, answers, only
from tests.simulation.rows import Statement


@answers
def match_alike(at: Statement, practice: str, system: str, keys: Sequence[bytes], most: int) -> Answer:
    found: Answer = []
    rows = [row for row in at.rows("match_key", practice) if row["system"] == system]
    for key in keys:
        found.append({"key": key, "charts": [row["chart"] for row in rows if row["key"] == key][:most]})
    return found


@answers
def match_counts(at: Statement, practice: str, systems: Sequence[str], values: Sequence[bytes]) -> Answer:
    wanted = set(values)
    rows = [row for row in at.rows("match_count", practice) if row["system"] in systems and row["value"] in wanted]
    return only(rows, "system", "value", "charts")


@answers
def match_search(
    at: Statement,
    practice: str,
    system: str,
    keys: Sequence[bytes],
    most: int,
    systems: Sequence[str],
    values: Sequence[bytes],
) -> Answer:
    alike = match_alike(at, practice, system, keys, most)
    counts = match_counts(at, practice, systems, values)
    return [
        *({"hash": row["key"], "charts": row["charts"], "number": 0} for row in alike),
        *({"hash": row["value"], "charts": None, "number": row["charts"]} for row in counts),
    ]


@answers
def save_match_keys(
    at: Statement, practice: str, systems: Sequence[str], keys: Sequence[bytes], charts: Sequence[int]
) -> None:
    for system, key, chart in zip(systems, keys, charts, strict=True):
        if at.get("match_key", practice, system, key, chart) is None:
            at.insert("match_key", practice=practice, system=system, key=key, chart=chart)


@answers
def delete_match_keys(
    at: Statement, practice: str, systems: Sequence[str], keys: Sequence[bytes], charts: Sequence[int]
) -> None:
    for system, key, chart in zip(systems, keys, charts, strict=True):
        row = at.get("match_key", practice, system, key, chart)
        if row is not None:
            at.delete("match_key", row)


@answers
def add_match_counts(
    at: Statement, practice: str, systems: Sequence[str], values: Sequence[bytes], numbers: Sequence[int]
) -> None:
    for system, value, number in zip(systems, values, numbers, strict=True):
        known = at.get("match_count", practice, system, value)
        total = number + (known["charts"] if known is not None else 0)
        at.upsert("match_count", ("charts",), practice=practice, system=system, value=value, charts=total)


@answers
def all_match_keys(at: Statement, practice: str) -> Answer:
    return only(at.rows("match_key", practice), "system", "key", "chart")


@answers
def all_match_counts(at: Statement, practice: str) -> Answer:
    rows = [row for row in at.rows("match_count", practice) if row["charts"] != 0]
    return only(rows, "system", "value", "charts")


@answers
def clear_match_keys(at: Statement, practice: str) -> None:
    for row in at.rows("match_key", practice):
        at.delete("match_key", row)


@answers
def clear_match_counts(at: Statement, practice: str) -> None:
    for row in at.rows("match_count", practice):
        at.delete("match_count", row)


@answers
def any_not_matched(at: Statement, practice: str) -> Answer:
    return [{"found": any(row["matched"] != row["sequence"] for row in at.rows("patient", practice))}]


@answers
def mark_matched(at: Statement, practice: str) -> None:
    for row in at.rows("patient", practice):
        if row["matched"] != row["sequence"]:
            at.update("patient", row, matched=row["sequence"])


# -- days -------------------------------------------------------------------------------------------------------------------


@answers
def save_days(at: Statement, practice: str, days: Sequence[bytes], keys: Sequence[str]) -> None:
    for day, key in zip(days, keys, strict=True):
        if at.get("patient_day", practice, day, key) is None:
            at.insert("patient_day", practice=practice, day=day, patient_key=key)


@answers
def delete_days(at: Statement, practice: str, days: Sequence[bytes], keys: Sequence[str]) -> None:
    for day, key in zip(days, keys, strict=True):
        row = at.get("patient_day", practice, day, key)
        if row is not None:
            at.delete("patient_day", row)


@answers
def all_days(at: Statement, practice: str) -> Answer:
    return only([row for row in at.rows("patient_day", practice) if row["patient_key"]], "day", "patient_key")


@answers
def clear_days(at: Statement, practice: str) -> None:
    for row in at.rows("patient_day", practice):
        at.delete("patient_day", row)


@answers
def any_not_dayed(at: Statement, practice: str, mark: bytes) -> Answer:
    unmarked = at.get("patient_day", practice, mark, "") is None
    return [{"found": unmarked or any(row["dayed"] != row["sequence"] for row in at.rows("patient", practice))}]


@answers
def mark_dayed(at: Statement, practice: str) -> None:
    for row in at.rows("patient", practice):
        if row["dayed"] != row["sequence"]:
            at.update("patient", row, dayed=row["sequence"])


@answers
def patients_of_days(at: Statement, practice: str, days: Sequence[bytes], mark: bytes) -> Answer:
    wanted, unmarked = set(days), at.get("patient_day", practice, mark, "") is None
    keys = {row["patient_key"] for row in at.rows("patient_day", practice) if row["day"] in wanted}
    keys |= {row["patient_key"] for row in at.rows("patient", practice) if unmarked or row["dayed"] != row["sequence"]}
    return [{"patient_key": one} for one in sorted(keys)]


@answers
def save_look_up(at: Statement, practice: str, period: str, key_id: str, doc: bytes) -> None:
    at.upsert(
        "look_up", ("key_id", "doc", "looked_at"),
        practice=practice, period=period, key_id=key_id, doc=doc, looked_at=at.clock(),
    )  # fmt: skip


@answers
def look_up(at: Statement, practice: str, period: str) -> Answer:
    row = at.get("look_up", practice, period)
    return only([row] if row is not None else [], "looked_at", "key_id", "doc")
