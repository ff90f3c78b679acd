"""guide: Bills: on signing (or release), checked, sent once as an encounter, answered, frozen."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from events.commands import BillReleaseRequested
from events.ids import EhrChartId
from events.records import BillingCase
from events.terms import EncounterTerms
from events.writes import (
    AddBillingCase,
    BillWritten,
    CreateEncounter,
    MarkBilled,
    MarkBillError,
    RecordCreated,
    ReleaseBill,
    Resource,
)
from projections.terms.policy import BILLING_LED, BillPrices, Direction
from tests.unit.bills import ANSWER, LINE, SLOT, billed, codes, lined
from tests.unit.clinic import Clinic
from tests.unit.records import (
    ADA,
    ADA_KEY,
    ADA_THERE,
    GOOD_BILL,
    HOUSE,
    KAREO_GREY,
    KAREO_HOUSE,
    KAREO_LOCUM,
    KAREO_MAIN_STREET,
    MAIN_STREET,
)

# A good bill, row by row


def test_a_signed_bill_becomes_an_encounter_with_its_fields_row_by_row():
    write = billed(replace(GOOD_BILL, supervising_provider=HOUSE, prior_authorization="PA-1")).wanted(SLOT)
    assert write == CreateEncounter(
        bill=4001,
        content=write.content,
        patient=ADA_THERE.id,
        case_id=71,
        service_day=date(2026, 3, 2),
        post_day=date(2026, 3, 2),
        rendering_provider=KAREO_GREY,
        supervising_provider=KAREO_HOUSE,
        location=KAREO_MAIN_STREET,
        place_of_service="11",
        lines=(EncounterTerms(cpt="99213", units="1.0", unit_charge="120.00", modifiers=("25",), dxs=("E11.9", "I10")),),
        further_dxs=(),
        notes="Please post today",
        prior_authorization="PA-1",
        batch="4001",
        status="Draft",
    )


ROWS = {
    "CPT / procedure code": (lined(cpt=" 99214 "), lambda write: write.lines[0].cpt, "99214"),
    "HCPCS / procedure code": (lined(cpt="g0439"), lambda write: write.lines[0].cpt, "G0439"),
    "modifiers": (lined(modifiers=("25", "", "gt")), lambda write: write.lines[0].modifiers, ("25", "GT")),
    "charge / unit charge": (lined(unit_charge="99.5"), lambda write: write.lines[0].unit_charge, "99.5"),
    "quantity / units": (lined(units="2.0"), lambda write: write.lines[0].units, "2.0"),
    "no quantity is one unit": (lined(units=""), lambda write: write.lines[0].units, "1"),
    "Dx / diagnosis": (lined(dxs=("i10", "E11.9", "I10")), lambda write: write.lines[0].dxs, ("I10", "E11.9")),
    "service location": (GOOD_BILL, lambda write: write.location, KAREO_MAIN_STREET),
    "place of service": (replace(GOOD_BILL, place_of_service="2"), lambda write: write.place_of_service, "02"),
    "notes": (replace(GOOD_BILL, notes="Copay taken"), lambda write: write.notes, "Copay taken"),
    "the chart's physician when nobody else rendered": (
        replace(GOOD_BILL, rendering_provider=None, physician=HOUSE),
        lambda write: write.rendering_provider,
        KAREO_HOUSE,
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_table(row: str):
    bill, read, expected = ROWS[row]
    assert read(billed(bill).wanted(SLOT)) == expected


def test_status_place_and_batch_are_as_the_practice_configures():
    write = billed(encounter_status="Approved", places_of_service={MAIN_STREET: "22"}, batch_numbers=False).wanted(SLOT)
    assert (write.status, write.place_of_service, write.batch) == ("Approved", "22", "")


@pytest.mark.parametrize(
    ("prices", "units", "charge"), [("both", "1.0", "120.00"), ("units-only", "1.0", ""), ("none", "", "")]
)
def test_amounts_go_along_as_the_practice_configures(prices: str, units: str, charge: str):
    """EHR_LED section 2: the vendor's guides contradict each other about them."""
    (line,) = billed(bill_prices=BillPrices(prices)).wanted(SLOT).lines
    assert (line.units, line.unit_charge) == (units, charge)


