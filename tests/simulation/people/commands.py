"""What people ask of the daemon at its command line, by what it shows them: what waits, and who is linked with whom."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from daemon.sandbox.clinic import Clinic, Office
from events.commands import (
    BillReleaseRequested,
    BillResendRequested,
    Command,
    ConflictSeen,
    DismissRequested,
    HoldRequested,
    KeepOutRequested,
    LinkRequested,
    MapGiveBackRequested,
    MapRequested,
    ReleaseRequested,
    ResyncRequested,
    RetryRequested,
    UnlinkRequested,
)
from events.ids import BillingPatientId, EhrChartId
from events.maps import NO_RECORD, MapKind
from events.writes import Resource, System
from tests.simulation.ledger import Ledger
from tests.simulation.people.screens import Doing, Screens

WHO = "people"
RESYNC = ResyncRequested(who=WHO)
RETRY = RetryRequested(slots=(), who=WHO)
SEEN = ConflictSeen(fields=(), who=WHO)


class CommandLine(Protocol):
    """The daemon's, for one world."""

    def ask(self, practice: str, body: Command, *, ehr: int | None = None, billing: int | None = None) -> None:
        """Publish a command about these charts."""

    def waiting(self, practice: str) -> list[tuple[str, str]]:
        """(Patient key, slot) of all that waits, in order; of the practice itself with the key ""."""

    def links(self, practice: str) -> list[tuple[int, int]]:
        """(Elation chart, Kareo patient), in order."""


