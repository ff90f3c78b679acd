"""Nobody answers for what came after an item was shown: the practice's owner compares, whoever asks, in the transaction of the answer."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.commands import ConflictSeen, DismissRequested, HoldRequested, ReleaseRequested
from events.ids import PatientKey
from projections.rules.accepted import shown_as
from projections.rules.holds import hold_shown_as
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL


def shown(clinic: Clinic, slot: str, key: PatientKey = ADA_KEY) -> str:
    patient = clinic.state.patients[key]
    return shown_as(patient.waiting[slot].code, slot, patient, clinic.state.directory, clinic.policy)


@pytest.mark.parametrize("asks", ["seen", "dismiss"])
def test_an_item_that_is_about_something_else_by_now_is_refused(asks: str) -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.carry_out_all()
    if asks == "seen":
        slot = "conflict:city"
        clinic.billing(replace(ADA_THERE, city="Macon"))
        clinic.ehr(replace(ADA, city="Athens", link_hint=f"kareo-patient:{ADA_THERE.id}"))
    else:
        slot = f"bill:{GOOD_BILL.id}"
        clinic.bill(replace(GOOD_BILL, deferred=True))
    old = shown(clinic, slot)
    if asks == "seen":
        clinic.carry_out_all()
        clinic.billing(replace(ADA_THERE, city="Columbus"))
    else:
        clinic.bill(replace(GOOD_BILL, deferred=True, notes="edited meanwhile"))
    now = shown(clinic, slot)
    assert old != now

    def ask(seen: str) -> str:
        body = (
            ConflictSeen(fields=("city",), who="ann", seen=seen)
            if asks == "seen"
            else DismissRequested(slot=slot, who="ann", reason="so be it", seen=seen)
        )
        return clinic.ask(body, billing=ADA_THERE.id)

    assert ask(old) == "changed"
    assert slot in clinic.state.patients[ADA_KEY].waiting
    assert ask(now) == ""


def test_without_what_was_shown_nothing_is_compared() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.bill(replace(GOOD_BILL, deferred=True))
    assert (
        clinic.ask(DismissRequested(slot=f"bill:{GOOD_BILL.id}", who="ann", reason="so be it"), billing=ADA_THERE.id) == ""
    )


def test_another_hold_of_the_same_scope_is_not_released_unseen() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.ask(HoldRequested(who="ann", reason="the phone is asked for"))
    ((slot, first),) = clinic.state.directory.holds.items()
    clinic.ask(HoldRequested(who="bea", reason="a court has asked for it"))
    second = clinic.state.directory.holds[slot]
    assert clinic.ask(ReleaseRequested(slot=slot, who="ann", seen=hold_shown_as(first))) == "changed"
    assert clinic.ask(ReleaseRequested(slot=slot, who="ann", seen=hold_shown_as(second))) == ""
