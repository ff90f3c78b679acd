"""The fold and the decision around it: order, replay (I7), no echo (I5), cause and rule (I8), routing."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.schema import BillingChartObserved, EhrChartObserved, IntentRequested, IntentSucceeded, Origin
from events.writes import BillingChartWritten, CreateBillingChart, CreateEhrChart, CreateEncounter
from projections.deciding.intents import decide
from projections.rules.fields import NAMES, billing_view, ehr_view, same
from projections.state.patient import decode_patient, encode_patient
from projections.state.state import PracticeState
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL
from tests.unit.stories import MARY, STORIES, Step, clinic_day, tell

DIRECTORY = msgspec.msgpack.Encoder(order="deterministic")


def replayed(clinic: Clinic) -> PracticeState:
    """The projections rebuilt from the recorded events alone."""
    state = PracticeState()
    for sequence, event in enumerate(clinic.events):
        state.apply(event, sequence)
    return state


def stored(state: PracticeState) -> dict[str, bytes]:
    return {key: encode_patient(patient) for key, patient in state.patients.items()} | {
        "": DIRECTORY.encode(state.directory)
    }


# Order


def test_a_late_elation_observation_never_wins():
    clinic = Clinic()
    clinic.linked()
    read = clinic.now
    clinic.ehr(replace(ADA, city="Macon"), modified=read, observed=read + timedelta(minutes=5))

    clinic.ehr(replace(ADA, city="Augusta"), modified=read - timedelta(hours=1), observed=read + timedelta(minutes=9))

    assert clinic.patient().ehr.chart.city == "Macon"


def test_of_equal_modified_times_the_later_reading_wins():
    clinic = Clinic()
    clinic.linked()
    read = clinic.now
    clinic.now += timedelta(minutes=10)
    clinic.ehr(replace(ADA, city="Macon"), modified=read, observed=read + timedelta(minutes=5))
    clinic.ehr(replace(ADA, city="Augusta"), modified=read, observed=read + timedelta(minutes=4))
    assert clinic.patient().ehr.chart.city == "Macon"
    clinic.ehr(replace(ADA, city="Athens"), modified=read, observed=read + timedelta(minutes=6))
    assert clinic.patient().ehr.chart.city == "Athens"


def test_of_two_saves_within_a_second_the_first_webhook_stays_until_the_chart_is_read():
    """Webhooks may come in any order: the later one may be the older save, and must not blank what the newer one entered."""
    clinic = Clinic()
    clinic.linked()
    saved = clinic.now
    clinic.ehr(replace(ADA, city="Macon"), modified=saved, observed=saved)
    clinic.ehr(replace(ADA, city=""), modified=saved, observed=saved)
    assert clinic.patient().ehr.chart.city == "Macon"
    clinic.ehr(replace(ADA, city="Athens"), modified=saved, observed=saved + timedelta(minutes=1))
    assert clinic.patient().ehr.chart.city == "Athens"


def test_what_is_read_after_a_webhook_is_newer_though_elations_clock_is_ahead():
    """A webhook names its save by Elation's clock: two minutes ahead, it must not outlive the deletion a minute later."""
    clinic = Clinic()
    clinic.linked()
    saved = clinic.now + timedelta(minutes=3)
    clinic.ehr(replace(ADA, city="Macon"), modified=saved, observed=saved)
    clinic.ehr(replace(ADA, city="Athens"), modified=saved)
    assert clinic.patient().ehr.chart.city == "Athens"
    saved = clinic.now + timedelta(minutes=3)
    clinic.ehr(replace(ADA, city="Macon"), modified=saved, observed=saved)
    clinic.elation_deleted(ADA.id)
    assert clinic.patient().link.suspended


def test_a_late_kareo_observation_never_wins():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.billing(ADA_THERE, observed=clinic.now - timedelta(hours=1))
    assert clinic.patient().billing.chart.city == "Macon"


def test_a_late_bill_never_wins():
    clinic = Clinic()
    clinic.linked()
    read = clinic.now
    clinic.bill(replace(GOOD_BILL, notes="new"), modified=read)
    clinic.bill(replace(GOOD_BILL, notes="old"), modified=read - timedelta(minutes=5))
    assert clinic.patient().bills["4001"].bill.notes == "new"


def test_a_deletion_read_later_is_not_undone_by_an_older_observation():
    clinic = Clinic()
    clinic.linked()
    before = clinic.now
    clinic.elation_deleted(ADA.id)
    clinic.ehr(ADA, observed=before)
    assert clinic.patient().link.suspended


@pytest.mark.parametrize("repeat", ["elation", "kareo"])
def test_an_observation_repeated_changes_nothing(repeat: str):
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    before = [(slot, one) for _, slot, one in clinic.open()]

    followed = clinic.billing(replace(ADA_THERE, city="Macon")) if repeat == "kareo" else clinic.ehr(ADA)

    assert followed == []
    assert [(slot, one) for _, slot, one in clinic.open()] == before


# Replay (I7)


def test_replaying_a_day_from_nothing_gives_the_same_projections_byte_for_byte():
    clinic = clinic_day()
    assert stored(replayed(clinic)) == stored(clinic.state)
    assert replayed(clinic).charts == clinic.state.charts


def test_a_stored_patient_reads_back_as_the_same():
    for patient in clinic_day().state.patients.values():
        assert decode_patient(encode_patient(patient)) == patient
        assert encode_patient(decode_patient(encode_patient(patient))) == encode_patient(patient)


def test_a_day_told_twice_gives_the_same_events():
    assert clinic_day().events == clinic_day().events


