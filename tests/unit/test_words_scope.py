"""What a hold is about, in options that the command line takes back."""

from __future__ import annotations

import pytest

from daemon.cli.commands import parser_of
from events.holds import HoldScope
from events.ids import PRACTICE, BillingPatientId, EhrChartId, billing_key, charts_of, ehr_key
from events.writes import Resource, System
from projections.terms.names import NAMES
from projections.words.scope import TO, scope_options

SCOPES = [
    HoldScope(resource, system, patient)
    for resource in (None, Resource.BILL)
    for system in (None, *System)
    for patient in (PRACTICE, ehr_key(EhrChartId(7)), billing_key(BillingPatientId(8)))
]


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_the_options_of_a_hold_are_read_as_what_it_holds(scope: HoldScope) -> None:
    given = ["release", "elm", *scope_options(scope, NAMES).split()]
    read = parser_of(given).parse_args(given)
    assert read.resource == (scope.resource and scope.resource.value)
    assert read.direction == (scope.system and TO[scope.system])
    assert (NAMES.charts_in(read.patient) if read.patient else None) == (charts_of(scope.patient) if scope.patient else None)
