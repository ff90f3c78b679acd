"""Who may be the same person as a chart that is kept out: linked with nobody, created nowhere, until a person has decided."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.commands import LinkRequested, UnlinkRequested
from events.writes import Searched
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_THERE
from tests.unit.test_holds import ALONE, candidate, keep_out


@pytest.mark.parametrize("hint", ["", "kareo-patient:901"])
def test_nobody_is_linked_with_a_chart_that_is_kept_out(hint: str) -> None:
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    keep_out(clinic, billing=ADA_THERE.id)
    clinic.ehr(replace(ADA, link_hint=hint))
    clinic.succeed(ALONE, "chart", Searched(candidates=(candidate(ADA_THERE),)))
    assert clinic.links() == set()
    assert clinic.waits("chart", ALONE) == "candidates"
    assert clinic.open() == [], "it may be the same person: a second patient would be made"
    assert clinic.ask(LinkRequested(ehr=ADA.id, billing=ADA_THERE.id, who="ann"), 101, 901) == "kept-out"


@pytest.mark.parametrize("decided", ["two persons", "kept out, too", "taken in again"])
def test_who_may_be_a_chart_that_is_kept_out_waits_until_a_person_decides(decided: str) -> None:
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, birth_date=None))
    clinic.ehr(ADA)
    clinic.succeed(ALONE, "chart", Searched(candidates=(candidate(replace(ADA_THERE, birth_date=None)),)))
    assert clinic.waits("chart", ALONE) == "candidates"
    assert keep_out(clinic, billing=ADA_THERE.id) == ""
    assert clinic.waits("chart", ALONE) == "candidates"
    assert clinic.open() == []
    match decided:
        case "two persons":
            assert clinic.ask(UnlinkRequested(ehr=ADA.id, billing=ADA_THERE.id, who="ann"), 101, 901) == ""
            assert clinic.waiting(ALONE) == {}
            assert type(clinic.wanted("chart", ALONE)).__name__ == "CreateBillingChart"
        case "kept out, too":
            assert keep_out(clinic, ehr=ADA.id) == ""
            assert (clinic.waiting(ALONE), clinic.open()) == ({}, [])
        case "taken in again":
            assert keep_out(clinic, billing=ADA_THERE.id, undo=True) == ""
            clinic.billing(replace(ADA_THERE, birth_date=None))
            assert clinic.waits("chart", ALONE) == "candidates"
