"""After a restore: which creations are looked for before they are made, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from events.commands import DismissRequested
from events.ids import IntentId, ehr_key
from events.restarts import HistoryRestarted, HistoryResumed
from events.schema import WaitingRaised
from events.slots import RESTART_SLOT
from events.writes import AddBillingCase, MarkBilled, Resource, System
from projections.state.open_intents import OpenIntent, Waiting
from projections.state.patient import Patient
from projections.state.restart import Restarted, looks_first, waited_through
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
LASTS = Restarted(kept=7, at=NOON)
OVER = Restarted(kept=7, at=NOON, over=LATER)
CASE = AddBillingCase(patient=ADA_THERE.id, case_name="Self", payer_scenario="Self Pay")
ANSWER = MarkBilled(bill=1, ref_number="2", billed_at=NOON)


def job(write: AddBillingCase | MarkBilled = CASE, requested: datetime | None = None, *, looks: bool = False) -> OpenIntent:
    return OpenIntent(
        intent=IntentId("i"),
        system=System.BILLING,
        resource=Resource.CHART,
        write=write,
        rule="guide",
        requested=requested,
        looks=looks,
    )


@pytest.mark.parametrize(
    ("one", "restarted", "first"),
    [
        (job(), None, False),
        (job(requested=LATER), LASTS, True),
        (job(ANSWER), LASTS, False),
        (job(requested=NOON), OVER, True),
        (job(requested=LATER), OVER, True),
        (job(requested=LATER + timedelta(seconds=1)), OVER, False),
        (job(requested=LATER + timedelta(seconds=1), looks=True), OVER, True),
        (job(ANSWER, looks=True), OVER, False),
        (job(), OVER, True),
    ],
    ids=[
        "history never restarted",
        "the lost time is not settled",
        "no creation",
        "requested in the lost time and still open",
        "requested in the moment of its end",
        "new",
        "waited through",
        "no creation, though it waited",
        "requested nobody knows when",
    ],
)
def test_a_creation_is_looked_for_where_it_may_have_been_made(
    one: OpenIntent, restarted: Restarted | None, first: bool
) -> None:
    assert looks_first(one, restarted) is first


@pytest.mark.parametrize(
    ("since", "restarted", "through"),
    [(NOON, None, False), (NOON, LASTS, False), (NOON, OVER, True), (None, OVER, True), (LATER, OVER, True)],
)
def test_what_waited_through_the_lost_time_is_known_by_its_age(
    since: datetime | None, restarted: Restarted | None, through: bool
) -> None:
    patient = Patient(key=ADA_KEY, waiting={"bill:1": Waiting(code="unsigned", text="", since=since)})
    assert waited_through(patient, restarted) is through
    new = replace(patient, waiting={"bill:1": Waiting(code="unsigned", text="", since=LATER + timedelta(seconds=1))})
    assert waited_through(new, restarted) is False


RESTART = HistoryRestarted(kept=7, witnessed=9, epoch=3, until=NOON)


def test_a_restart_shows_until_it_is_over_and_nobody_can_accept_it() -> None:
    clinic = Clinic()
    clinic._about("", RESTART)
    clinic._about("", WaitingRaised(slot=RESTART_SLOT, code="history-restarted", text="restored"))
    assert clinic.state.directory.restarted is not None
    assert clinic.ask(DismissRequested(slot=RESTART_SLOT, who="grace", reason="seen")) == "passes-by-itself"
    clinic._about("", HistoryResumed())
    restarted = clinic.state.directory.restarted
    assert restarted is not None
    assert restarted.over is not None
    assert restarted.over >= restarted.at


def test_what_waited_through_is_requested_with_a_look_and_what_is_new_without() -> None:
    clinic = Clinic(directory=False)
    clinic.ehr(ADA)
    assert clinic.waiting(ehr_key(ADA.id))
    clinic._about("", RESTART)
    clinic._about("", HistoryResumed())
    clinic.directories()
    clinic.ehr(replace(ADA, city="Macon"))
    assert {one.looks for _, _, one in clinic.open()} == {True}

    later = Clinic()
    later._about("", RESTART)
    later._about("", HistoryResumed())
    later.ehr(ADA)
    assert {one.looks for _, _, one in later.open()} == {False}
