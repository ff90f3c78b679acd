"""The aims, measured: wrong links none, few missed, few for a person. Printed by `python -m tests.matching judge`."""

from __future__ import annotations

import pytest

from projections.matching import match
from projections.matching.weights import WEIGHTS
from tests.matching.errors import ERRORS
from tests.matching.febrl import FOLDER, febrl, is_there
from tests.matching.lists import judged
from tests.matching.town import HARD, town

needs_febrl = pytest.mark.skipif(not is_there(), reason=f"the public FEBRL sets are not beside the repository ({FOLDER})")


@needs_febrl
@pytest.mark.parametrize(("number", "persons"), [(1, 500), (2, 428), (3, 1165)])
def test_febrl(number: int, persons: int):
    lists = febrl(number)
    found = judged(lists, match(lists.left, lists.right))
    assert found.persons == persons
    assert found.wrong == 0
    assert found.certain >= 0.97
    assert found.missed <= 0.005
    assert found.to_a_person <= 0.03


@pytest.mark.parametrize("seed", [101, 102])
def test_an_invented_practice_with_hard_cases(seed: int):
    lists = town(5_000, seed=seed, judging=True)
    assert sum(len(kinds) > 1 for kinds in lists.errors.values()) >= 0.15 * len(lists.errors)
    assert set(lists.kinds.values()) >= {
        "twins",
        "generations",
        "cousins",
        "same name and birth date",
        "newborn",
        "foundling",
    }
    found = judged(lists, match(lists.left, lists.right))
    assert found.wrong == 0
    assert found.missed <= 0.003
    assert found.certain >= 0.95
    assert found.shown <= 25


def test_the_mixes_differ():
    assert sum(error.estimating != error.judging for error in ERRORS) > 0.7 * len(ERRORS)
    assert any(estimating != judging for _, estimating, judging in HARD)
    first, second = town(200, seed=1, judging=False), town(200, seed=1, judging=True)
    assert {one.city for one in first.left}.isdisjoint({one.city for one in second.left} - {""})


@needs_febrl
def test_the_table_holds_what_the_command_estimates():
    """Within a factor of two: the table is rounded, and what a level must not prove is assumed."""
    from tests.matching.estimating import estimated

    estimate = estimated(1_500, 10_000)
    for field in estimate:
        for level, (m, u) in estimate[field].items():
            known_m, known_u = WEIGHTS[field][level]
            assert m <= 0.03 or 0.4 < m / known_m < 2.5, (field, level)
            assert u <= 0.02 or 0.4 < u / known_u < 2.5, (field, level)
