"""Seeds of the simulation: no invariant is violated, and a seed is one history, always the same."""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.clock import simulate
from tests.simulation.crowd import Endless, at_most, of_seed, tried
from tests.simulation.plan import quiet
from tests.simulation.shrink import told


def test_no_invariant_is_violated(processes: ProcessPoolExecutor, seeds: tuple[int, ...]) -> None:
    """I1-I8 and I10-I12 hold for each of these days, at every recording and at rest."""
    futures = {seed: processes.submit(of_seed, seed) for seed in seeds}
    fallen = [verdict for future in futures.values() if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)


def test_insurance_both_ways_violates_none(processes: ProcessPoolExecutor) -> None:
    """A practice of the profile elation-led beside one of the other; `python -m tests.simulation --both-ways` for more."""
    once_fell = (140041, 140259, 140465, 140831, 140875, 220037)
    futures = [processes.submit(of_seed, seed, "", "both ways") for seed in (*range(1, 9), *once_fell)]
    fallen = [verdict for future in futures if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)


def test_bookings_switched_off_and_on_again_violate_none(processes: ProcessPoolExecutor) -> None:
    """With bookings open, as a row or with the other profile; `--booking-switched` for more."""
    futures = [processes.submit(of_seed, seed, "", "booking switched") for seed in (1, 2, 7)]
    fallen = [verdict for future in futures if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)


def test_a_practice_that_changes_its_profile_violates_none(processes: ProcessPoolExecutor) -> None:
    """It changes in the middle of the day, while workers are up, down or suspended; `--switching` for more."""
    once_fell = (
        150159,
        150225,
        162009,
        170785,
        170853,
        180925,
        190371,
        200117,
        200146,
        200221,
        200419,
        200550,
        200557,
        200767,
    )
    futures = [processes.submit(of_seed, seed, "", "switching") for seed in (*range(1, 9), *once_fell)]
    fallen = [verdict for future in futures if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)


def test_appointments_booked_in_kareo_violate_none(processes: ProcessPoolExecutor) -> None:
    """Each at most once in Kareo, in agreement at the end; `--booking` for more."""
    futures = [processes.submit(of_seed, seed, "", "booking") for seed in range(1, 9)]
    fallen = [verdict for future in futures if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)


def test_a_quiet_day_comes_to_rest(processes: ProcessPoolExecutor) -> None:
    """One practice, one worker, nothing goes wrong: the day is recorded and nothing is left to do."""
    verdicts = [processes.submit(tried, quiet(seed)) for seed in range(1, 6)]
    for future in verdicts:
        verdict = future.result()
        assert verdict.ok, told(verdict)
        assert verdict.events > 10


def test_a_seed_is_one_history(processes: ProcessPoolExecutor) -> None:
    """Two runs, also in different processes, give the same events at the same times; another seed gives others."""
    runs = [processes.submit(of_seed, seed) for seed in (3, 3, 3, 3, 4, 4)]
    digests = [future.result().digest for future in runs]
    assert len(set(digests[:4])) == 1
    assert digests[4] == digests[5] != digests[0]


def round_and_round() -> str:
    """A day in which tasks go on without virtual time passing."""

    async def day(_loop: object) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_spinning())

    try:
        with at_most(1):
            simulate(day)
    except Endless as error:
        return str(error)
    return ""


async def _spinning() -> None:
    while True:
        await asyncio.sleep(0)


def test_a_day_that_never_ends_is_told_and_holds_nobody_up(processes: ProcessPoolExecutor) -> None:
    assert processes.submit(round_and_round).result() == "the day did not end within 1 s"
