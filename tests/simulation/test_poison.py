"""Poisoned days: one bad record, message, row or practice never takes another along, is visible, and heals."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation import spoiling
from tests.simulation.crowd import first_to_fall, of_seed
from tests.simulation.plan import drawn
from tests.simulation.poison import FROM, HIT, POISONS, plan_of
from tests.simulation.shrink import told

SEEDS = range(FROM, FROM + 24)
HUNTED = range(FROM, FROM + 200)
FOUND_BY = {
    "one bad record ends the pass": {"I4", "I6", "rest"},
    "a practice's failure ends the worker": {"defects", "I11"},
    "set aside while PostgreSQL is away": {"I11"},
    "unreadable messages are passed over": {"I4"},
}
SHOWN_BY = {
    "one bad record ends the pass": ("a record of Elation is spoilt", "a record of Kareo is spoilt"),
    "a practice's failure ends the worker": ("the keys are missing",),
    "set aside while PostgreSQL is away": ("PostgreSQL cancels statements",),
    "unreadable messages are passed over": ("messages come that nobody can read",),
}
"""Days with these kinds of poison can show the bug; others are not run with it."""


@pytest.mark.nightly
def test_others_are_served_and_the_practice_heals(processes: ProcessPoolExecutor) -> None:
    """All invariants, and beside them I11: the other practice's changes are written in time, nothing of it is set aside."""
    verdicts = [future.result() for future in [processes.submit(of_seed, seed) for seed in SEEDS]]
    fallen = [verdict for verdict in verdicts if not verdict.ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)
    assert {kind for verdict in verdicts for kind, times in verdict.struck.items() if times} == set(POISONS)


def _lasting(seed: int) -> float:
    """How long the poison of a day lasts: a worker that ends is begun again all the while."""
    return sum(one.seconds for one in plan_of(seed).poisons)


@pytest.mark.nightly
@pytest.mark.parametrize("bug", FOUND_BY)
def test_a_deliberate_bug_is_found(processes: ProcessPoolExecutor, bug: str) -> None:
    seeds = [seed for seed in HUNTED if {one.kind for one in plan_of(seed).poisons} & set(SHOWN_BY[bug])]
    seeds = sorted(seeds, key=_lasting)[:2] if bug == "a practice's failure ends the worker" else seeds[:8]
    verdict = first_to_fall(processes, seeds, bug)
    assert verdict is not None, f"{len(seeds)} seeds and none finds: {bug}"
    assert set(verdict.broken) & FOUND_BY[bug], verdict.broken


def test_each_kind_of_poison_is_among_the_seeds() -> None:
    assert {one.kind for seed in SEEDS for one in plan_of(seed).poisons} == set(POISONS)


def test_the_seeds_of_before_mean_what_they_meant() -> None:
    for seed in (1, 3, 300, 7737, FROM - 1):
        assert plan_of(seed) == drawn(seed)
        assert not drawn(seed).poisons
    assert all(one.office == HIT for one in plan_of(FROM).deeds if "deletes" in one.kind)


@pytest.mark.parametrize("spoil", spoiling.KAREO, ids=lambda one: one.member)
def test_one_record_of_a_list_is_spoilt_and_no_other(spoil: spoiling.Spoil) -> None:
    row = b"<PatientData><%s>abcd</%s><ID>%d</ID></PatientData>"
    member = spoil.member.encode()
    rows = [row % (member, member, number) for number in (16, 17, 18)]
    spoilt = spoiling.kareo_record(b"".join(rows), 17, spoil)
    assert spoilt.startswith(rows[0])
    assert spoilt.endswith(rows[2])
    assert rows[1] not in spoilt
    assert spoiling.kareo_record(rows[0], 17, spoil) == rows[0]


def test_one_chart_of_a_list_is_spoilt_and_no_other() -> None:
    body = b'{"next": null, "results": [{"id": 1, "dob": "1980-01-02"}, {"id": 2, "dob": "1980-01-02"}]}'
    for spoil in (one for one in spoiling.ELATION if one.member == "dob"):
        spoilt = spoiling.elation_record(body, 2, spoil)
        assert spoilt.count(b"1980-01-02") == 1
        assert spoiling.elation_record(body, 3, spoil) is body


def test_a_flipped_bit_is_one_bit() -> None:
    for seed in range(50):
        before = random.Random(seed).randbytes(20)
        after = spoiling.flipped(before, random.Random(seed))
        assert sum((here ^ there).bit_count() for here, there in zip(before, after, strict=True)) == 1
