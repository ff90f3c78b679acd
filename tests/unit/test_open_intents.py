"""Open intents and the decision around them: superseding, coalescing, outcomes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.schema import IntentSucceeded, IntentSuperseded
from events.writes import BillingChartWritten, CreateEhrAppointment, EhrChartWritten, UpdateEhrChart
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE
from tests.unit.stories import clinic_day


def test_a_write_not_attempted_yet_is_superseded_by_a_newer_change():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    old = clinic.intent(ADA_KEY, "demographics:elation").intent

    followed = clinic.billing(replace(ADA_THERE, city="Athens"))

    assert [event.body.intent for event in followed if isinstance(event.body, IntentSuperseded)] == [old]
    assert clinic.wanted("demographics:elation").fields == {"city": "Athens"}


def test_a_write_no_longer_wanted_is_superseded():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.billing(ADA_THERE)
    assert clinic.open() == []


@pytest.mark.parametrize("state", ["attempted", "unknown"])
def test_a_write_under_way_is_left_to_its_outcome_and_the_newer_change_follows(state: str):
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    if state == "attempted":
        clinic.attempt(ADA_KEY, "demographics:elation")
    else:
        clinic.lose(ADA_KEY, "demographics:elation")

    clinic.billing(replace(ADA_THERE, city="Athens"))
    assert clinic.intent(ADA_KEY, "demographics:elation").state == state
    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}

    clinic.write(ADA_KEY, "demographics:elation")
    assert clinic.wanted("demographics:elation").fields == {"city": "Athens"}
    clinic.carry_out_all()
    assert clinic.waiting() == {}


@pytest.mark.parametrize("state", ["attempted", "unknown"])
@pytest.mark.parametrize("target", ["elation", "kareo"])
def test_a_write_that_comes_back_before_its_outcome_is_no_conflict_with_a_later_edit(target: str, state: str):
    """A poll may read what we have just written before the write's answer is recorded, while somebody goes on editing."""
    clinic = Clinic()
    clinic.linked()

    def edit(city: str) -> None:
        if target == "kareo":
            clinic.ehr(replace(ADA, city=city))
        else:
            clinic.billing(replace(ADA_THERE, city=city))

    edit("Macon")
    slot = f"demographics:{target}"
    (clinic.attempt if state == "attempted" else clinic.lose)(ADA_KEY, slot)
    edit("Athens")

    if target == "kareo":
        clinic.billing(replace(ADA_THERE, city="Macon"))
    else:
        clinic.ehr(replace(clinic.patient().ehr.chart, city="Macon"))
    assert clinic.waiting() == {}
    clinic.write(ADA_KEY, slot)
    assert clinic.wanted(slot).fields == {"city": "Athens"}
    clinic.carry_out_all()
    assert (clinic.waiting(), clinic.open()) == ({}, [])


@pytest.mark.parametrize("state", ["attempted", "unknown"])
def test_an_edit_to_what_an_older_write_would_have_written_counts_once_something_else_was_agreed(state: str):
    """While Elation is down a write waits; meanwhile both sides come to agree on something else, and are edited again."""
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    (clinic.attempt if state == "attempted" else clinic.lose)(ADA_KEY, "demographics:elation")
    clinic.ehr(replace(ADA, city="Athens"))
    clinic.billing(replace(ADA_THERE, city="Athens"))
    assert clinic.wanted("demographics:elation").fields == {}, "the write under way is out of date"

    clinic.ehr(replace(ADA, city="Macon"))
    assert clinic.wanted("demographics:kareo").fields == {"city": "Macon"}
    clinic.carry_out_all()
    assert clinic.patient().billing.chart.city == clinic.patient().ehr.chart.city == "Macon"


@pytest.mark.parametrize("target", ["elation", "kareo"])
def test_what_was_sent_before_something_else_was_agreed_is_nobodys_entry(target: str):
    """A write is made, and people enter another value on both sides before its answer is recorded: that one goes out again."""
    clinic = Clinic()
    clinic.linked()
    slot = f"demographics:{target}"
    if target == "elation":
        clinic.billing(replace(ADA_THERE, city="Macon"))
    else:
        clinic.ehr(replace(ADA, city="Macon"))
    clinic.attempt(ADA_KEY, slot)
    clinic.ehr(replace(ADA, city="Athens"))
    clinic.billing(replace(ADA_THERE, city="Athens"))

    sent = {"city": "Macon"}
    if target == "elation":
        answer = EhrChartWritten(chart=replace(ADA, city="Macon"), read_at=clinic.now, sent=sent)
    else:
        answer = BillingChartWritten(chart=replace(ADA_THERE, city="Macon"), read_at=clinic.now, sent=sent)
    clinic.succeed(ADA_KEY, slot, answer)
    assert [(slot, one.write.fields) for _, slot, one in clinic.open()] == [(slot, {"city": "Athens"})]
    clinic.carry_out_all()
    assert clinic.patient().billing.chart.city == clinic.patient().ehr.chart.city == "Athens"
    assert clinic.open() == []


def test_a_refused_write_waits_visibly_and_is_not_repeated_but_a_new_one_is_tried():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.refuse(ADA_KEY, "demographics:elation", text="invalid city")

    clinic.billing(replace(ADA_THERE, city="Macon"))
    assert clinic.waits("demographics:elation") == "refused"
    assert "invalid city" in clinic.waiting()["demographics:elation"].text
    assert clinic.intent(ADA_KEY, "demographics:elation").state == "refused"

    clinic.billing(replace(ADA_THERE, city="Athens"))
    assert clinic.intent(ADA_KEY, "demographics:elation").state == "requested"
    assert clinic.waiting() == {}


def test_an_outcome_of_an_intent_that_is_not_open_changes_nothing():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    old = clinic.intent(ADA_KEY, "demographics:elation").intent
    clinic.billing(replace(ADA_THERE, city="Athens"))
    before = clinic.patient()

    result = BillingChartWritten(chart=replace(ADA_THERE, city="Nowhere"), read_at=clinic.now)
    body = IntentSucceeded(intent=old, slot="demographics:elation", attempt=1, result=result)
    clinic.record(body, ehr=ADA.id, billing=ADA_THERE.id)

    assert clinic.patient() == before


def test_a_burst_of_changes_becomes_one_write():
    clinic = Clinic()
    clinic.linked()
    for city in ("Macon", "Athens", "Rome", "Savannah"):
        clinic.billing(replace(ADA_THERE, city=city, zip="31401"))

    writes = clinic.carry_out_all()

    assert writes == [
        UpdateEhrChart(
            chart=ADA.id,
            fields={"city": "Savannah", "zip": "31401"},
            expected={"city": "Augusta", "zip": "30901"},
        )
    ]


def test_any_save_of_a_chart_re_evaluates_the_patient():
    """Touch to resync: what a lost trigger left undone is found when either chart is saved."""
    clinic = Clinic()
    clinic.linked()
    lagging = replace(clinic.patient(), billing=replace(clinic.patient().billing, chart=replace(ADA_THERE, city="Macon")))
    clinic.state.patients[ADA_KEY] = lagging

    clinic.ehr(ADA)

    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}


def test_the_day_ends_with_nothing_under_way():
    clinic = clinic_day()
    assert [(slot, one.state) for _, slot, one in clinic.open()] == []
    assert any(isinstance(one.write, CreateEhrAppointment) for one in clinic.requests())
