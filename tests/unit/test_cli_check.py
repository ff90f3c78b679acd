"""What `chartwire check-config`, and `chartwire run` before it starts, find out about clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from daemon.cli.check import clocks

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [-5, -0.2, 0, 5])
def test_clocks_that_agree_as_well_as_a_query_can_tell(seconds: float) -> None:
    assert clocks(NOW, NOW + timedelta(seconds=seconds)) == []


@pytest.mark.parametrize("seconds", [-3600, -6, 6, 86_400])
def test_a_machine_whose_clock_is_off_does_not_start(seconds: float) -> None:
    ((key, text),) = clocks(NOW, NOW + timedelta(seconds=seconds))
    assert key == "postgres.dsn"
    assert f"{abs(seconds):.0f} s apart" in text
