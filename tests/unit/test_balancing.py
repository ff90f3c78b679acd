"""Accounts that balance. Every signed visit note is in one place, over any history, and nothing unbilled is left off the list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.commands import (
    BillResendRequested,
    DismissRequested,
    HoldRequested,
    KeepOutRequested,
    ReleaseRequested,
    UnlinkRequested,
)
from events.ids import EhrChartId
from events.records import BillingCase, BillLine, EhrBill
from events.schema import IntentRequested, IntentSucceeded
from events.writes import CreateEncounter, Resource, System
from projections.rules.balancing import BalanceSheet, BillStanding, Unbilled, balance_sheet, is_signed, unread_bills
from projections.state.patient import decode_patient, encode_patient
from projections.words.period import Period, of_day
from tests.unit.bills import ANSWER, SLOT, billed, lined
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL

MARCH = of_day("month", date(2026, 3, 2))


def sheet(clinic: Clinic, period: Period = MARCH) -> BalanceSheet:
    return balance_sheet(clinic.state.patients.values(), clinic.state.directory, clinic.policy, period)


def where(clinic: Clinic) -> tuple[BillStanding, str]:
    (one,) = sheet(clinic).notes
    return one.standing, one.code


# -- each place -----------------------------------------------------------------------------------------------------------


def test_a_bill_on_its_way_is_ready_and_then_sent() -> None:
    clinic = billed()
    assert where(clinic) == (BillStanding.READY, Unbilled.ON_ITS_WAY)
    clinic.write(ADA_KEY, SLOT)
    assert where(clinic) == (BillStanding.SENT, "")
    assert sheet(clinic).listed == ()
    assert sheet(clinic).notes[0].encounter == clinic.created


def test_a_note_that_is_not_signed_is_not_on_the_sheet() -> None:
    assert sheet(billed(replace(GOOD_BILL, signed=False))).signed == 0
    assert sheet(billed(replace(GOOD_BILL, note_deleted=True))).notes == ()


def test_a_deferred_bill_is_deferred_until_it_is_released() -> None:
    clinic = billed(replace(GOOD_BILL, deferred=True))
    assert where(clinic) == (BillStanding.DEFERRED, "deferred")
    assert "press Send to PMS" in sheet(clinic).listed[0].text
    clinic.bill(GOOD_BILL)
    assert where(clinic)[0] is BillStanding.READY


def test_a_bill_error_is_in_error_with_the_sentence_that_fixes_it() -> None:
    clinic = billed(lined(cpt=""))
    assert where(clinic) == (BillStanding.IN_ERROR, "bill-error")
    clinic.write(ADA_KEY, ANSWER)
    assert where(clinic) == (BillStanding.IN_ERROR, "bill-error")
    assert "Line 1 has no CPT code" in sheet(clinic).listed[0].text


def test_what_a_person_accepts_unbilled_is_kept_out_and_stays_on_the_list() -> None:
    clinic = billed(lined(cpt=""))
    clinic.write(ADA_KEY, ANSWER)
    clinic.ask(DismissRequested(slot=SLOT, who="ann", reason="a courtesy visit"), billing=ADA_THERE.id)
    (one,) = sheet(clinic).listed
    assert (one.standing, one.code) == (BillStanding.KEPT_OUT, Unbilled.ACCEPTED)
    assert "by ann: a courtesy visit" in one.text


def test_what_somebody_marked_as_billed_is_kept_out_and_balances() -> None:
    clinic = billed(replace(GOOD_BILL, status="Billed", ref_number="by hand"))
    assert where(clinic) == (BillStanding.KEPT_OUT, "")


def test_where_bills_do_not_go_nothing_is_called_billed() -> None:
    clinic = billed()
    policy = replace(clinic.policy, table={**clinic.policy.table, Resource.BILL: ()})
    (one,) = balance_sheet(clinic.state.patients.values(), clinic.state.directory, policy, MARCH).listed
    assert (one.standing, one.code) == (BillStanding.KEPT_OUT, Unbilled.NOT_SYNCHRONIZED)


def test_a_bill_edited_after_it_was_sent_is_sent_and_does_not_balance() -> None:
    clinic = billed()
    clinic.write(ADA_KEY, SLOT)
    clinic.bill(replace(GOOD_BILL, notes="other"))
    assert where(clinic) == (BillStanding.SENT, "differs-after-sent")


def test_a_note_deleted_after_its_bill_was_sent_says_which_encounter_to_void() -> None:
    clinic = billed()
    clinic.write(ADA_KEY, SLOT)
    clinic.bill(replace(GOOD_BILL, note_deleted=True, signed=False))
    assert where(clinic) == (BillStanding.SENT, Unbilled.NOTE_DELETED)
    assert f"void encounter {clinic.created} in Kareo" in sheet(clinic).listed[0].text


def test_a_bill_whose_chart_is_not_linked_is_ready_and_says_so() -> None:
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.bill(GOOD_BILL)
    assert where(clinic) == (BillStanding.READY, "chart-pending")


def test_the_bill_of_a_patient_who_is_kept_out_is_kept_out_and_balances() -> None:
    clinic = billed()
    clinic.ask(KeepOutRequested(who="ann", reason="a test patient"), billing=ADA_THERE.id)
    (one,) = sheet(clinic).notes
    assert (one.standing, one.code, sheet(clinic).of_kept_out) == (BillStanding.KEPT_OUT, "", 1)
    assert one.text == "the patient is kept out, by ann: a test patient"
    clinic.ask(KeepOutRequested(who="ann", reason="", undo=True), billing=ADA_THERE.id)
    assert where(clinic)[0] is BillStanding.READY


def test_a_bill_that_comes_while_its_patient_is_kept_out_is_of_no_day_and_is_named_until_it_is_read() -> None:
    clinic = billed(replace(GOOD_BILL, signed=False))
    clinic.ask(KeepOutRequested(who="ann", reason="a test patient"), billing=ADA_THERE.id)
    clinic.bill(replace(GOOD_BILL, id=4050, visit_note=5050))
    clinic.bill(GOOD_BILL)
    assert sheet(clinic).notes == (), "what was unsigned when it was last read is not counted"
    found = unread_bills(clinic.state.patients.values())
    assert [(one.bill, one.patient, one.chart) for one in found] == [
        (GOOD_BILL.id, ADA_KEY, ADA.id),
        (4050, ADA_KEY, ADA.id),
    ]
    clinic.ask(KeepOutRequested(who="ann", reason="", undo=True), billing=ADA_THERE.id)
    clinic.bill(GOOD_BILL)
    assert [one.bill for one in unread_bills(clinic.state.patients.values())] == [4050]
    assert [one.bill for one in sheet(clinic).notes] == [GOOD_BILL.id]


def test_a_signed_bill_that_is_seen_again_while_its_patient_is_kept_out_is_counted_once() -> None:
    clinic = billed()
    clinic.ask(KeepOutRequested(who="ann", reason="a test patient"), billing=ADA_THERE.id)
    clinic.bill(replace(GOOD_BILL, signed=True, deferred=True))
    assert [one.standing for one in sheet(clinic).notes] == [BillStanding.KEPT_OUT]
    assert unread_bills(clinic.state.patients.values()) == ()


def test_a_bill_that_is_held_is_ready_and_says_who_holds_it() -> None:
    clinic = billed()
    clinic.ask(HoldRequested(who="ann", reason="new fee schedule", resource=Resource.BILL))
    assert where(clinic) == (BillStanding.READY, Unbilled.HELD)
    assert "held by ann: new fee schedule" in sheet(clinic).listed[0].text
    (slot,) = clinic.state.directory.holds
    clinic.ask(ReleaseRequested(who="ann", reason="", slot=slot))
    assert where(clinic) == (BillStanding.READY, Unbilled.ON_ITS_WAY)


def test_a_bill_without_a_day_of_service_is_of_the_practices_day_on_which_it_was_seen() -> None:
    clinic = billed(replace(GOOD_BILL, service_day=None))
    seen = clinic.patient().bills[str(GOOD_BILL.id)].first_seen.astimezone()
    everything = Period("day", seen.date() - timedelta(days=1), seen.date() + timedelta(days=1))
    assert [one.standing for one in sheet(clinic, everything).notes] == [BillStanding.IN_ERROR]


def test_a_bill_that_two_charts_show_counts_once_and_as_sent() -> None:
    clinic = billed()
    before = decode_patient(encode_patient(clinic.patient()))
    clinic.write(ADA_KEY, SLOT)
    found = balance_sheet([clinic.patient(), before], clinic.state.directory, clinic.policy, MARCH)
    assert (found.signed, [one.standing for one in found.notes]) == (1, [BillStanding.SENT])


# -- any history ----------------------------------------------------------------------------------------------------------

FIRST = date(2026, 2, 20)
Step = Callable[[Clinic, EhrBill], None]


def see(**changes: object) -> Step:
    return lambda clinic, bill: clinic.bill(replace(_now(clinic, bill), **changes)) and None


def _now(clinic: Clinic, bill: EhrBill) -> EhrBill:
    """The bill as the chart side shows it by now."""
    for patient in clinic.state.patients.values():
        if (entry := patient.bills.get(str(bill.id))) is not None:
            return entry.bill
    return bill


def answered(*, refused: bool = False) -> Step:
    """The billing side, and then the chart side, answers what is asked of it about this bill."""

    def step(clinic: Clinic, bill: EhrBill) -> None:
        for slot in (f"bill:{bill.id}", f"bill-answer:{bill.id}"):
            for key, open_slot, one in clinic.open():
                if open_slot == slot and one.state == "requested":
                    if refused and one.system is System.BILLING:
                        clinic.refuse(key, slot, "Invalid procedure code")
                    else:
                        clinic.write(key, slot)
                    break

    return step


def asked(clinic: Clinic, bill: EhrBill) -> None:
    clinic.ask(BillResendRequested(bill=bill.id, who="ann", reason=""), ehr=bill.patient)


def accepted(clinic: Clinic, bill: EhrBill) -> None:
    clinic.ask(DismissRequested(slot=f"bill:{bill.id}", who="ann", reason="so be it"), ehr=bill.patient)


def unlinked(clinic: Clinic, _bill: EhrBill) -> None:
    clinic.ask(UnlinkRequested(billing=ADA_THERE.id, who="ann", reason=""), billing=ADA_THERE.id)


def kept(*, undo: bool) -> Step:
    def step(clinic: Clinic, _bill: EhrBill) -> None:
        clinic.ask(KeepOutRequested(who="ann", reason="a test patient", undo=undo), billing=ADA_THERE.id)

    return step


STEPS: dict[str, Step] = {
    "signed": see(signed=True),
    "unsigned": see(signed=False),
    "deferred": see(deferred=True),
    "released": see(deferred=False),
    "spoilt": see(lines=(BillLine(cpt="", units="1", unit_charge="1"),)),
    "corrected": see(lines=GOOD_BILL.lines),
    "edited": see(notes="edited"),
    "billed by hand": see(status="Billed", ref_number="77"),
    "deleted": see(note_deleted=True),
    "moved": see(service_day=date(2026, 4, 1)),
    "dayless": see(service_day=None),
    "answered": answered(),
    "refused": answered(refused=True),
    "asked": asked,
    "accepted": accepted,
    "unlinked": unlinked,
    "kept out": kept(undo=False),
    "taken in": kept(undo=True),
}
HISTORY = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 4)), max_size=24)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORY, st.booleans())
def test_over_any_history_the_sides_add_up(history: list[tuple[str, int]], cases: bool) -> None:
    clinic = Clinic()
    clinic.linked(there=replace(ADA_THERE, cases=(BillingCase(id=71, name="Primary", is_primary=True),) if cases else ()))
    bills = [
        replace(GOOD_BILL, id=4001 + at, visit_note=5001 + at, service_day=FIRST + timedelta(days=4 * at)) for at in range(5)
    ]
    for bill in bills:
        clinic.bill(replace(bill, signed=False))
    for name, at in history:
        STEPS[name](clinic, bills[at])
    wanted = [_now(clinic, bill) for bill in bills]
    out = any(one.out for one in clinic.state.directory.kept_out.values())
    sent = sent_bills(clinic)
    for period in (MARCH, *(of_day(kind, date(2026, 3, 2)) for kind in ("day", "week")), of_day("month", FIRST)):
        found = sheet(clinic, period)
        assert sum(found.counts.values()) == found.signed == len(found.notes)
        signed = {one.id for one in wanted if one.id in sent or (one.signed and not one.note_deleted)}
        dated = {one.id for one in wanted if one.service_day is not None and one.service_day in period}
        assert {one.bill for one in found.notes} >= signed & dated
        assert {one.bill for one in found.notes} <= signed
        for note in found.notes:
            assert (note.standing is BillStanding.SENT) is (note.bill in sent)
            now = next(one for one in wanted if one.id == note.bill)
            billed_there = note.bill in sent or now.status == "Billed" or now.ref_number or out
            assert note.code or billed_there, note
            assert not note.code or note.text, note
    days = [of_day("day", date(2026, 3, 1) + timedelta(days=number)) for number in range(31)]
    parts = [sheet(clinic, one) for one in days]
    assert sum(one.signed for one in parts) == sheet(clinic).signed
    assert sorted(note.bill for one in parts for note in one.notes) == sorted(note.bill for note in sheet(clinic).notes)


def sent_bills(clinic: Clinic) -> set[int]:
    """The bills that became encounters, from the events alone."""
    asked_for = {
        event.body.intent: event.body.write.bill
        for event in clinic.events
        if isinstance(event.body, IntentRequested) and isinstance(event.body.write, CreateEncounter)
    }
    return {
        asked_for[event.body.intent]
        for event in clinic.events
        if isinstance(event.body, IntentSucceeded) and event.body.intent in asked_for
    }


def test_the_equation_can_be_broken() -> None:
    """What is counted as signed is counted apart from the places."""
    clinic = billed()
    entry = clinic.patient().bills[str(GOOD_BILL.id)]
    assert is_signed(entry)
    assert not is_signed(replace(entry, bill=replace(entry.bill, signed=False)))
    found = BalanceSheet(MARCH, 2, sheet(clinic).notes)
    assert sum(found.counts.values()) != found.signed
    assert EhrChartId(ADA.id) == found.notes[0].chart