def test_an_amount_that_is_not_sent_cannot_be_wrong():
    assert billed(lined(unit_charge="?"), bill_prices=BillPrices.UNITS_ONLY).wanted(SLOT).lines[0].unit_charge == ""
    assert billed(lined(units="?"), bill_prices=BillPrices.NONE).wanted(SLOT).lines[0].units == ""


def test_the_post_day_is_the_local_day_on_which_the_bill_was_first_seen():
    clinic = Clinic(time_zone="America/Los_Angeles")
    clinic.linked()
    clinic.now = clinic.now.replace(hour=5)
    clinic.bill(GOOD_BILL)
    assert clinic.wanted(SLOT).post_day == date(2026, 3, 1)


# Diagnoses: the first 12 distinct, 4 on a line, the remainder further


def test_of_twelve_codes_on_a_line_four_stay_and_eight_travel_as_further_codes():
    write = billed(lined(dxs=codes(12))).wanted(SLOT)
    assert write.lines[0].dxs == codes(4)
    assert write.further_dxs == codes(8, start=4)


def test_the_thirteenth_code_does_not_travel_and_says_so():
    clinic = billed(lined(dxs=codes(15)))
    write = clinic.wanted(SLOT)
    assert (*write.lines[0].dxs, *write.further_dxs) == codes(12)
    assert clinic.requests()[-1].notes == ("3 diagnoses beyond the first 12 do not travel",)


def test_a_code_that_another_line_carries_is_no_further_code():
    lines = (replace(LINE, dxs=codes(6)), replace(LINE, cpt="99000", dxs=("E14.9", "E15.9")))
    write = billed(replace(GOOD_BILL, lines=lines)).wanted(SLOT)
    assert write.lines[1].dxs == ("E14.9", "E15.9")
    assert write.further_dxs == ()


def test_a_line_carries_only_codes_of_the_first_twelve():
    lines = (replace(LINE, dxs=codes(12)), replace(LINE, cpt="99000", dxs=("Z00.0", "E10.9")))
    write = billed(replace(GOOD_BILL, lines=lines)).wanted(SLOT)
    assert write.lines[1].dxs == ("E10.9",)


def test_a_line_with_none_of_the_first_twelve_is_a_bill_error():
    lines = (replace(LINE, dxs=codes(12)), replace(LINE, cpt="99000", dxs=("Z00.0",)))
    clinic = billed(replace(GOOD_BILL, lines=lines))
    assert clinic.wanted(SLOT) is None
    assert "first 12" in clinic.wanted(ANSWER).text


# When a bill goes


def test_an_unsigned_bill_waits_and_goes_on_signing():
    clinic = billed(replace(GOOD_BILL, signed=False))
    assert clinic.open() == []
    assert clinic.waits(SLOT) == "unsigned"

    clinic.bill(GOOD_BILL)

    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert clinic.waits(SLOT) == ""


def test_a_deferred_bill_waits_and_goes_on_release():
    clinic = billed(replace(GOOD_BILL, deferred=True))
    assert clinic.open() == []
    assert clinic.waits(SLOT) == "deferred"

    clinic.bill(GOOD_BILL)

    assert isinstance(clinic.wanted(SLOT), CreateEncounter)


@pytest.mark.parametrize("flag", [False, True], ids=["the flag goes", "the flag stays"])
def test_a_deferred_bill_that_somebody_releases_here_is_released_there_and_goes(flag: bool):
    """Elation does not say whether a released bill stops to be called deferred."""
    deferred = replace(GOOD_BILL, deferred=True)
    clinic = billed(deferred)
    assert clinic.ask(BillReleaseRequested(bill=GOOD_BILL.id, who="grace"), ADA.id) == ""
    assert clinic.wanted(ANSWER) == ReleaseBill(bill=GOOD_BILL.id)
    assert clinic.waits(SLOT) == "deferred"
    assert clinic.ask(BillReleaseRequested(bill=GOOD_BILL.id, who="grace"), ADA.id) == "under-way"

    clinic.succeed(ADA_KEY, ANSWER, BillWritten(bill=replace(GOOD_BILL, deferred=flag), read_at=clinic.now))

    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert clinic.waits(SLOT) == ""
    clinic.bill(replace(deferred, deferred=flag))
    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert clinic.ask(BillReleaseRequested(bill=GOOD_BILL.id, who="grace"), ADA.id) == "not-waiting"


