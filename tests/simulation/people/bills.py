"""Bills: notes signed in Elation, bills released, and corrected."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from daemon.sandbox.clinic import Office
from tests.simulation.people.screens import Doing, Screens

LINES: tuple[dict[str, object], ...] = (
    {"cpt": "99213", "modifiers": ["25"], "dxs": ["E11.9", "I10"], "units": "1.0", "unit_charge": "125.00"},
    {"cpt": "36415", "modifiers": [], "dxs": ["Z00.00"], "units": "2", "unit_charge": "18.50"},
    {"cpt": "93000", "modifiers": [], "dxs": ["R07.9"], "units": "1", "unit_charge": "60.00"},
)
FAULTY: tuple[list[dict[str, object]], ...] = (
    [],
    [{**LINES[0], "dxs": ["HEADACHE"]}],
    [{**LINES[0], "cpt": "99999"}],
    [{**LINES[0], "unit_charge": "99999999.00"}],
)


COMPLAINTS: dict[str, Callable[[Office, dict[str, Any]], bool]] = {
    "no procedure": lambda _office, bill: not bill["cpts"],
    "HEADACHE": lambda _office, bill: any("HEADACHE" in line["dxs"] for line in bill["cpts"]),
    "99999": lambda _office, bill: any(line["cpt"] == "99999" for line in bill["cpts"]),
    "charge": lambda _office, bill: any(line["unit_charge"] == "99999999.00" for line in bill["cpts"]),
    "Annex": lambda office, bill: bool(bill["service_location"] == office.annex),
}
"""By a word of each error that a bill may get: whether the bill deserves it."""


def complaints(office: Office, bill: dict[str, Any]) -> list[str]:
    """Words of the errors that a bill deserves."""
    return [word for word, deserved in COMPLAINTS.items() if deserved(office, bill)]


class Bills(Screens):
    """Deeds with bills."""

    def deeds(self) -> dict[str, Doing]:
        return {
            "signs a note in Elation": lambda office, pick: self._sign(office, pick, pick.sample(LINES, pick.randint(1, 2))),
            "signs a note with a delayed bill in Elation": lambda o, pick: self._sign(o, pick, [LINES[0]], deferred=True),
            "signs a note with a faulty bill in Elation": self._sign_faulty,
            "releases a delayed bill in Elation": self._release,
            "corrects and sends a bill again in Elation": self._resend,
        }

    def _sign(
        self, office: Office, pick: random.Random, lines: list[dict[str, object]], *, deferred: bool = False, place: int = 0
    ) -> None:
        """A note signed, which makes a bill."""
        where = place or office.place[0]
        day = self._clinic.billing.state.now().astimezone(ZoneInfo(office.time_zone)).date()
        chart, doctor = self._chart(office, pick), pick.choice(office.physicians)
        self._ehr.sign_note(chart, doctor, where, day, [dict(line) for line in lines], deferred=deferred)

    def _sign_faulty(self, office: Office, pick: random.Random) -> None:
        if pick.random() < 0.25:
            self._sign(office, pick, [LINES[0]], place=office.annex)
        else:
            self._sign(office, pick, pick.choice(FAULTY))

    def _bill(self, office: Office, pick: random.Random, wanted: Callable[[dict[str, Any]], bool]) -> int:
        bills = self._clinic.ehr.bills.values()
        return int(pick.choice([one["id"] for one in bills if one["practice"] == office.ehr and wanted(one)]))

    def _release(self, office: Office, pick: random.Random) -> None:
        self._ehr.release_bill(self._bill(office, pick, lambda one: bool(one["deferred_bill"])))

    def _resend(self, office: Office, pick: random.Random) -> None:
        """Who corrects a bill has read its error, or saw for himself what is wrong, be the error under way or not."""
        wrong = self._bill(office, pick, lambda one: one["billing_status"] != "Billed" and bool(complaints(office, one)))
        self._ehr.resave_bill(wrong, cpts=[dict(LINES[0])], service_location=office.place[0])
