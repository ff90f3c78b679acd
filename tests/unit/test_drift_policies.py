"""What `verify` says of policies where insurance goes both ways: what nobody has seen yet, what waits, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from events.ids import event_id
from events.insurance import EhrPoliciesObserved
from events.records import ChartPolicy, type_of
from events.schema import BillingChartObserved, Body, Event, Origin
from events.writes import System
from projections.rules.wants import Moment
from projections.trial.drift import Cause, Drift, find_drift
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import CASE, GOLD, SECOND_HERE, agreed, insured
from tests.unit.recording import PRACTICE
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE


def here(*policies: ChartPolicy) -> EhrPoliciesObserved:
    """What a reading of the chart's policies shows."""
    return EhrPoliciesObserved(chart=ADA.id, policies=policies)


def verified(clinic: Clinic, *seen: Body) -> list[Drift]:
    """What `verify` finds once these have been read."""
    now = clinic.now + timedelta(minutes=1)
    events: Sequence[Event] = [
        Event(
            id=event_id(PRACTICE, type_of(body), number, "verify"),
            practice=PRACTICE,
            origin=Origin.EHR if isinstance(body, EhrPoliciesObserved) else Origin.BILLING,
            observed=now,
            body=body,
            ehr=ADA.id if isinstance(body, EhrPoliciesObserved) else None,
            billing=ADA_THERE.id if isinstance(body, BillingChartObserved) else None,
        )
        for number, body in enumerate(seen)
    ]
    before = clinic.state.patients[clinic.patient().key]
    found = find_drift(clinic.state, events, clinic.policy, Moment(now=now, today=now.date()))
    assert clinic.state.patients[clinic.patient().key] is before, "what is stored stays as it is"
    return found


def told(found: list[Drift]) -> list[tuple[str, Cause, tuple[str, ...]]]:
    return [(one.what, one.cause, one.fields) for one in found]


def test_what_both_hold_as_agreed_is_no_drift() -> None:
    assert verified(agreed(GOLD, there=(BLUE,)), here(GOLD), BillingChartObserved(chart=insured(BLUE))) == []


def test_an_edit_in_elation_that_nobody_has_seen_names_its_field_and_what_each_holds() -> None:
    (one,) = verified(agreed(GOLD, there=(BLUE,)), here(replace(GOLD, group_id="G-1")))
    assert (one.what, one.cause, one.patient) == (CASE, Cause.NOT_SEEN, ADA_KEY)
    assert one.values == {"policy 3001 group_id": ("G-77", "G-1")}
    assert one.fields == ("policy 3001 group_id",)


def test_a_policy_entered_in_elation_that_nobody_has_seen_is_told_by_its_id_there() -> None:
    (one,) = verified(agreed(GOLD, there=(BLUE,)), here(GOLD, SECOND_HERE))
    assert (one.what, one.cause) == (CASE, Cause.NOT_SEEN)
    assert one.values["chart-policy 5002 member_id"] == ("", "SEC-9")


def test_an_edit_in_kareo_that_nobody_has_seen_names_its_field() -> None:
    (one,) = verified(agreed(GOLD, there=(BLUE,)), BillingChartObserved(chart=insured(replace(BLUE, copay="50"))))
    assert (one.what, one.cause) == ("policies", Cause.NOT_SEEN)
    assert one.values["policy 3001 copay"] == ("20.00", "50.00")


def test_edits_of_both_sides_are_told_each_for_the_side_that_lacks_it() -> None:
    seen = here(replace(GOLD, group_id="G-1")), BillingChartObserved(chart=insured(replace(BLUE, copay="50")))
    found = verified(agreed(GOLD, there=(BLUE,)), *seen)
    assert {(one.what, one.cause) for one in found} == {(CASE, Cause.NOT_SEEN), ("policies", Cause.NOT_SEEN)}


def test_what_waits_says_why_and_what_was_removed_while_nobody_looked_is_not_seen() -> None:
    clinic = agreed(
        GOLD, SECOND_HERE, there=(BLUE, replace(BLUE, id=3002, number="SEC-9", group="", copay="", deductible=""))
    )
    (new,) = verified(clinic, here(SECOND_HERE))
    assert (new.what, new.cause, new.code) == ("policy:3001", Cause.NOT_SEEN, "removed-in-chart")
    clinic.policies(SECOND_HERE)
    (waits,) = verified(clinic, here(SECOND_HERE))
    assert (waits.what, waits.cause, waits.code) == ("policy:3001", Cause.WAITING, "removed-in-chart")


def test_a_write_under_way_and_a_refused_one_say_so() -> None:
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(edited := replace(GOLD, group_id="G-1"))
    assert told(verified(clinic, here(edited))) == [(CASE, Cause.IN_FLIGHT, ("policy 3001 group_id",))]
    clinic.refuse(ADA_KEY, CASE)
    assert told(verified(clinic, here(edited))) == [(CASE, Cause.REFUSED, ("policy 3001 group_id",))]


def test_a_conflict_is_told_where_it_is_shown_and_its_write_as_not_seen() -> None:
    clinic = agreed(GOLD, there=(BLUE,), insurance_preference=System.BILLING)
    seen = here(replace(GOLD, group_id="HERE")), BillingChartObserved(chart=insured(replace(BLUE, group="THERE")))
    found = verified(clinic, *seen)
    assert told(found) == [("policies", Cause.NOT_SEEN, found[0].fields)]
    assert found[0].values["policy 3001 group_id"] == ("G-77", "THERE")


def test_an_empty_reading_is_no_drift() -> None:
    """Rule 9: an empty answer is no removal."""
    assert verified(agreed(GOLD, there=(BLUE,)), here()) == []
