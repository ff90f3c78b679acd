"""What people ask for: links made and undone by hand, writes and bills tried again, items accepted as they are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.commands import (
    BillResendRequested,
    DismissRequested,
    LinkRequested,
    ResyncRequested,
    RetryRequested,
    UnlinkRequested,
)
from events.ids import BillingPatientId, EhrChartId, billing_key, ehr_key
from events.records import Provider
from events.writes import CreateBillingChart, CreateEhrAppointment, CreateEhrChart, CreateEncounter, Searched
from projections.deciding.repair import decisive, seen_of
from projections.rules.people import candidate
from projections.state.patient import encode_patient
from projections.state.state import PracticeState
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL, PHYSICIANS, PROVIDERS
from tests.unit.stories import VISIT

ALONE = f"E:{ADA.id}"
MARY_THERE = replace(ADA_THERE, id=BillingPatientId(902), first_name="Mary", last_name="Shelley")


def link(clinic: Clinic, ehr: int = ADA.id, billing: int = ADA_THERE.id, *, force: bool = False) -> str:
    body = LinkRequested(ehr=EhrChartId(ehr), billing=BillingPatientId(billing), who="ada", force=force)
    return clinic.ask(body, ehr, billing)


def unlink(clinic: Clinic, ehr: int | None = None, billing: int | None = ADA_THERE.id) -> str:
    body = UnlinkRequested(
        who="ada",
        ehr=None if ehr is None else EhrChartId(ehr),
        billing=None if billing is None else BillingPatientId(billing),
    )
    return clinic.ask(body, ehr, billing)


def worked() -> Clinic:
    """Linked, with an appointment and a bill written."""
    clinic = Clinic()
    clinic.linked()
    clinic.appointment(VISIT)
    clinic.bill(GOOD_BILL)
    clinic.carry_out_all()
    return clinic


def replays(clinic: Clinic) -> bool:
    """I7, byte for byte."""
    state = PracticeState()
    for number, event in enumerate(clinic.events):
        state.apply(event, number)
    stored = {key: encode_patient(one) for key, one in clinic.state.patients.items()}
    return (
        stored == {key: encode_patient(one) for key, one in state.patients.items()} and state.charts == clinic.state.charts
    )


def test_a_link_of_charts_that_changed_since_they_were_shown_is_refused():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.billing(replace(MARY_THERE, first_name="Adda", last_name="Byron"))
    charts = (clinic.state.patients[ehr_key(ADA.id)], clinic.state.patients[billing_key(MARY_THERE.id)])
    seen = seen_of(*charts, clinic.state, clinic.policy)
    body = LinkRequested(ehr=ADA.id, billing=MARY_THERE.id, who="ada", seen=seen)
    clinic.billing(replace(MARY_THERE, first_name="Adda", last_name="Byron", city="Macon"))
    assert clinic.ask(body, ADA.id, MARY_THERE.id) == "changed"
    clinic.billing(replace(MARY_THERE, first_name="Adda", last_name="Byron"))
    assert clinic.ask(body, ADA.id, MARY_THERE.id) == ""
    assert clinic.links() == {(101, 902)}


@pytest.mark.parametrize(
    ("first", "last", "differ"),
    [
        ("Adda", "Byron", ()),
        ("Ada", "Byron-King", ()),
        ("Byron", "Ada", ()),
        ("Mary", "Byron", ("first_name",)),
        ("Ada", "Shelley", ("last_name",)),
    ],
)
def test_a_name_spelled_another_way_needs_no_force(first: str, last: str, differ: tuple[str, ...]):
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.billing(replace(MARY_THERE, first_name=first, last_name=last, birth_date=ADA.birth_date, sex=ADA_THERE.sex))
    charts = (clinic.state.patients[ehr_key(ADA.id)], clinic.state.patients[billing_key(MARY_THERE.id)])
    assert decisive(*charts, clinic.state, clinic.policy) == differ


def test_unlinked_charts_wait_and_nothing_is_linked_searched_or_created():
    clinic = worked()
    assert unlink(clinic) == ""
    assert clinic.links() == set()
    assert clinic.waits("chart") == clinic.waits("chart", ALONE) == "unlinked"
    clinic.ehr(replace(ADA, city="Macon", link_hint="kareo-patient:901"))
    clinic.billing(replace(ADA_THERE, city="Athens"))
    assert clinic.carry_out_all() == []
    assert clinic.links() == set()
    assert replays(clinic)


@pytest.mark.parametrize("hint", ["", "kareo-patient:901"])
def test_another_chart_is_not_linked_with_a_patient_whom_a_person_unlinked(hint: str):
    """Simulated day 98: the pair was undone, and another chart of the same person took the patient without a word."""
    clinic = worked()
    unlink(clinic)
    clinic.ehr(replace(ADA, id=EhrChartId(102), link_hint=hint))
    assert clinic.links() == set()
    clinic.succeed("E:102", "chart", Searched(candidates=(candidate(ADA_THERE),)))
    assert clinic.links() == set()
    assert clinic.waits("chart") == "unlinked"
    assert clinic.waits("chart", "E:102") == "candidates"
    assert "that a person unlinked" in clinic.waiting("E:102")["chart"].text
    assert link(clinic, 102) == ""
    assert clinic.links() == {(102, 901)}
    assert replays(clinic)


def test_the_same_pair_linked_again_goes_on_where_it_was():
    clinic = worked()
    before = clinic.patient()
    unlink(clinic)
    assert clinic.waits("bill:4001", ALONE) == "billed-to-former"
    assert link(clinic) == ""
    assert clinic.links() == {(101, 901)}
    assert clinic.carry_out_all() == []
    after = clinic.patient()
    assert (after.appointments, after.bills, after.base) == (before.appointments, before.bills, before.base)
    assert after.former == {}
    assert replays(clinic)


def test_another_link_writes_appointments_anew_and_bills_nothing_twice():
    clinic = worked()
    unlink(clinic)
    clinic.billing(MARY_THERE)
    clinic.carry_out_all()
    other = replace(ADA, id=EhrChartId(102))
    clinic.ehr(other)
    clinic.carry_out_all()
    assert link(clinic, 102) in ("", "linked")
    writes = clinic.requests()
    assert sum(isinstance(one.write, CreateEncounter) for one in writes) == 1
    created = [one.write.chart for one in writes if isinstance(one.write, CreateEhrAppointment)]
    assert created == [101, 102] if (102, 901) in clinic.links() else created == [101]
    assert replays(clinic)


def test_what_was_written_to_an_unlinked_chart_waits_for_a_hand_whatever_becomes_of_the_patient():
    clinic = worked()
    assert "former:101" not in clinic.waiting()
    unlink(clinic)
    assert clinic.waiting()["former:101"].text.startswith("1 appointments and 0 policies written to elation:101 ")
    clinic.kareo_vanished(ADA_THERE.id)
    assert clinic.waits("former:101") == "left-behind"
    assert clinic.ask(DismissRequested(slot="former:101", who="ada", reason="moved it"), None, 901) == ""
    assert "former:101" not in clinic.waiting()
    clinic.billing(ADA_THERE)
    assert "former:101" not in clinic.waiting()
    assert link(clinic) == ""
    assert clinic.patient().dismissed == {}
    assert replays(clinic)


def test_what_a_person_accepted_goes_on_when_what_it_waited_for_comes():
    clinic = Clinic()
    clinic.linked()
    clinic.appointment(replace(VISIT, provider=None, provider_name="Ann Other"))
    slot = f"appointment:{VISIT.key}"
    assert clinic.waits(slot) == "no-calendar"
    assert clinic.ask(DismissRequested(slot=slot, who="ada", reason="next week"), None, 901) == ""
    clinic.kareo_directory((*PROVIDERS, Provider(id=299, first_name="Ann", last_name="Other", full_name="Ann Other")))
    assert clinic.carry_out_all() == []
    assert slot not in clinic.waiting()
    clinic.elation_directory((*PHYSICIANS, Provider(id=699, first_name="Ann", last_name="Other", full_name="Ann Other")))
    assert any(isinstance(one, CreateEhrAppointment) for one in clinic.carry_out_all())
    assert clinic.patient().dismissed == {}
    assert replays(clinic)


def test_resync_as_new_lets_an_unlinked_chart_go_on_but_not_back():
    clinic = worked()
    unlink(clinic)
    assert clinic.ask(ResyncRequested(who="ada"), None, 901) == ""
    assert clinic.waits("chart") == "unlinked"
    assert clinic.ask(ResyncRequested(who="ada", as_new=True), None, 901) == ""
    assert any(isinstance(one, CreateEhrChart) for one in clinic.carry_out_all())
    assert clinic.links() != {(101, 901)}
    assert clinic.waits("chart", ALONE) == "unlinked"
    assert replays(clinic)


def test_a_link_between_people_who_differ_needs_force():
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, last_name="Lovelace", sex="Male"))
    clinic.ehr(ADA)
    assert link(clinic) == "differs"
    assert clinic.links() == set()
    assert link(clinic, force=True) == ""
    assert clinic.links() == {(101, 901)}
    assert replays(clinic)


def test_a_second_link_and_one_with_a_stranger_are_refused_and_change_nothing():
    clinic = worked()
    clinic.billing(MARY_THERE)
    before = {key: encode_patient(one) for key, one in clinic.state.patients.items()}
    assert link(clinic, 101, 902, force=True) == "linked"
    assert link(clinic, 999, 902) == "not-known"
    assert {key: encode_patient(one) for key, one in clinic.state.patients.items()} == before
    assert replays(clinic)


def test_two_said_to_be_different_people_are_no_candidates():
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, birth_date=None))
    clinic.ehr(ADA)
    assert unlink(clinic, ADA.id, ADA_THERE.id) == ""
    assert clinic.patient().barred == clinic.patient(ALONE).barred == ((101, 901),)
    clinic.ehr(replace(ADA, link_hint="kareo-patient:901"))
    assert clinic.links() == set()
    assert any(isinstance(one, CreateBillingChart) for one in clinic.carry_out_all())
    assert replays(clinic)


def test_of_two_who_decide_about_a_pair_the_second_is_refused():
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, birth_date=None))
    clinic.ehr(ADA)
    one_person = LinkRequested(ehr=ADA.id, billing=ADA_THERE.id, who="bob", force=True, undecided=True)
    two_persons = UnlinkRequested(ehr=ADA.id, billing=ADA_THERE.id, who="bob", undecided=True)
    assert unlink(clinic, ADA.id, ADA_THERE.id) == ""
    assert clinic.ask(one_person, ADA.id, ADA_THERE.id) == "changed"
    assert clinic.links() == set()
    assert clinic.ask(two_persons, ADA.id, ADA_THERE.id) == ""
    assert link(clinic, force=True) == "", "who means it though somebody has decided is not stopped"
    assert clinic.ask(two_persons, ADA.id, ADA_THERE.id) == "linked"
    assert clinic.links() == {(101, 901)}
    assert replays(clinic)


def test_unlinking_waits_for_a_write_under_way():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.attempt(ADA_KEY, "demographics:elation")
    assert unlink(clinic) == "under-way"
    assert clinic.links() == {(101, 901)}


def test_retry_asks_for_a_refused_write_again():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.refuse(ADA_KEY, "demographics:elation")
    assert clinic.ask(RetryRequested(slots=("policies",), who="ada"), None, 901) == "not-refused"
    assert clinic.ask(RetryRequested(slots=(), who="ada"), None, 901) == ""
    assert clinic.intent(ADA_KEY, "demographics:elation").state == "requested"
    assert clinic.waits("demographics:elation") == ""
    clinic.carry_out_all()
    assert replays(clinic)


def test_resend_sends_a_refused_bill_again_and_a_sent_one_never():
    clinic = Clinic()
    clinic.linked()
    clinic.bill(GOOD_BILL)
    clinic.refuse(ADA_KEY, "bill:4001")
    clinic.carry_out_all()
    assert clinic.waits("bill:4001") == "bill-error"
    assert clinic.ask(BillResendRequested(bill=4001, who="ada"), 101) == ""
    assert isinstance(clinic.wanted("bill:4001"), CreateEncounter)
    clinic.carry_out_all()
    assert clinic.ask(BillResendRequested(bill=4001, who="ada"), 101) == "sent"
    assert replays(clinic)


def test_a_dismissed_item_comes_back_when_the_thing_itself_changes():
    clinic = worked()
    clinic.bill(replace(GOOD_BILL, status="Billed", ref_number="1", notes="edited"))
    assert clinic.waits("bill:4001") == "differs-after-sent"
    asked = DismissRequested(slot="bill:4001", who="ada", reason="corrected in Kareo")
    assert clinic.ask(asked, None, 901) == ""
    clinic.billing(replace(ADA_THERE, city="Macon"))
    assert clinic.waits("bill:4001") == ""
    assert clinic.patient().dismissed["bill:4001"].reason == "corrected in Kareo"
    clinic.bill(replace(GOOD_BILL, status="Billed", ref_number="1", notes="edited again"))
    assert clinic.waits("bill:4001") == "differs-after-sent"
    assert clinic.patient().dismissed == {}
    assert clinic.ask(DismissRequested(slot="nothing", who="ada", reason="x"), None, 901) == "not-waiting"
    assert replays(clinic)
