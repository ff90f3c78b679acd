"""A vendor down for 24 hours: no lost change, no limit exceeded on recovery, at most one alert per practice and system."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.crowd import tried
from tests.simulation.plan import outage
from tests.simulation.shrink import told


@pytest.mark.parametrize("system", ["Elation", "Kareo"])
def test_a_vendor_down_for_a_day_costs_no_change_and_one_alert(processes: ProcessPoolExecutor, system: str) -> None:
    """Connections refused, requests swallowed, or 50x, for 24 simulated hours."""
    verdicts = [processes.submit(tried, outage(seed, system)) for seed in range(1, 5)]
    for future in verdicts:
        verdict = future.result()
        assert verdict.ok, told(verdict)
        assert verdict.seconds > 26 * 3600
        assert all(count == 1 for count in verdict.alerts.values()), verdict.alerts
        assert {f"elm system:{system.lower()}", f"oak system:{system.lower()}"} <= set(verdict.alerts)
