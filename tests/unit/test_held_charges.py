"""What the charges of an encounter say otherwise than was sent (daemon/vendors/kareo/held_charges.py)."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from daemon.vendors.kareo.held_charges import encounter_edits
from daemon.vendors.kareo.wire import KareoCharge
from events.ids import BillingPatientId
from events.terms import EncounterTerms
from events.writes import CreateEncounter

DAY = date(2026, 3, 2)
SENT = CreateEncounter(
    bill=4001,
    content="c",
    patient=BillingPatientId(901),
    case_id=71,
    service_day=DAY,
    post_day=DAY,
    rendering_provider=11,
    location=21,
    place_of_service="11",
    lines=(
        EncounterTerms(cpt="99213", units="1.0", unit_charge="120.00", modifiers=("25",), dxs=("E11.9", "I10")),
        EncounterTerms(cpt="36415", units="2", unit_charge="9.5"),
    ),
    batch="4001",
)
HELD = (
    KareoCharge(
        id=2, encounter_id=6001, patient_id=901, procedure_code="36415", units="2.0000", unit_charge="$9.50", service_day=DAY
    ),
    KareoCharge(
        id=1,
        encounter_id=6001,
        patient_id=901,
        procedure_code="99213",
        modifiers=("25",),
        diagnoses=("E119", "I10"),
        units="1",
        unit_charge="120.00",
        service_day=DAY,
        status="Pending",
    ),
)


def test_what_is_held_as_it_was_sent_differs_in_nothing_whatever_its_form_and_order() -> None:
    assert encounter_edits(SENT, HELD) == {}


def test_amounts_that_were_not_sent_are_the_billing_systems_own() -> None:
    lines = [replace(one, unit_charge="") for one in SENT.lines]
    assert encounter_edits(replace(SENT, lines=tuple(lines)), HELD) == {}
    assert encounter_edits(replace(SENT, lines=tuple(replace(one, units="") for one in lines)), HELD) == {}
    assert list(encounter_edits(replace(SENT, lines=tuple(lines)), [HELD[0], replace(HELD[1], units="3")])) == ["charges"]


def test_an_encounter_without_charges_is_gone() -> None:
    assert encounter_edits(SENT, ()) == {"removed": ("yes", "no")}


def test_an_encounter_whose_charges_are_all_void_is_voided() -> None:
    assert encounter_edits(SENT, [replace(one, status="Voided") for one in HELD]) == {"voided": ("yes", "no")}
    assert list(encounter_edits(SENT, [replace(HELD[0], status="Voided"), HELD[1]])) == ["charges"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"patient_id": 902}, "patient"),
        ({"service_day": date(2026, 3, 3)}, "day of service"),
        ({"procedure_code": "99214"}, "charges"),
        ({"modifiers": ()}, "charges"),
        ({"diagnoses": ("I10", "E11.9")}, "charges"),
        ({"units": "2"}, "charges"),
        ({"unit_charge": "12.00"}, "charges"),
    ],
)
def test_each_field_that_was_sent_is_compared(changes: dict[str, object], field: str) -> None:
    assert list(encounter_edits(SENT, (HELD[0], replace(HELD[1], **changes)))) == [field]


def test_a_line_more_or_less_differs() -> None:
    assert list(encounter_edits(SENT, HELD[:1])) == ["charges"]
    assert list(encounter_edits(SENT, (*HELD, HELD[0]))) == ["charges"]


def test_an_account_that_shows_ids_in_place_of_diagnoses_is_compared_without_them() -> None:
    assert encounter_edits(SENT, (HELD[0], replace(HELD[1], diagnoses=("55012", "55013")))) == {}


def test_what_is_no_amount_is_shown_as_it_is() -> None:
    (edit,) = encounter_edits(SENT, (replace(HELD[0], units="two"), HELD[1])).values()
    assert "two x 9.5" in edit[0]
