"""What tests of the clinic day share beside it (`tests.played_day`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.sandbox.clinic import NAMES, Office

if TYPE_CHECKING:
    from tests.played_day import PlayedDay


@pytest.fixture(params=[id_ for id_, *_ in NAMES])
def office(request: pytest.FixtureRequest, played_day: PlayedDay) -> Office:
    return next(one for one in played_day.offices if one.id == request.param)
