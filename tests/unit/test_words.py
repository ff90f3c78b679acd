"""The sentences about events and writes: nothing of a patient by default, everything when it is asked for (projections/words)."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.codes import WaitCode
from events.schema import TYPES, Body, IntentRequested, WaitingRaised
from events.writes import AnyWrite, Resource, System
from projections.terms.names import Names, SystemName
from projections.words.headings import heading_of
from projections.words.remedy import MEANINGS
from projections.words.shown import EVERYTHING, MASK, PERSONS_NAMES, Shown
from projections.words.words import describe
from projections.words.writes import describe_write
from tests.unit.canaries import Canaries, leaked

SENTENCES = dict(
    line.split(": ", 1) for line in (Path(__file__).with_name("sentences.txt")).read_text(encoding="utf-8").splitlines()
)
"""Every event type and every write with all its fields filled, in full, as b260bfb said it; a link also says how alike the two are."""

WRITES: dict[str, type[AnyWrite]] = {one.__name__: one for one in AnyWrite.__args__}

IDS_AND_TIMES = {
    "AppointmentTerms.minutes", "AppointmentTerms.start", "BillReleaseRequested.bill", "BillResendRequested.bill", "BillingAppointment.key",
    "BillingAppointment.minutes", "BillingAppointment.start", "BillingAppointmentVanished.key", "BillingChart.id",
    "BillingChartVanished.patient", "CancelEhrAppointment.appointment", "ChangeBillingPolicies.case_id",
    "ChangeQuarantined.record", "EhrPoliciesObserved.chart", "ChartLinked.billing",
    "Candidate.id", "ChartLinked.ehr", "ChartUnlinked.billing", "ChartUnlinked.ehr", "CreateEncounter.bill",
    "BookingTerms.minutes", "BookingTerms.start", "DeleteBillingAppointment.appointment", "EhrAppointment.id",
    "EhrAppointment.minutes", "EhrAppointment.start", "EhrAppointment.status", "EhrAppointmentGone.appointment",
    "DeleteEhrAppointment.appointment", "EhrBill.id", "EhrBill.status", "EhrChart.id", "EhrChart.merged_into",
    "EhrChartDeleted.chart", "EhrChartMerged.chart", "EhrChartMerged.survivor", "IntentAttempted.attempt",
    "HistoryRestarted.kept", "HistoryRestarted.witnessed", "LinkMoved.billing", "LinkMoved.source", "LinkMoved.target", "LinkRequested.billing",
    "BillingLinkMoved.ehr", "BillingLinkMoved.source", "BillingLinkMoved.target", "MoveLinkRequested.source",
    "MoveLinkRequested.target", "TellApartRequested.one", "TellApartRequested.other", "ToldApart.one", "ToldApart.other",
    "LinkRequested.ehr", "LinkResumed.ehr", "LinkSuspended.ehr", "MarkBillError.bill", "MarkBilled.bill",
    "MarkBilled.ref_number", "ReleaseBill.bill", "MessageUnreadable.offset", "MessageUnreadable.partition", "MessageUnreadable.topic",
    "KeptOut.ehr", "RecordLeftUnread.record",
    "MapGiveBackRequested.id", "MapGivenBack.id", "MapRequested.id", "MapRequested.to", "MapSaved.id", "MapSaved.to",
    "PairBarred.billing", "PairBarred.ehr", "PolicyRemovalRequested.policy", "UpdateCarrier.carrier", "UnlinkRequested.billing", "UnlinkRequested.ehr",
}  # fmt: skip
NAMES_OF_FIELDS = {
    "ConflictSeen.fields", "FieldConflict.field", "FieldsAgreed.fields.key", "UpdateBillingChart.fields.key",
    "UpdateBillingAppointment.changes", "UpdateCarrier.fields.key", "UpdateEhrChart.fields.key",
}  # fmt: skip
WORDS_OF_OURS = {
    "AddBillingCase.case_name", "ChangeQuarantined.path", "ChangeQuarantined.reason", "ChangeQuarantined.resource",
    "BillingLinkMoved.how", "ChartLinked.how", "Likeness.levels", "Likeness.levels.key", "Likeness.vetoes",
    "CommandRefused.text", "HoldBegan.text", "IntentRefused.code", "IntentRequested.notes",
    "IntentRequested.rule", "IntentSuperseded.reason", "RecordLeftUnread.resource", "MessageUnreadable.reason", "RevisitDue.reason",
    "WaitingCleared.how", "WaitingDismissed.code", "WaitingRaised.code",
}  # fmt: skip
HARMLESS = IDS_AND_TIMES | NAMES_OF_FIELDS | WORDS_OF_OURS
"""What a line names though nothing is asked for. A field that is not listed is taken for a patient's data."""