class Commands(Screens):
    """Deeds at the command line."""

    def __init__(self, clinic: Clinic, line: CommandLine, ledger: Ledger, now: Callable[[], datetime]) -> None:
        super().__init__(clinic)
        self._now = now
        self._kept_out: list[tuple[str, int]] = []
        self._mapped: list[tuple[str, MapKind, int]] = []
        self._line = line
        self._ledger = ledger

    def deeds(self) -> dict[str, Doing]:
        return {
            "asks to read a patient again": lambda o, pick: self._line.ask(o.id, RESYNC, billing=self._patient(o, pick)),
            "asks to read the first patient again": lambda o, _: self._line.ask(o.id, RESYNC, billing=self._pairs(o)[0][0]),
            "retries what was refused": lambda o, pick: self._line.ask(o.id, RETRY, billing=self._patient(o, pick)),
            "marks conflicts as seen": lambda o, pick: self._line.ask(o.id, SEEN, billing=self._patient(o, pick)),
            "unlinks two charts": self._unlink,
            "links two charts of one person": self._link,
            "accepts what waits": self._dismiss,
            "sends a failed bill again": self._resend,
            "releases a delayed bill here": self._release_bill,
            "holds the practice": lambda office, pick: self._hold(office, pick),
            "holds a resource or a direction": self._hold_some,
            "holds a patient": lambda office, pick: self._hold(office, pick, billing=self._patient(office, pick)),
            "releases a hold": self._release,
            "keeps a patient out": self._keep_out,
            "takes a patient in again": self._take_in,
            "maps a provider": self._map_provider,
            "chooses a calendar": self._map_calendar,
            "maps the annex": lambda office, _: self._map(office, MapKind.LOCATION, office.annex, office.place[1]),
            "chooses a default physician": self._map_default,
            "gives a row of the maps back": self._give_back,
        }

    def _unlink(self, office: Office, pick: random.Random) -> None:
        _, billing = pick.choice(self._line.links(office.id))
        self._line.ask(office.id, UnlinkRequested(billing=BillingPatientId(billing), who=WHO), billing=billing)

    def _link(self, office: Office, pick: random.Random) -> None:
        """Two that no link holds, and that people know to be one person."""
        links = self._line.links(office.id)
        ehr, billing = pick.choice(
            [
                (chart, patient)
                for chart in self._charts(office)
                for patient in self._patients(office)
                if not any(chart == one or patient == other for one, other in links)
                and self._ledger.one_person(office, chart, patient)
            ]
        )
        body = LinkRequested(ehr=EhrChartId(ehr), billing=BillingPatientId(billing), who=WHO, force=pick.random() < 0.5)
        self._line.ask(office.id, body, ehr=ehr, billing=billing)

    def _dismiss(self, office: Office, pick: random.Random) -> None:
        key, slot = pick.choice(self._line.waiting(office.id))
        system, _, id_ = key.partition(":")
        chart = {"E": "ehr", "K": "billing"}
        about = {chart[system]: int(id_)} if key else {}
        self._line.ask(office.id, DismissRequested(slot=slot, who=WHO, reason="as it should be"), **about)

    def _hold(
        self,
        office: Office,
        pick: random.Random,
        resource: Resource | None = None,
        system: System | None = None,
        billing: int | None = None,
    ) -> None:
        """Until somebody releases it, or for some minutes or hours."""
        minutes = pick.choice((None, None, 5, 60, 240))
        until = None if minutes is None else self._now() + timedelta(minutes=minutes)
        body = HoldRequested(who=WHO, reason="for now", resource=resource, system=system, until=until)
        self._line.ask(office.id, body, billing=billing)

    def _hold_some(self, office: Office, pick: random.Random) -> None:
        resource, system = pick.choice((None, *Resource)), pick.choice((None, *System))
        self._hold(office, pick, resource, system)

    def _release(self, office: Office, pick: random.Random) -> None:
        slot = pick.choice([slot for key, slot in self._line.waiting(office.id) if not key and slot.startswith("hold:")])
        self._line.ask(office.id, ReleaseRequested(slot=slot, who=WHO))

    def _keep_out(self, office: Office, pick: random.Random) -> None:
        patient = self._patient(office, pick)
        self._kept_out.append((office.id, patient))
        self._line.ask(office.id, KeepOutRequested(who=WHO, reason="a test"), billing=patient)

    def _take_in(self, office: Office, pick: random.Random) -> None:
        patient = pick.choice([one for where, one in self._kept_out if where == office.id])
        self._line.ask(office.id, KeepOutRequested(who=WHO, undo=True), billing=patient)

    def _map(self, office: Office, kind: MapKind, id_: int, to: int) -> None:
        self._mapped.append((office.id, kind, id_))
        self._line.ask(office.id, MapRequested(kind=kind, id=id_, to=str(to), who=WHO))

    def _map_provider(self, office: Office, pick: random.Random) -> None:
        to = pick.choice((*office.providers, office.locum))
        self._map(office, MapKind.PROVIDER, pick.choice(office.physicians), to)

    def _map_calendar(self, office: Office, pick: random.Random) -> None:
        self._map(office, MapKind.CALENDAR, office.locum, pick.choice(office.physicians))

    def _map_default(self, office: Office, pick: random.Random) -> None:
        self._map(office, MapKind.PHYSICIAN, NO_RECORD, pick.choice(office.physicians))

    def _give_back(self, office: Office, pick: random.Random) -> None:
        kind, id_ = pick.choice([(kind, id_) for where, kind, id_ in self._mapped if where == office.id])
        self._line.ask(office.id, MapGiveBackRequested(kind=kind, id=id_, who=WHO))

    def _release_bill(self, office: Office, pick: random.Random) -> None:
        bills = self._clinic.ehr.bills.values()
        bill = pick.choice([one for one in bills if one["practice"] == office.ehr and one["deferred_bill"]])
        self._line.ask(office.id, BillReleaseRequested(bill=bill["id"], who=WHO), ehr=bill["patient"])

    def _resend(self, office: Office, pick: random.Random) -> None:
        bills = self._clinic.ehr.bills.values()
        failed = [one for one in bills if one["practice"] == office.ehr and one["billing_status"] == "UnresolvedError"]
        bill = pick.choice(failed)
        self._line.ask(office.id, BillResendRequested(bill=bill["id"], who=WHO), ehr=bill["patient"])
