"""An appointment that Kareo calls rescheduled and leaves at its old time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree
from msgspec.structs import replace

from daemon.config import ConfigError, load_variant, policy_of
from daemon.vendors.kareo import rows, translate
from daemon.vendors.kareo.answers import Node
from events.writes import CancelEhrAppointment, RecordCreated, UpdateEhrAppointment
from projections.terms.policy import Rescheduled
from tests.unit.clinic import Clinic
from tests.unit.records import ADA_KEY
from tests.unit.test_appointments import NOON, SLOT, VISIT, written
from tests.unit.test_what_if import OFFICE

NEW = replace(VISIT, key="7002", id=7002, start=NOON + timedelta(days=7))
CANCELLED = CancelEhrAppointment(appointment=9001)


def with_rule(rule: Rescheduled) -> Clinic:
    clinic = Clinic(rescheduled=rule)
    clinic.linked()
    clinic.appointment(VISIT)
    clinic.succeed(ADA_KEY, SLOT, RecordCreated(id=9001))
    return clinic


@pytest.mark.parametrize(
    ("status", "moved"),
    [("Rescheduled", "rescheduled"), ("NeedsReschedule", "needs-reschedule"), ("Needs Reschedule", "needs-reschedule")],
)
def test_c11_the_status_is_read_from_kareo(status: str, moved: str) -> None:
    row = (
        "<AppointmentData><ID>7001</ID><PatientID>901</PatientID><StartDate>3/9/2026 4:00:00 PM</StartDate>"
        f"<EndDate>3/9/2026 4:30:00 PM</EndDate><ConfirmationStatus>{status}</ConfirmationStatus></AppointmentData>"
    )
    one = rows.appointment(rows.RowReader(Node(etree.fromstring(row)), rows.ZoneInfo("America/Los_Angeles")))
    seen = translate.appointment(one, "7001", None)
    assert seen is not None
    assert (seen.moved, seen.cancelled) == (moved, False)


def test_c11_rescheduled_without_another_appointment_stays() -> None:
    clinic = written()
    clinic.appointment(replace(VISIT, moved="rescheduled"))
    assert clinic.open() == []


def test_c11_rescheduled_is_cancelled_when_another_was_made_since() -> None:
    clinic = written()
    clinic.appointment(replace(VISIT, moved="rescheduled"))
    clinic.appointment(NEW)
    assert clinic.wanted(SLOT) == CANCELLED


def test_c11_the_other_may_come_first() -> None:
    clinic = written()
    clinic.appointment(NEW)
    assert clinic.wanted(SLOT) is None
    clinic.appointment(replace(VISIT, moved="rescheduled"))
    assert clinic.wanted(SLOT) == CANCELLED


@pytest.mark.parametrize(
    "other",
    [replace(NEW, cancelled=True), replace(NEW, key="6999", id=6999), replace(NEW, moved="rescheduled")],
    ids=["cancelled", "made before", "rescheduled itself"],
)
def test_c11_an_appointment_that_replaces_nothing_cancels_nothing(other) -> None:
    clinic = written()
    clinic.appointment(other)
    clinic.appointment(replace(VISIT, moved="rescheduled"))
    assert clinic.wanted(SLOT) is None


def test_c11_when_the_other_vanishes_it_is_revived() -> None:
    clinic = written()
    clinic.appointment(NEW)
    clinic.appointment(replace(VISIT, moved="rescheduled"))
    clinic.carry_out_all()
    clinic.appointment_vanished(NEW)
    update = clinic.wanted(SLOT)
    assert isinstance(update, UpdateEhrAppointment)
    assert update.revive


def test_c11_needs_reschedule_stays_by_default() -> None:
    clinic = written()
    clinic.appointment(NEW)
    clinic.appointment(replace(VISIT, moved="needs-reschedule"))
    assert clinic.wanted(SLOT) is None


@pytest.mark.parametrize("moved", ["rescheduled", "needs-reschedule"])
def test_c11_a_practice_may_keep_or_cancel_them_all(moved: str) -> None:
    keeps, cancels = with_rule(Rescheduled.KEEP), with_rule(Rescheduled.CANCEL)
    keeps.appointment(NEW)
    for clinic in (keeps, cancels):
        clinic.appointment(replace(VISIT, moved=moved))
    assert keeps.wanted(SLOT) is None
    assert cancels.wanted(SLOT) == CANCELLED


@pytest.mark.parametrize("rule", Rescheduled)
def test_c11_the_configuration_names_the_switch(rule: Rescheduled, tmp_path: Path) -> None:
    assert policy_of(OFFICE).rescheduled is Rescheduled.WHEN_REPLACED
    file = tmp_path / "variant.toml"
    file.write_text(f'[overrides]\nrescheduled = "{rule}"\n')
    assert policy_of(load_variant(file, OFFICE)).rescheduled is rule


def test_c11_the_configuration_knows_no_other_word(tmp_path: Path) -> None:
    file = tmp_path / "variant.toml"
    file.write_text('[overrides]\nrescheduled = "perhaps"\n')
    with pytest.raises(ConfigError) as failed:
        load_variant(file, OFFICE)
    assert [key for key, _ in failed.value.problems] == ["overrides.rescheduled"]
