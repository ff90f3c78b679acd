"""Words for what was set aside: a sentence for people about a text that stored documents keep (projections/words/kept_aside.py)."""

from __future__ import annotations

import pytest

from daemon.operator.waiting import item_of
from daemon.operator.worklist import Work, reason
from daemon.runtime.set_aside import defect, refusal
from events.codes import WaitCode
from events.ids import PRACTICE as OF_THE_PRACTICE
from events.ids import EventId, event_id
from events.reasons import NOT_SHOWN, UNANSWERED
from events.schema import ChangeQuarantined, Event, MessageUnreadable, Origin
from events.writes import System
from projections.state.directory import Directory, fold_directory
from projections.terms.names import Names, SystemName
from projections.terms.policy import Policy
from projections.words.kept_aside import reason_in_words, waiting_in_words
from projections.words.shown import EVERYTHING
from projections.words.words import describe
from tests.unit.recording import PRACTICE, START

LEDGER = Names(billing=SystemName(label="Ledger", prefix="ledger"))
POLICY = Policy(practice=PRACTICE, names=LEDGER)
PRIVATE = ("fold", "$", "KeyError)", "kareo", "; report it at")
"""What a biller could not make anything of."""


def waits(body: ChangeQuarantined | MessageUnreadable) -> Directory:
    event = Event(id=EventId(event_id(PRACTICE, "one")), practice=PRACTICE, origin=Origin.BILLING, observed=START, body=body)
    return fold_directory(Directory(), event)


def aside(resource: str, reason: str, path: str = "") -> ChangeQuarantined:
    return ChangeQuarantined(system=System.BILLING, resource=resource, record="7", path=path, reason=reason, raw=b"x")


def shown(directory: Directory) -> set[str]:
    """The reason as `waiting` and as the pages show it."""
    ((slot, one),) = directory.waiting.items()
    work = Work(key=OF_THE_PRACTICE, slot=slot, code=WaitCode(one.code), since=START)
    return {item_of(POLICY, None, slot, one).reason, reason(work, {}, directory, LEDGER)}


@pytest.mark.parametrize(
    ("resource", "begins"),
    [
        ("KareoPatientObserved", "a change of Ledger could not"),
        ("IntentSucceeded", "what came of a write to Ledger could not"),
    ],
)
def test_a_fault_of_ours_is_said_to_be_one_and_what_to_do(resource: str, begins: str) -> None:
    directory = waits(aside(resource, defect(KeyError("x"))))
    (one,) = directory.waiting.values()
    assert one.text == f"a change of kareo {resource} could not be used (cannot be folded (KeyError); report it at $)", (
        "stored"
    )
    (said,) = shown(directory)
    assert said.startswith(begins)
    assert "a fault of chartwire (KeyError)" in said
    assert "Report it to" in said
    assert [one for one in PRIVATE if one in said.replace("(KeyError)", "")] == []


def test_a_record_that_does_not_fit_is_named_with_its_place() -> None:
    (said,) = shown(waits(aside("patients", "does not fit", "$.DOB")))
    assert said.startswith(
        "Ledger shows one of its patients (7) in a form that chartwire cannot read (does not fit at $.DOB)."
    )
    assert "Look at it in Ledger" in said
    assert "kareo" not in said


def test_a_message_and_what_is_not_set_aside_keep_their_text() -> None:
    message = MessageUnreadable(topic="changes", partition=0, offset=7, reason="no key", raw=b"x")
    (said,) = shown(waits(message))
    assert said == "the message at changes, partition 0, offset 7 is unreadable: no key"
    assert waiting_in_words("chart", "no sex", LEDGER) == "no sex"


def test_the_history_says_it_too() -> None:
    text = describe(aside("KareoPatientObserved", defect(KeyError("x"))), EVERYTHING)
    assert text.endswith(reason_in_words(defect(KeyError("x")), ""))
    assert "fold" not in text
    assert describe(aside("patients", "does not fit", "$.DOB"), EVERYTHING).endswith("does not fit at $.DOB")


def test_a_command_that_defeats_us_is_refused_in_words() -> None:
    said = refusal(KeyError("x"))
    assert "fold" not in said
    assert said == "chartwire could not do it, which is a fault of chartwire (KeyError); nothing was changed. Report it"


@pytest.mark.parametrize("reason", [NOT_SHOWN, UNANSWERED])
def test_a_record_that_is_not_shown_is_not_called_illegible(reason: str) -> None:
    (said,) = shown(waits(aside("patients", reason)))
    assert said.startswith(f"Ledger does not show one of its patients (7): it {reason}. All others are read")
    assert reason_in_words(reason, "") == reason
