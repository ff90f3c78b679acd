"""Kareo's rows as the project's records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from daemon.vendors.kareo import translate, wire

ROW = wire.BillingAppointment(
    id=31,
    start=datetime(2026, 3, 2, 14, tzinfo=UTC),
    end=datetime(2026, 3, 2, 14, 20, tzinfo=UTC),
    patient_id=901,
    reason="Cough",
)


def test_an_appointment_is_about_its_patient():
    seen = translate.appointment(ROW, "31", None)
    assert seen is not None
    assert (seen.patient, seen.minutes, seen.reason) == (901, 20, "Cough")


@pytest.mark.parametrize("nobody", [None, 0])
def test_an_appointment_about_nobody_is_none(nobody: int | None):
    row = wire.BillingAppointment(id=31, start=ROW.start, end=ROW.end, patient_id=nobody, type="other")
    assert translate.appointment(row, "31", None) is None
