"""Of a patient kept out no more is recorded than the id, whatever happens; who is let in again is read anew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.tables.days import APPOINTMENTS, BILLS, days_of
from events.codec import encode_body
from events.holds import KeptOut, RecordLeftUnread
from events.ids import Charts, PatientKey, keys_named
from events.schema import (
    BillingAppointmentVanished,
    BillingChartVanished,
    ChangeQuarantined,
    EhrChartDeleted,
    EhrChartMerged,
    IntentRequested,
    IntentSucceeded,
    Origin,
)
from events.writes import Candidate, Searched, System, changes_nothing
from projections.deciding.leaving import to_read_again
from projections.rules.people import candidate, charts_of
from projections.state.leaving import record_in
from projections.state.patient import Patient
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE
from tests.unit.stories import PERCY_THERE, STORIES, Step, happen, tell
from tests.unit.test_holds import ALONE, busy, keep_out, replays


def test_a_record_that_cannot_be_read_is_not_kept_of_who_is_kept_out() -> None:
    clinic = Clinic()
    keep_out(clinic, ehr=ADA.id)
    for record, kept in ((str(ADA.id), False), ("102", True), ("$.results[3]", True)):
        bad = ChangeQuarantined(
            system=System.EHR, resource="patients", record=record, reason="does not fit", raw=b"{secret}"
        )
        clinic.record(bad, origin=Origin.EHR)
        assert (b"{secret}" in encode_body(clinic.events[-1].body)) is kept
    assert len(clinic.state.directory.quarantined) == 2


def test_a_search_finds_no_more_than_the_id_of_who_is_kept_out() -> None:
    clinic = Clinic()
    keep_out(clinic, billing=ADA_THERE.id)
    clinic.ehr(ADA)
    clinic.succeed(ALONE, "chart", Searched(candidates=(candidate(ADA_THERE), candidate(PERCY_THERE))))
    (found,) = [one.body.result for one in clinic.events if isinstance(one.body, IntentSucceeded)]
    assert found == Searched(candidates=(Candidate(id=ADA_THERE.id), candidate(PERCY_THERE)))
    assert replays(clinic)


def test_who_is_kept_out_is_compared_with_nobody_and_in_no_calendar() -> None:
    clinic = busy()
    patient = clinic.state.patients[ADA_KEY]
    assert charts_of(patient) != (None, None)
    assert {kind for kind, _ in days_of(patient)} == {APPOINTMENTS, BILLS}
    keep_out(clinic, billing=ADA_THERE.id)
    patient = clinic.state.patients[ADA_KEY]
    assert charts_of(patient) == (None, None)
    assert {kind for kind, _ in days_of(patient)} == {BILLS}, "what was signed before still balances"
    keep_out(clinic, billing=ADA_THERE.id, undo=True)
    assert charts_of(clinic.state.patients[ADA_KEY]) != (None, None)


SAID_BY_ID = (EhrChartDeleted, EhrChartMerged, BillingChartVanished, BillingAppointmentVanished, RecordLeftUnread)


def known(patient: Patient) -> tuple[object, ...]:
    """What the records of a patient say, as they were read last."""
    return (
        patient.ehr and patient.ehr.chart,
        patient.billing and patient.billing.chart,
        {key: (one.seen, one.vanished) for key, one in patient.appointments.items()},
        {key: one.bill for key, one in patient.bills.items()},
    )


OBSERVED = st.lists(
    st.builds(
        Step,
        what=st.sampled_from([
            "elation city", "kareo city", "elation phone", "kareo phones", "appointment", "bill", "bill wrong", "insurance",
        ]),
        value=st.integers(0, 3),
    ),
    max_size=10,
)  # fmt: skip


@settings(deadline=None)
@given(before=STORIES, during=STORIES, linked=st.booleans())
def test_whatever_happens_no_more_than_the_id_is_recorded_of_a_patient_kept_out(
    before: list[Step], during: list[Step], linked: bool
) -> None:
    clinic = tell(before, linked=linked)
    begin = len(clinic.events)
    if keep_out(clinic, ADA.id if not linked else None, ADA_THERE.id if linked else None) == "":
        out = {key for key, one in clinic.state.directory.kept_out.items() if one.out}
        for step in during:
            happen(clinic, step)
        for one in clinic.events[begin:]:
            if one.origin in (Origin.EHR, Origin.BILLING) and {one.patient, *keys_named(Charts(one.ehr, one.billing))} & out:
                assert isinstance(one.body, SAID_BY_ID), one
        assert all(clinic.state.patients[PatientKey(key)].out for key in out & clinic.state.patients.keys())
        assert replays(clinic)


@settings(deadline=None)
@given(before=OBSERVED, during=OBSERVED)
def test_a_patient_let_in_again_is_read_anew_and_known_as_if_never_kept_out(before: list[Step], during: list[Step]) -> None:
    clinic, beside = tell(before), tell([*before, *during])
    assert keep_out(clinic, billing=ADA_THERE.id) == ""
    for step in during:
        happen(clinic, step)
    said = KeptOut(ehr=ADA.id, billing=ADA_THERE.id, out=False)
    again = to_read_again(clinic.state, said)
    assert keep_out(clinic, billing=ADA_THERE.id, undo=True) == ""
    latest = {record: event for event in beside.events if (record := record_in(event.body)) is not None}
    for record in again:
        event = latest[record]
        clinic.record(event.body, ehr=event.ehr, billing=event.billing, origin=event.origin)
    assert known(clinic.state.patients[ADA_KEY]) == known(beside.state.patients[ADA_KEY])
    assert clinic.state.patients[ADA_KEY].unread == ()
    assert replays(clinic)


@settings(deadline=None)
@given(before=STORIES, during=STORIES)
def test_whatever_happens_nothing_is_asked_for_a_patient_kept_out(before: list[Step], during: list[Step]) -> None:
    clinic = tell(before)
    begin = len(clinic.events)
    if keep_out(clinic, billing=ADA_THERE.id) == "":
        for step in during:
            happen(clinic, step)
        asked = [one for one in clinic.events[begin:] if isinstance(one.body, IntentRequested)]
        assert [one for one in asked if one.patient == ADA_KEY] == []
        assert all(changes_nothing(one.body.write) for one in asked)
        assert clinic.waiting() == {}
        assert all(one.state in ("attempted", "unknown") for key, _, one in clinic.open() if key == ADA_KEY)
        assert any(isinstance(one.body, KeptOut) for one in clinic.events[begin:])
        assert replays(clinic)
