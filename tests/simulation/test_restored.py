"""Days on which a practice's database goes back to an earlier point, as after a restore: nothing is made twice, nothing is
lost, and in the end both systems agree."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from tests.simulation.crowd import first_to_fall, of_seed
from tests.simulation.restoring import restored
from tests.simulation.shrink import told

SEEDS = range(1, 13)
LEFT_STANDING = 17


def test_what_was_made_in_the_lost_time_is_found(processes: ProcessPoolExecutor) -> None:
    """`python -m tests.simulation --restored` for more."""
    futures = [processes.submit(of_seed, seed, "", "restored") for seed in SEEDS]
    fallen = [verdict for future in futures if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)


def test_what_was_made_and_cancelled_in_the_lost_time_is_listed(processes: ProcessPoolExecutor) -> None:
    """After the restore Kareo's appointment is only seen as cancelled, and its copy in Elation is not known: a person is asked to look.

    The witness passes over what waits for somebody, and for nothing else (tests/unit/test_appointments_restored.py).
    """
    verdict = processes.submit(of_seed, LEFT_STANDING, "", "restored").result()
    assert verdict.ok, told(verdict)


def test_creations_that_do_not_look_first_are_found(processes: ProcessPoolExecutor) -> None:
    verdict = first_to_fall(processes, SEEDS, "creations do not look first", "restored")
    assert verdict is not None, f"{len(SEEDS)} days and none finds it"
    assert "I3" in verdict.broken, verdict.broken


def test_each_practice_is_restored_on_some_day() -> None:
    assert {one[0] for seed in SEEDS for one in restored(seed).settings["restores"]["of"]} == {"elm", "oak"}
