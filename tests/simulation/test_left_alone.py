"""Days with holds and patients kept out: nothing that is left alone is begun, and all agrees once it is let go."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.crowd import first_to_fall, of_seed
from tests.simulation.shrink import told

SEEDS = range(1, 25)
FOUND_BY = {
    "what is held is begun": {"left alone"},
    "holds end and nobody takes up": {"I6", "I4", "rest"},
    "all is recorded of who is kept out": {"left alone"},
    "who is let in is not read again": {"I6", "I4", "rest"},
}


def test_nothing_left_alone_is_begun_and_all_agrees_in_the_end(processes: ProcessPoolExecutor) -> None:
    """People hold writes and keep patients out; `python -m tests.simulation --left-alone` for more."""
    futures = [processes.submit(of_seed, seed, "", "left alone") for seed in SEEDS]
    fallen = [verdict for future in futures if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)


@pytest.mark.parametrize("bug", FOUND_BY)
def test_a_deliberate_bug_is_found(processes: ProcessPoolExecutor, bug: str) -> None:
    verdict = first_to_fall(processes, SEEDS, bug, "left alone")
    assert verdict is not None, f"{len(SEEDS)} days and none finds: {bug}"
    assert set(verdict.broken) & FOUND_BY[bug], verdict.broken
