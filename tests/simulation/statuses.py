"""The named queries of `events/sql/status.sql` about practices together, as tests/simulation/answers.py has those about one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.simulation.answers import Answer, answers
from tests.simulation.rows import Statement


@answers
def waiting_by_code(at: Statement, practices: Sequence[str]) -> Answer:
    counts = Counter(row["code"] for practice in dict.fromkeys(practices) for row in at.rows("waiting", practice))
    return [{"code": code, "count": count} for code, count in counts.items()]


@answers
def heard_of_sources(at: Statement, practices: Sequence[str]) -> Answer:
    return [
        {"practice": practice, "source": row["source"], "age": (at.clock() - row["updated_at"]).total_seconds()}
        for practice in dict.fromkeys(practices)
        for row in at.rows("checkpoint", practice)
    ]
