"""Days on which people hold writes, release them, and keep patients out; and the judge of it, by what is recorded.

The judge knows of holds and of patients kept out by itself: it asks nothing of the daemon's own rules.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from events.holds import HoldBegan, HoldEnded, KeptOut
from events.insurance import EhrPoliciesObserved
from events.maps import MapGivenBack, MapKind, MapSaved
from events.merges import BillingLinkMoved
from events.schema import (
    BillingAppointmentObserved,
    BillingChartObserved,
    BillObserved,
    ChartLinked,
    ChartUnlinked,
    EhrChartObserved,
    Event,
    IntentAttempted,
    IntentRequested,
    LinkMoved,
    Recorded,
    WaitingRaised,
)
from events.writes import SearchBilling, SearchEhr
from tests.simulation.more_deeds import with_more
from tests.simulation.plan import DAY_ENDS, HOUR, Deed, Plan

HOLDING: dict[str, int] = {
    "holds the practice": 2,
    "holds a resource or a direction": 5,
    "holds a patient": 4,
    "releases a hold": 5,
    "keeps a patient out": 2,
    "takes a patient in again": 2,
    "edits a patient in Kareo": 4,
    "edits a chart in Elation": 4,
    "books an appointment in Kareo": 3,
    "signs a note in Elation": 3,
    "unlinks two charts": 1,
    "links two charts of one person": 1,
}

DELAYED = ("signs a note with a delayed bill in Elation", "releases a delayed bill here")


def left_alone(seed: int) -> Plan:
    """The plan of a seed on whose day people hold and release, and keep patients out; some bills are delayed, and released here."""
    plan, pick = with_more(seed, "left alone", HOLDING), random.Random(f"{seed}/delayed")
    delayed = [
        Deed(at=pick.uniform(HOUR, DAY_ENDS), office=pick.randrange(2), kind=kind, pick=pick.randrange(1_000_000))
        for kind in DELAYED * 3
    ]
    return replace(plan, deeds=tuple(sorted((*plan.deeds, *delayed), key=lambda one: one.at)))


OBSERVED = (EhrChartObserved, EhrPoliciesObserved, BillObserved, BillingChartObserved, BillingAppointmentObserved)
"""What says more of a record than which it is."""


@dataclass
class _Office:
    """What is left alone in a practice now, and which rows of its maps people have saved. Charts are ("elation" or "kareo", number)."""

    holds: dict[str, HoldBegan] = field(default_factory=dict)
    out: set[tuple[str, int]] = field(default_factory=set)
    asked: dict[str, IntentRequested] = field(default_factory=dict)
    links: dict[int, int] = field(default_factory=dict)
    mapped: set[tuple[MapKind, int]] = field(default_factory=set)
    ever_mapped: set[tuple[MapKind, int]] = field(default_factory=set)

    @property
    def providers(self) -> list[int]:
        """The physicians whom people have mapped."""
        return [id_ for kind, id_ in self.mapped if kind is MapKind.PROVIDER]


def but_who(office: _Office, texts: list[str]) -> list[str]:
    """Without what is said of providers where people have mapped one: who was written by a row stays with a bill and an appointment,
    and who is entered meanwhile is written back by the row that counts then. The judge knows only who is who in truth."""
    mapped = {kind for kind, _ in office.ever_mapped}
    return [text for text in texts if "provider" not in text] if mapped - {MapKind.LOCATION} else texts


class LeftAlone:
    """Follows what is recorded, of all practices."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._offices: dict[str, _Office] = {}

    def of(self, practice: str) -> _Office:
        return self._offices.setdefault(practice, _Office())

    def follow(self, recorded: Recorded) -> None:
        """An event of a practice, in its order."""
        event, body = recorded.event, recorded.event.body
        office = self.of(event.practice)
        match body:
            case HoldBegan():
                office.holds[body.slot] = body
            case HoldEnded():
                office.holds.pop(body.slot, None)
            case MapSaved():
                office.mapped.add((body.kind, body.id))
                office.ever_mapped.add((body.kind, body.id))
            case MapGivenBack():
                office.mapped.discard((body.kind, body.id))
            case KeptOut():
                named = {("elation", body.ehr), ("kareo", body.billing)} - {("elation", None), ("kareo", None)}
                office.out = office.out | named if body.out else office.out - named  # type: ignore[assignment]
            case _ if isinstance(body, OBSERVED):
                self._tell(event, office, "is recorded in full though it is kept out", type(body).__name__)
            case ChartLinked():
                self._tell(event, office, "was linked though it is kept out", body.how)
                office.links[int(body.ehr)] = int(body.billing)
            case LinkMoved():
                office.links.pop(int(body.source), None)
                office.links[int(body.target)] = int(body.billing)
            case BillingLinkMoved():
                office.links[int(body.ehr)] = int(body.target)
            case ChartUnlinked():
                office.links.pop(int(body.ehr), None)
            case WaitingRaised() if event.patient:
                self._tell(event, office, "waits though it is kept out", body.slot)
            case IntentRequested():
                office.asked[body.intent] = body
                self._tell(event, office, "is asked to be written though it is kept out", body.slot)
            case IntentAttempted():
                self._begun(event, office, office.asked[body.intent])

    def _tell(self, event: Event, office: _Office, what: str, of: str) -> None:
        if event.patient and office.out.intersection(self._charts(event, office)):
            self._say("left alone", f"{event.practice}: {event.patient} {what} ({of})")

    def _begun(self, event: Event, office: _Office, asked: IntentRequested) -> None:
        """Nothing that is held is begun."""
        if isinstance(asked.write, SearchEhr | SearchBilling):
            return
        self._tell(event, office, "is written though it is kept out", asked.slot)
        charts = self._charts(event, office)
        for hold in office.holds.values():
            whose = {("elation", hold.ehr), ("kareo", hold.billing)} - {("elation", None), ("kareo", None)}
            if whose and not whose & charts:
                continue
            if hold.resource in (None, asked.resource) and hold.system in (None, asked.system):
                self._say(
                    "left alone", f"{event.practice}: {asked.slot} of {event.patient} was begun though held ({hold.slot})"
                )

    def _charts(self, event: Event, office: _Office) -> set[tuple[str, int]]:
        """The charts of the patient that an event is about."""
        side, _, number = event.patient.partition(":")
        if not number:
            return set()
        if side == "E":
            return {("elation", int(number))}
        return {("kareo", int(number)), *(("elation", ehr) for ehr, other in office.links.items() if other == int(number))}
