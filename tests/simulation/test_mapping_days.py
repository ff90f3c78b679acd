"""Days on which rows of the maps are saved and given back: all agrees in the end, by the maps as they are then."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from tests.simulation.crowd import of_seed
from tests.simulation.shrink import told

SEEDS = range(1, 17)


def test_all_agrees_though_people_map_and_give_back(processes: ProcessPoolExecutor) -> None:
    """People save rows of the maps and give them back; `python -m tests.simulation --mapping` for more."""
    futures = [processes.submit(of_seed, seed, "", "mapping") for seed in SEEDS]
    fallen = [verdict for future in futures if not (verdict := future.result()).ok]
    assert not fallen, "\n\n".join(told(verdict) for verdict in fallen)
