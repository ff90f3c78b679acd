"""Deeds of a plan, done by whoever does the like."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.elation.fields import Refusal
from daemon.sandbox.kareo.people import UnknownRecordError
from tests.simulation.ledger import Ledger
from tests.simulation.people.appointments import Appointments
from tests.simulation.people.bills import Bills
from tests.simulation.people.calendar import Calendar
from tests.simulation.people.charts import Charts
from tests.simulation.people.commands import CommandLine, Commands
from tests.simulation.people.doubles import Doubles
from tests.simulation.people.insurance import Insurance
from tests.simulation.people.screens import Doing, Screens
from tests.simulation.plan import Deed
from tests.simulation.truth import Truth


class People(Screens):
    """Does deeds; `done` are those that were done, `ledger` what was entered."""

    def __init__(self, clinic: Clinic, now: Callable[[], datetime], line: CommandLine) -> None:
        super().__init__(clinic)
        self.done: list[Deed] = []
        self.truth = Truth(clinic)
        self.ledger = Ledger(clinic, now, self.truth)
        self._deeds: dict[str, Doing] = {
            "makes the webhooks' subscriptions give new keys": self._rotate,
            **Commands(clinic, line, self.ledger, now).deeds(),
        }
        for subject in (Charts, Insurance, Appointments, Bills, Calendar):
            self._deeds |= subject(clinic).deeds()
        self._deeds |= Doubles(clinic, self.truth).deeds()

    def do(self, deed: Deed) -> None:
        """Do a deed, if it can be done: nobody there, or a screen that refuses, is part of the day."""
        try:
            with self.ledger.people_act(), self.truth.acting():
                self._deeds[deed.kind](self._clinic.offices[deed.office], random.Random(f"deed/{deed.pick}"))
        except (LookupError, UnknownRecordError, Refusal):
            return
        self.done.append(deed)

    def _rotate(self, office: Office, pick: random.Random) -> None:
        for subscription in sorted(self._clinic.ehr.state.tables["subscriptions"]):
            self._ehr.rotate_webhook_key(subscription)
