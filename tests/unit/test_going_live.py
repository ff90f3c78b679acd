"""Going live by a person's word: what is recorded, what it changes, and what becomes of it when it is taken back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.commands import GoLiveRequested
from events.first_day import LiveChosen
from events.schema import CommandRefused, ObservingBegan, WentLive
from projections.deciding.repair import answer
from projections.rules.holds import FirstDay, first_day_of, is_observed
from projections.state.directory import Directory
from projections.state.state import PracticeState
from projections.terms.policy import Policy
from tests.unit.clinic import Clinic

LIVE = Clinic().policy
OBSERVED = replace(LIVE, observes=True)
ANN = LiveChosen(who="ann", reason="all are matched")
ASKED, UNDONE = GoLiveRequested(who="ann", reason="all are matched"), GoLiveRequested(who="ann", undo=True)


def answered(body: GoLiveRequested, directory: Directory, policy: Policy) -> tuple[object, ...]:
    """What is recorded after the command; of a refusal its code."""
    reply = answer(PracticeState(directory=directory), None, None, body, policy)
    if isinstance(reply.refused, CommandRefused):
        return (reply.refused.code,)
    assert reply.about == ""
    return reply.follows


def test_an_observed_practice_goes_live_by_a_person_s_word() -> None:
    assert answered(ASKED, Directory(observing=True), OBSERVED) == (ANN,)


@pytest.mark.parametrize(
    ("directory", "policy", "text"),
    [
        (Directory(), LIVE, "live already"),
        (Directory(live_chosen=ANN), OBSERVED, "live already"),
        (Directory(observing=True, live_chosen=ANN), OBSERVED, "going live already"),
        (Directory(observing=True), LIVE, "going live already"),
    ],
)
def test_one_that_is_live_or_going_live_is_not_asked_again(directory: Directory, policy: Policy, text: str) -> None:
    reply = answer(PracticeState(directory=directory), None, None, ASKED, policy)
    assert reply.refused is not None
    assert text in reply.refused.text
    assert reply.follows == ()


def test_taken_back_the_configuration_counts_again() -> None:
    back = LiveChosen(who="ann", live=False)
    assert answered(UNDONE, Directory(live_chosen=ANN, observing=True), OBSERVED) == (back,)
    assert answered(UNDONE, Directory(live_chosen=ANN), OBSERVED) == (back, ObservingBegan())
    assert answered(UNDONE, Directory(live_chosen=ANN), LIVE) == (back,)
    assert answered(UNDONE, Directory(), OBSERVED) == ("nothing-in-it",)


@pytest.mark.parametrize(
    ("directory", "policy", "day", "observed"),
    [
        (Directory(), OBSERVED, FirstDay.OBSERVED, True),
        (Directory(observing=True), OBSERVED, FirstDay.OBSERVED, True),
        (Directory(observing=True), LIVE, FirstDay.GOING_LIVE, True),
        (Directory(observing=True, live_chosen=ANN), OBSERVED, FirstDay.GOING_LIVE, True),
        (Directory(live_chosen=ANN), OBSERVED, FirstDay.OVER, False),
        (Directory(), LIVE, FirstDay.OVER, False),
    ],
)
def test_nothing_is_decided_before_a_practice_has_gone_live(
    directory: Directory, policy: Policy, day: FirstDay, observed: bool
) -> None:
    assert first_day_of(directory, policy) is day
    assert is_observed(directory, policy) is observed


def test_the_word_is_kept_when_the_practice_has_gone_live() -> None:
    clinic = Clinic()
    clinic.policy = OBSERVED
    clinic.record(ObservingBegan())
    assert clinic.ask(ASKED) == ""
    clinic.record(WentLive())
    assert (clinic.state.directory.live_chosen, clinic.state.directory.observing) == (ANN, False)
    assert clinic.ask(ASKED) == "nothing-in-it"
