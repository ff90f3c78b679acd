"""Whom a command is about: each chart that it names, in its envelope or its body."""

from __future__ import annotations

import pytest

from daemon.operator.commands import command
from daemon.operator.concerned import patients_named
from events.commands import Command, GoLiveRequested, LinkRequested, MoveLinkRequested, ReleaseRequested, TellApartRequested
from events.ids import BillingPatientId, Charts, EhrChartId, PracticeId
from events.writes import System

FIVE, SIX, SEVEN = EhrChartId(5), BillingPatientId(6), BillingPatientId(7)


@pytest.mark.parametrize(
    ("body", "charts", "named"),
    [
        (GoLiveRequested(who="ann"), Charts(), set()),
        (LinkRequested(ehr=FIVE, billing=SIX, who="ann"), Charts(FIVE, SIX), {"E:5", "K:6"}),
        (MoveLinkRequested(source=SEVEN, target=SIX, who="ann"), Charts(FIVE, SIX), {"E:5", "K:6", "K:7"}),
        (TellApartRequested(system=System.EHR, one=5, other=8, who="ann"), Charts(), {"E:5", "E:8"}),
        (TellApartRequested(system=System.BILLING, one=6, other=7, who="ann"), Charts(), {"K:6", "K:7"}),
        (ReleaseRequested(slot="hold:all:both:K:6", who="ann"), Charts(), {"K:6"}),
        (ReleaseRequested(slot="hold:all:both", who="ann"), Charts(), set()),
        (ReleaseRequested(slot="hold:all:both:K:made up", who="ann"), Charts(), set()),
    ],
)
def test_every_chart_that_a_command_names_is_told(body: Command, charts: Charts, named: set[str]) -> None:
    assert set(patients_named(command(PracticeId("elm"), body, charts))) == named
