"""A batch is folded and decided about without I/O; it says whom deciding looks at and the caller has not loaded."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from events.commands import RedriveRequested
from events.ids import BillingPatientId, EhrChartId, ehr_key, event_id
from events.records import EhrChart, type_of
from events.schema import (
    BillingChartObserved,
    BillingDirectoryObserved,
    Body,
    ChangeQuarantined,
    ChartLinked,
    CommandRefused,
    EhrChartObserved,
    EhrDirectoryObserved,
    Event,
    IntentRequested,
    LinkMoved,
    Origin,
    WaitingCleared,
)
from events.writes import System
from projections.deciding.batch import Batch
from projections.deciding.replies import Redriven
from projections.rules.wants import Moment
from projections.state.state import PracticeState
from projections.terms.policy import Policy
from tests.unit.recording import PRACTICE
from tests.unit.records import ADA, ADA_THERE, HOUSE

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
HINTED = replace(ADA, link_hint=f"kareo-patient:{ADA_THERE.id}")


def event(body: Body, *, ehr: EhrChartId | None = None, billing: BillingPatientId | None = None) -> Event:
    origin = Origin.EHR if ehr else Origin.BILLING if billing else Origin.CHARTWIRE
    id_ = event_id(PRACTICE, type_of(body), str(body))
    return Event(id=id_, practice=PRACTICE, origin=origin, observed=NOW, body=body, ehr=ehr, billing=billing)


def chart(one: EhrChart) -> Event:
    return event(EhrChartObserved(chart=one), ehr=one.id)


def batch(*events: Event, whole: bool = False, state: PracticeState | None = None) -> Batch:
    """Both directories are read; then these events come."""
    made = Batch(
        PRACTICE,
        state or PracticeState(),
        Policy(practice=PRACTICE, default_physician=HOUSE),
        Moment(now=NOW, today=NOW.date()),
        whole=whole,
    )
    for one in (event(EhrDirectoryObserved()), event(BillingDirectoryObserved()), *events):
        made.take(one)
    return made


def kinds(made: Batch) -> list[type[Body]]:
    return [type(one.body) for one in made.events]


def test_who_is_not_loaded_is_asked_for_before_anything_is_decided() -> None:
    made = batch(chart(HINTED))
    before = kinds(made)
    missing = made.settle()
    assert (missing.ehr, missing.billing) == (set(), {ADA_THERE.id})
    assert kinds(made) == before
    made.state.apply(replace(event(BillingChartObserved(chart=ADA_THERE)), patient=f"K:{ADA_THERE.id}"), 0)
    assert not made.settle()
    assert ChartLinked in kinds(made)


def test_who_does_not_exist_is_asked_for_once() -> None:
    made = batch(chart(HINTED))
    assert made.settle()
    assert not made.settle()
    assert IntentRequested in kinds(made), "the other side is searched"


def test_where_the_state_is_whole_nobody_is_missing() -> None:
    made = batch(chart(HINTED), whole=True)
    assert not made.settle()
    assert IntentRequested in kinds(made)


def test_a_chain_of_merges_is_followed_link_by_link() -> None:
    """The linked chart was merged into one that was merged into another: each is asked for as soon as it is known of."""
    second, third = EhrChartId(ADA.id + 1), EhrChartId(ADA.id + 2)
    linked = ChartLinked(ehr=ADA.id, billing=ADA_THERE.id, how="by hand", base={})
    made = batch(
        chart(ADA),
        event(BillingChartObserved(chart=ADA_THERE), billing=ADA_THERE.id),
        event(linked, ehr=ADA.id, billing=ADA_THERE.id),
        whole=True,
    )
    state = made.state
    made = batch(chart(replace(ADA, merged_into=second)), state=state)
    assert made.settle().ehr == {second}
    stored = chart(replace(ADA, id=second, merged_into=third))
    state.apply(replace(stored, patient=ehr_key(second)), 0)
    assert made.settle().ehr == {third}
    state.apply(replace(chart(replace(ADA, id=third)), patient=ehr_key(third)), 0)
    assert not made.settle()
    (moved,) = [one.body for one in made.events if isinstance(one.body, LinkMoved)]
    assert (moved.source, moved.target) == (ADA.id, third)


def test_everybody_missing_is_asked_for_at_once() -> None:
    other = replace(ADA, id=EhrChartId(77), link_hint="kareo-patient:78")
    assert batch(chart(HINTED), chart(other)).settle().billing == {ADA_THERE.id, BillingPatientId(78)}


def test_who_is_looked_at_again_is_saved_again_although_nothing_follows() -> None:
    first = batch(chart(ADA), whole=True)
    first.settle()
    first.state.changed.clear()
    again = Batch(PRACTICE, first.state, first.policy, first.moment)
    again.look_again([ehr_key(ADA.id)], "a day has passed", 9)
    assert not again.settle()
    assert again.events == []
    assert again.state.changed == {ehr_key(ADA.id)}


# -- what lies in quarantine ------------------------------------------------------------------------------------------


ASIDE = event(ChangeQuarantined(system=System.EHR, resource="ElationChartObserved", record="1", reason="odd"))
SLOT = "quarantine:elation:ElationChartObserved:1"
REDRIVE = event(RedriveRequested(slot=SLOT, who="ada"))


def test_what_was_set_aside_is_recorded_as_if_it_came_now() -> None:
    made = batch(ASIDE)
    made.take(REDRIVE, Redriven(ASIDE.id, chart(ADA)))
    assert kinds(made)[-3:] == [RedriveRequested, WaitingCleared, EhrChartObserved]


def test_what_has_come_in_the_same_batch_is_not_recorded_twice() -> None:
    made = batch(ASIDE, chart(ADA))
    made.take(REDRIVE, Redriven(ASIDE.id, chart(ADA)))
    assert kinds(made).count(EhrChartObserved) == 1


def test_what_is_set_aside_by_now_is_something_else() -> None:
    """The record came again meanwhile, unusable again: its connector reads it."""
    made = batch(ASIDE)
    made.take(REDRIVE, Redriven(event_id(PRACTICE, "before"), chart(ADA)))
    assert kinds(made)[-1] is RedriveRequested


def test_what_is_of_no_use_stays_and_the_command_is_refused() -> None:
    made = batch(ASIDE)
    refusal = CommandRefused(command="RedriveRequested", code="still-unreadable", text="")
    made.take(REDRIVE, Redriven(ASIDE.id, refused=refusal))
    assert made.events[-1].body == refusal
    assert SLOT in made.state.directory.waiting