def is_harmless(place: str) -> bool:
    """Also every slot, and what a person said when they asked for something."""
    return place in HARMLESS or place.rpartition(".")[2] in ("slot", "slots", "who", "reason")


def test_every_event_type_and_every_write_has_its_sentence() -> None:
    assert set(SENTENCES) == {*TYPES, *WRITES}


@pytest.mark.parametrize("name", TYPES)
def test_an_event_in_full_says_what_it_always_said(name: str) -> None:
    assert describe(Canaries().of(TYPES[name]), EVERYTHING) == SENTENCES[name]


@pytest.mark.parametrize("name", WRITES)
def test_a_write_in_full_says_what_it_always_said(name: str) -> None:
    assert describe_write(Canaries().of(WRITES[name]), EVERYTHING) == SENTENCES[name]


@pytest.mark.parametrize("name", TYPES)
def test_an_event_shows_nothing_of_a_patient_unless_asked_to(name: str) -> None:
    canaries = Canaries()
    body: Body = canaries.of(TYPES[name])
    for text in (describe(body), describe(body, news="")):
        assert [place for place in leaked(text, canaries) if not is_harmless(place)] == []


@pytest.mark.parametrize("name", WRITES)
def test_a_write_shows_nothing_of_a_patient_unless_asked_to(name: str) -> None:
    canaries = Canaries()
    write: AnyWrite = canaries.of(WRITES[name])
    wanted = IntentRequested(
        intent=canaries.of(IntentRequested).intent,
        slot="chart",
        system=System.EHR,
        resource=Resource.CHART,
        write=write,
        rule="guide",
    )
    for text in (describe_write(write), describe(wanted)):
        assert [place for place in leaked(text, canaries) if not is_harmless(place)] == []


@pytest.mark.parametrize("name", [*TYPES, *WRITES])
def test_values_and_names_are_shown_apart(name: str) -> None:
    canaries = Canaries()
    value = canaries.of(TYPES[name] if name in TYPES else WRITES[name])
    tell = describe if name in TYPES else describe_write
    for shown in (Shown(values=True), Shown(names=True)):
        found = [one.rpartition(".")[2] for one in leaked(tell(value, shown), canaries) if not is_harmless(one)]
        assert [one for one in found if (one in PERSONS_NAMES) is not shown.names] == []


def test_the_harmless_fields_are_shown_somewhere() -> None:
    """A name in the list that no sentence shows would hide a leak to come."""
    told = set()
    for kind in TYPES.values():
        canaries = Canaries()
        told |= set(leaked(describe(canaries.of(kind)), canaries))
    for write in WRITES.values():
        canaries = Canaries()
        told |= set(leaked(describe_write(canaries.of(write)), canaries))
    assert HARMLESS - told == set()


@pytest.mark.parametrize("code", [*WaitCode, "of-a-later-version"])
def test_the_text_of_an_item_is_shown_unless_it_may_quote_a_record(code: str) -> None:
    text = describe(WaitingRaised(slot="bill:1", code=code, text="Ada needs it"))
    quotes = code not in set(WaitCode) or MEANINGS[WaitCode(code)].quotes
    heading = heading_of(code, Names())
    assert text == (f"waits ({heading}): bill 1" if quotes else f"waits ({heading}): Ada needs it")


def test_a_mask_stands_where_a_value_is() -> None:
    assert Shown().value("city", "Macon") == MASK
    assert Shown().value("city", "") == ""


def test_the_systems_are_called_as_the_practice_calls_them() -> None:
    names = Names(ehr=SystemName(label="Charta", prefix="charta"), billing=SystemName(label="Billa", prefix="billa"))
    shown = Shown(values=True, names=True, systems=names)
    told = [describe(Canaries().of(kind), shown) for kind in TYPES.values()]
    told += [describe_write(Canaries().of(kind), shown) for kind in WRITES.values()]
    assert [text for text in told if "elation" in text.lower() or "kareo" in text.lower()] == []
