"""guide: Links: merges, deletions and restores."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from events.ids import BillingPatientId, EhrChartId
from events.schema import ChartLinked, LinkMoved, LinkResumed, LinkSuspended
from events.writes import BillingChartWritten, CreateEhrAppointment, CreateEncounter, Searched
from projections.rules.links import survivor
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL
from tests.unit.searches import HERE
from tests.unit.stories import VISIT

SURVIVOR = replace(ADA, id=EhrChartId(102), address2="Suite 7")


# Merges


def test_a_linked_chart_absorbed_by_an_unlinked_one_moves_the_link_to_the_survivor():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(SURVIVOR)

    followed = clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert LinkMoved(billing=BillingPatientId(901), source=ADA.id, target=SURVIVOR.id) in [event.body for event in followed]
    assert clinic.links() == {(102, 901)}
    assert clinic.patient().ehr.chart == SURVIVOR
    assert clinic.patient("E:101").ehr.chart.merged_into == SURVIVOR.id
    assert "chart" not in clinic.intents()


def test_the_survivor_seen_only_later_moves_the_link_then():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(ADA, merged_into=SURVIVOR.id))
    assert clinic.waits("link") == "survivor-not-seen"

    clinic.ehr(SURVIVOR)

    assert clinic.links() == {(102, 901)}
    assert clinic.waits("link") == ""


@pytest.mark.parametrize("read", [0.0, 0.4], ids=["by another webhook", "by reading, or by a write of ours"])
def test_a_merge_within_the_second_of_another_save_is_not_overlooked(read: float):
    """The absorbed chart may not be readable any more, so nothing read later would tell (seed 3255)."""
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(SURVIVOR)
    saved = clinic.now + timedelta(minutes=1)
    renamed = replace(ADA, city="Macon")
    clinic.ehr(renamed, modified=saved, observed=saved + timedelta(seconds=read))

    clinic.ehr(replace(renamed, merged_into=SURVIVOR.id), modified=saved, observed=saved)
    assert clinic.links() == {(102, 901)}

    clinic.ehr(replace(renamed, city="Perry"), modified=saved, observed=saved)  # the earlier save's webhook, late
    assert clinic.links() == {(102, 901)}
    assert clinic.patient("E:101").ehr.chart.merged_into == SURVIVOR.id


def test_a_chain_of_merges_is_followed_to_its_end():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(ADA, id=EhrChartId(103)))
    clinic.ehr(replace(SURVIVOR, merged_into=EhrChartId(103)))

    clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert clinic.links() == {(103, 901)}


def test_a_chain_whose_end_is_seen_last_is_followed_then():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(SURVIVOR, merged_into=EhrChartId(103)))
    clinic.elation_merged(ADA.id, SURVIVOR.id)
    assert clinic.waits("link") == "survivor-not-seen"

    clinic.ehr(replace(ADA, id=EhrChartId(103)))

    assert clinic.links() == {(103, 901)}


def test_a_cycle_of_merges_waits():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(SURVIVOR, merged_into=ADA.id))

    clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert survivor(ADA.id, clinic.state) is None
    assert clinic.links() == {(101, 901)}
    assert clinic.waits("link") == "merge-cycle"
    assert clinic.open() == []


def test_two_linked_charts_merged_wait_for_a_person():
    clinic = Clinic()
    clinic.linked()
    clinic.linked(replace(SURVIVOR, first_name="Mary"), replace(ADA_THERE, id=BillingPatientId(902), first_name="Mary"))

    clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert clinic.links() == {(101, 901), (102, 902)}
    assert clinic.waits("link") == "merged-both-linked"
    assert clinic.intents() == {}


def test_writes_go_to_the_survivor_after_the_link_moved():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(SURVIVOR)
    clinic.elation_merged(ADA.id, SURVIVOR.id)
    clinic.carry_out_all()

    clinic.billing(replace(clinic.patient().billing.chart, city="Macon"))

    assert clinic.wanted("demographics:elation").chart == SURVIVOR.id


def test_an_appointment_that_waits_for_elation_is_booked_for_the_survivor():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(SURVIVOR)
    clinic.appointment(VISIT)
    slot = f"appointment:{VISIT.key}"
    waiting = clinic.attempt(ADA_KEY, slot)
    assert waiting.write.chart == ADA.id

    clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert clinic.intent(ADA_KEY, slot).intent == waiting.intent
    assert clinic.write(ADA_KEY, slot).chart == SURVIVOR.id
    assert not any(isinstance(one, CreateEhrAppointment) for one in clinic.carry_out_all())


def test_a_late_observation_of_the_absorbed_chart_does_not_touch_the_moved_link():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(SURVIVOR)
    clinic.elation_merged(ADA.id, SURVIVOR.id)
    before = clinic.patient()

    clinic.ehr(replace(ADA, city="Nowhere", merged_into=SURVIVOR.id))

    assert clinic.patient() == before


def test_a_creation_for_the_survivor_that_ends_after_the_move_does_not_replace_the_linked_patient():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(SURVIVOR)
    clinic.succeed("E:102", "chart", Searched())
    clinic.attempt("E:102", "chart")
    clinic.elation_merged(ADA.id, SURVIVOR.id)

    clinic.succeed(
        ADA_KEY, "chart", BillingChartWritten(chart=replace(ADA_THERE, id=BillingPatientId(950)), read_at=clinic.now)
    )

    assert clinic.links() == {(102, 901)}
    assert clinic.patient().billing.chart.id == 901
    assert all(getattr(one.write, "patient", 901) == 901 for _, _, one in clinic.open())


# Deletion and restore


def test_a_chart_deleted_in_elation_suspends_its_link_and_restoring_it_resumes():
    clinic = Clinic()
    clinic.linked()

    followed = clinic.elation_deleted(ADA.id)
    assert LinkSuspended(ehr=ADA.id, billing=BillingPatientId(901)) in [event.body for event in followed]
    assert clinic.links() == {(101, 901)}
    assert clinic.waits("link") == "elation-chart-deleted"

    clinic.billing(replace(ADA_THERE, city="Macon"))
    assert clinic.open() == []

    followed = clinic.ehr(ADA)
    assert LinkResumed(ehr=ADA.id, billing=BillingPatientId(901)) in [event.body for event in followed]
    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}
    assert clinic.waiting() == {}


def test_writes_requested_before_the_deletion_are_superseded():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.elation_deleted(ADA.id)
    assert clinic.open() == []


def test_a_patient_gone_in_kareo_before_anybody_read_it_waits_for_a_person_and_so_do_its_bills():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched())
    clinic.record(ChartLinked(ehr=ADA.id, billing=ADA_THERE.id, how="by hand"), ehr=ADA.id, billing=ADA_THERE.id)
    assert clinic.waits("link") == "chart-not-read"
    clinic.bill(GOOD_BILL)
    assert clinic.waits("bill:4001") == "chart-pending"
    clinic.kareo_vanished(ADA_THERE.id)
    assert clinic.waits("link") == "kareo-chart-gone"
    assert clinic.waits("bill:4001") == "chart-pending"
    clinic.billing(ADA_THERE)
    assert clinic.waits("link") == ""
    assert isinstance(clinic.wanted("bill:4001"), CreateEncounter)


def test_a_patient_gone_in_kareo_waits_for_a_person():
    clinic = Clinic()
    clinic.linked()
    clinic.kareo_vanished(ADA_THERE.id)
    clinic.ehr(replace(ADA, city="Macon"))
    assert clinic.waits("link") == "kareo-chart-gone"
    assert clinic.open() == []


def test_an_unlinked_chart_that_is_deleted_or_absorbed_is_not_created_in_kareo():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.elation_deleted(ADA.id)
    clinic.ehr(SURVIVOR)
    clinic.elation_merged(SURVIVOR.id, EhrChartId(103))
    assert clinic.open() == []
