"""What tests of the clinic day share beside it (`tests.rehearsed`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.sandbox.clinic import NAMES, Office

if TYPE_CHECKING:
    from tests.rehearsed import Rehearsed


@pytest.fixture(params=[id_ for id_, *_ in NAMES])
def office(request: pytest.FixtureRequest, rehearsed: Rehearsed) -> Office:
    return next(one for one in rehearsed.offices if one.id == request.param)