@settings(max_examples=120, deadline=None)
@given(story=STORIES, linked=st.booleans())
def test_whatever_happens_the_invariants_hold(story: list[Step], linked: bool):
    clinic = tell(story, linked=linked)

    # I7
    assert stored(replayed(clinic)) == stored(clinic.state)
    for patient in clinic.state.patients.values():
        assert decode_patient(encode_patient(patient)) == patient
    # I1
    links = clinic.links()
    assert len(links) == len({one for one, _ in links}) == len({other for _, other in links})
    # Deciding again finds nothing more to do
    for key in clinic.state.patients:
        assert decide(clinic.state, key, clinic.policy, clinic.moment, None) == ([], [])
    # No id is given twice, and each says what it was for
    assert len(set(clinic.intent_ids())) == len(clinic.intent_ids())
    assert len({event.id for event in clinic.events}) == len(clinic.events)


@settings(max_examples=80, deadline=None)
@given(story=STORIES)
def test_whatever_happens_writes_cease_and_nothing_is_created_twice(story: list[Step]):
    clinic = tell(story)
    clinic.carry_out_all()  # raises if they never do (I5)

    created: list[tuple[object, ...]] = []
    succeeded = {event.body.intent for event in clinic.events if isinstance(event.body, IntentSucceeded)}
    for one in clinic.requests():
        match one.write:
            case CreateEncounter() if one.intent in succeeded:
                created.append(("encounter", one.write.bill))
            case CreateEhrChart() | CreateBillingChart() if one.intent in succeeded:
                created.append(("chart", one.write))
    assert len(created) == len({str(one) for one in created})


@settings(max_examples=80, deadline=None)
@given(story=STORIES)
def test_at_rest_both_sides_agree_or_say_why_not_and_every_bill_is_accounted_for(story: list[Step]):
    clinic = tell(story)
    clinic.carry_out_all()
    patient = clinic.patient()
    held = {slot for slot, one in patient.intents.items() if one.state in ("attempted", "unknown", "refused")}

    # I6
    if "link" not in patient.waiting and not {"demographics:elation", "demographics:kareo"} & held:
        here = ehr_view(patient.ehr.chart, clinic.state.directory, clinic.policy)
        there = billing_view(patient.billing.chart)
        differing = {name for name in NAMES if not same(name, here[name], there[name])}
        assert {f"field:{name}" for name in differing} <= set(patient.waiting)
    # I4
    for key, entry in patient.bills.items():
        assert entry.billed or f"bill:{key}" in patient.waiting or {f"bill:{key}", f"bill-answer:{key}"} & held


# No echo (I5)


def test_ones_own_write_that_comes_back_leads_to_nothing():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon", work_phone="(404) 555-0103"))
    clinic.ehr(replace(ADA, last_name="Lovelace"))
    clinic.carry_out_all()
    here, there = clinic.patient().ehr.chart, clinic.patient().billing.chart

    assert clinic.billing(there) == []
    assert clinic.ehr(here) == []
    assert clinic.open() == []


def test_a_creation_that_comes_back_leads_to_nothing():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.carry_out_all()
    (key,) = clinic.state.patients
    there = clinic.patient(key).billing.chart
    assert clinic.links() == {(ADA.id, there.id)}

    assert clinic.billing(there) == []


def test_a_creation_seen_by_the_poll_before_its_answer_makes_one_link_and_no_second_chart():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.write("E:101", "chart")
    clinic.attempt("E:101", "chart")

    clinic.billing(ADA_THERE)
    clinic.succeed("E:101", "chart", BillingChartWritten(chart=ADA_THERE, read_at=clinic.now))

    assert clinic.links() == {(101, 901)}
    assert clinic.carry_out_all() == []
    assert not any(isinstance(one.write, CreateEhrChart) for one in clinic.requests())


# Cause and rule (I8)


def test_every_write_names_its_cause_and_the_rule_that_allowed_it():
    clinic = clinic_day()
    before: dict[object, int] = {}
    requested = 0
    for number, event in enumerate(clinic.events):
        if isinstance(event.body, IntentRequested):
            requested += 1
            assert event.cause in before
            assert event.correlation in before
            assert clinic.events[before[event.correlation]].cause is None
            assert event.body.rule.startswith("guide: ")
            assert f"({event.body.resource.value}: " in event.body.rule
        before[event.id] = number
    assert requested > 20


def test_a_change_in_kareo_is_the_cause_of_the_write_to_elation():
    clinic = Clinic()
    clinic.linked()
    followed = clinic.billing(replace(ADA_THERE, city="Macon"))
    (request,) = [event for event in followed if isinstance(event.body, IntentRequested)]
    cause = next(event for event in clinic.events if event.id == request.correlation)
    assert isinstance(cause.body, BillingChartObserved)
    assert cause.origin is Origin.BILLING
    assert clinic.intent(ADA_KEY, "demographics:elation").cause == request.cause


# Routing


def test_patients_do_not_touch_each_other():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(MARY)
    before = clinic.patient("E:102")
    clinic.billing(replace(ADA_THERE, city="Macon"))
    assert clinic.patient("E:102") == before


def test_an_observation_is_routed_to_the_patient_of_its_chart():
    clinic = Clinic()
    clinic.linked()
    (event,) = [one for one in clinic.events if isinstance(one.body, EhrChartObserved)]
    assert event.patient == "E:101"
    clinic.ehr(replace(ADA, city="Macon"))
    assert [one for one in clinic.events if isinstance(one.body, EhrChartObserved)][-1].patient == ADA_KEY