def test_a_bill_that_was_released_there_meanwhile_is_not_released_again_by_itself():
    clinic = billed(replace(GOOD_BILL, deferred=True))
    clinic.ask(BillReleaseRequested(bill=GOOD_BILL.id, who="grace"), ADA.id)
    clinic.bill(GOOD_BILL)
    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    clinic.bill(replace(GOOD_BILL, deferred=True))
    assert clinic.open() == []
    assert clinic.waits(SLOT) == "deferred"


def test_a_bill_is_released_only_where_it_waits_and_is_not_sent():
    release = BillReleaseRequested(bill=GOOD_BILL.id, who="grace")
    assert billed().ask(release, ADA.id) == "not-waiting"
    assert billed().ask(replace(release, bill=1), ADA.id) == "not-known"
    sent = billed()
    sent.carry_out_all()
    sent.bill(replace(GOOD_BILL, status="Billed", ref_number="6001", deferred=True))
    assert sent.ask(release, ADA.id) == "sent"
    against = billed(replace(GOOD_BILL, deferred=True), table=BILLING_LED | {Resource.BILL: Direction.OFF})
    assert against.ask(release, ADA.id) == "not-waiting", "bills do not go there at all"
    unsigned = billed(replace(GOOD_BILL, deferred=True, signed=False))
    assert unsigned.ask(release, ADA.id) == "not-waiting"
    unsigned.bill(replace(GOOD_BILL, deferred=True))
    assert (unsigned.open(), unsigned.waits(SLOT)) == ([], "deferred")


@pytest.mark.parametrize("done", [{"status": "Billed"}, {"ref_number": "77"}, {"note_deleted": True}], ids=str)
def test_a_bill_billed_elsewhere_or_of_a_deleted_note_is_not_sent(done: dict[str, object]):
    clinic = billed(replace(GOOD_BILL, **done))
    assert clinic.open() == []
    assert clinic.waits(SLOT) == ""


def test_a_bill_of_an_unlinked_chart_waits_and_goes_when_it_is_linked():
    clinic = Clinic()
    clinic.bill(GOOD_BILL)
    clinic.ehr(replace(ADA, link_hint="kareo-patient:901"))
    assert clinic.waits(SLOT, "E:101") == "chart-pending"

    clinic.billing(ADA_THERE)
    clinic.ehr(replace(ADA, link_hint="kareo-patient:901"))

    assert isinstance(clinic.wanted(SLOT), CreateEncounter)


def test_a_bill_waits_while_the_link_is_suspended():
    clinic = billed()
    clinic.elation_deleted(ADA.id)
    assert clinic.open() == []
    assert clinic.waits(SLOT) == "chart-pending"


def test_bills_are_left_alone_where_they_are_off():
    clinic = billed(replace(GOOD_BILL, signed=False), table=BILLING_LED | {Resource.BILL: Direction.OFF})
    assert clinic.waiting() == {}


# Sent: written back, and frozen


def test_success_writes_the_encounter_id_and_date_back():
    clinic = billed()
    clinic.succeed(ADA_KEY, SLOT, RecordCreated(id=6001))
    answer = clinic.wanted(ANSWER)
    assert answer == MarkBilled(bill=4001, ref_number="6001", billed_at=clinic.patient().bills["4001"].encounter_at)
    clinic.write(ADA_KEY, ANSWER)
    assert clinic.open() == []
    assert clinic.waiting() == {}


def test_an_edit_after_sending_does_not_travel_and_shows_as_different():
    clinic = billed()
    clinic.carry_out_all()

    clinic.bill(replace(lined(unit_charge="999.00"), status="Billed", ref_number="6001"))

    assert clinic.open() == []
    assert clinic.waits(SLOT) == "differs-after-sent"


def test_an_edit_taken_back_shows_no_difference_any_more():
    clinic = billed()
    clinic.carry_out_all()
    clinic.bill(replace(lined(unit_charge="999.00"), status="Billed"))
    clinic.bill(replace(GOOD_BILL, status="Billed", ref_number="6001"))
    assert clinic.waits(SLOT) == ""


def test_what_is_not_content_makes_no_difference():
    clinic = billed()
    clinic.carry_out_all()
    clinic.bill(replace(GOOD_BILL, status="Billed", ref_number="6001", deferred=True, location_name="Main St (new sign)"))
    assert clinic.waits(SLOT) == ""


def test_an_edit_before_the_attempt_replaces_what_is_sent():
    clinic = billed()
    clinic.bill(lined(unit_charge="130.00"))
    assert clinic.wanted(SLOT).lines[0].unit_charge == "130.00"


def test_an_edit_while_the_answer_is_out_sends_no_second_encounter():
    clinic = billed()
    clinic.lose(ADA_KEY, SLOT)
    clinic.bill(lined(unit_charge="130.00"))
    assert clinic.wanted(SLOT).lines[0].unit_charge == "120.00"

    clinic.succeed(ADA_KEY, SLOT, RecordCreated(id=6001))

    assert isinstance(clinic.wanted(ANSWER), MarkBilled)
    assert clinic.waits(SLOT) == "differs-after-sent"
    assert len([one for one in clinic.requests() if isinstance(one.write, CreateEncounter)]) == 1


# The case


def test_a_patient_without_a_case_gets_one_first():
    clinic = Clinic(case_name="Office", payer_scenario="Insurance")
    clinic.linked(there=replace(ADA_THERE, cases=()))
    clinic.bill(GOOD_BILL)

    assert clinic.wanted("case") == AddBillingCase(patient=ADA_THERE.id, case_name="Office", payer_scenario="Insurance")
    assert clinic.wanted(SLOT) is None
    assert clinic.waits(SLOT) == "case-pending"

    clinic.write(ADA_KEY, "case")
    assert clinic.wanted(SLOT).case_id == clinic.patient().billing.chart.cases[0].id


def test_several_cases_without_a_primary_wait():
    clinic = Clinic()
    clinic.linked(there=replace(ADA_THERE, cases=(BillingCase(id=1), BillingCase(id=2))))
    clinic.bill(GOOD_BILL)
    assert clinic.open() == []
    assert clinic.waits(SLOT) == "no-primary-case"


@pytest.mark.parametrize(
    ("cases", "chosen"),
    [((BillingCase(id=1), BillingCase(id=2, is_primary=True)), 2), ((BillingCase(id=3),), 3)],
    ids=["the primary one", "the only one"],
)
def test_the_case_to_bill(cases: tuple[BillingCase, ...], chosen: int):
    clinic = Clinic()
    clinic.linked(there=replace(ADA_THERE, cases=cases))
    clinic.bill(GOOD_BILL)
    assert clinic.wanted(SLOT).case_id == chosen


def test_cases_not_read_yet_are_waited_for():
    clinic = Clinic()
    clinic.linked(there=replace(ADA_THERE, cases=None))
    clinic.bill(GOOD_BILL)
    assert clinic.waits(SLOT) == "cases-pending"
    assert clinic.open() == []


# Maps


def test_a_location_mapped_by_hand_is_used():
    bill = replace(GOOD_BILL, location=99, location_name="Annex")
    assert billed(bill, locations={99: 699}).wanted(SLOT).location == 699


def test_a_rendering_provider_mapped_by_hand_is_used():
    bill = replace(GOOD_BILL, rendering_provider=77)
    assert billed(bill, providers={77: KAREO_LOCUM}).wanted(SLOT).rendering_provider == KAREO_LOCUM


def test_bills_are_kept_apart():
    clinic = billed()
    clinic.bill(replace(lined(cpt=""), id=4002))
    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert isinstance(clinic.wanted("bill-answer:4002"), MarkBillError)


def test_a_bill_of_another_chart_is_not_hers():
    clinic = billed()
    clinic.bill(replace(GOOD_BILL, id=4002, patient=EhrChartId(555)))
    assert set(clinic.patient().bills) == {"4001"}
