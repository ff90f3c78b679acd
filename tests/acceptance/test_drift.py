"""`verify` finds every one of 50 random edits that people made on both sides while the worker was stopped, with its cause."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.clinic import Office
from daemon.sandbox.day import GOOD_LINE
from tests.played_day import PlayedDay, played

ROOT = Path(__file__).resolve().parents[2]
EDITS = 50
SEED = 4
NEW, STAYS = "not seen yet", "edited on the losing side"

Found = tuple[str, str, str]
"""Patient's key, what (the slot), cause."""
Edit = Callable[[], Found | None]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedDay]:
    with played(tmp_path_factory.mktemp("edited") / "log.jsonl") as day:
        yield day


class Writer:
    """People at both systems. An edit answers what `verify` has to say about it, None where it cannot be made."""

    def __init__(self, day: PlayedDay, office: Office, pick: random.Random) -> None:
        self._day, self._office, self._pick = day, office, pick
        self._ehr, self._billing = day.clinic.ehr, day.clinic.billing
        self.linked = [
            (patient, chart)
            for patient, chart in day.links[office.id].items()
            if not self._billing.patients[patient].deleted and not self._ehr.patients[chart]["deleted_date"]
        ]
        pick.shuffle(self.linked)

    def edits(self) -> list[Callable[[int, int], Found | None]]:
        return [
            self.city,
            self.middle_name,
            self.bad_phone,
            self.chart_deleted,
            self.bill,
            self.booked,
            self.moved,
            self.cancelled,
            self.described_there,
            self.policy,
            self.policy_there,
            self.new_patient,
            self.new_chart,
        ]

    def city(self, patient: int, _chart: int) -> Found:
        self._billing.people.edit_patient(patient, city=f"Town {self._pick.randrange(10**6)}")
        return f"K:{patient}", "demographics:elation", NEW

    def middle_name(self, patient: int, chart: int) -> Found:
        self._ehr.people.edit_patient(chart, middle_name=f"Q{self._pick.randrange(10**6)}")
        return f"K:{patient}", "demographics:kareo", NEW

    def bad_phone(self, patient: int, _chart: int) -> Found:
        self._billing.people.edit_patient(patient, home_phone="CALL ME")
        return f"K:{patient}", "field:home_phone", NEW

    def chart_deleted(self, patient: int, chart: int) -> Found:
        self._ehr.people.delete_patient(chart)
        return f"K:{patient}", "link", NEW

    def bill(self, patient: int, chart: int) -> Found:
        office = self._office
        today = datetime.now(UTC).date()
        signed = self._ehr.people.sign_note(chart, office.physicians[0], office.place[0], today, [GOOD_LINE])
        return f"K:{patient}", f"bill:{signed['bill']['id']}", NEW

    def booked(self, patient: int, _chart: int) -> Found:
        office, start = self._office, datetime.now(UTC) + timedelta(days=3)
        one = self._billing.people.book_appointment(patient, office.providers[0], office.place[1], start, 30, "New")
        return f"K:{patient}", f"appointment:{one.id}", NEW

    def _appointment(self, patient: int) -> int | None:
        mine = [
            id_
            for id_, one in self._billing.appointments.items()
            if one.patient_id == patient and not one.deleted and one.status != "Cancelled"
        ]
        return next((id_ for id_ in mine if self._day.appointment(self._office, id_) is not None), None)

    def moved(self, patient: int, _chart: int) -> Found | None:
        if (id_ := self._appointment(patient)) is None:
            return None
        self._billing.people.move_appointment(id_, datetime.now(UTC) + timedelta(days=8))
        return f"K:{patient}", f"appointment:{id_}", NEW

    def cancelled(self, patient: int, _chart: int) -> Found | None:
        if (id_ := self._appointment(patient)) is None:
            return None
        self._billing.people.cancel_appointment(id_)
        return f"K:{patient}", f"appointment:{id_}", NEW

    def described_there(self, patient: int, _chart: int) -> Found | None:
        if (id_ := self._appointment(patient)) is None:
            return None
        there = self._day.appointment(self._office, id_)
        assert there is not None
        self._ehr.people.edit_appointment(int(there["id"]), description="Bring the old records")
        return f"K:{patient}", f"appointment:{id_}", STAYS

    def policy(self, patient: int, _chart: int) -> Found | None:
        case = self._billing.state.primary_case(patient)
        held = [one for one in self._billing.state.policies_of(case.id) if one.active] if case else []
        if not held or not self._day.policies(self._office, patient):
            return None
        self._billing.people.edit_policy(held[0].id, number=f"N{self._pick.randrange(10**6)}")
        return f"K:{patient}", "policies", NEW

    def policy_there(self, patient: int, _chart: int) -> Found | None:
        held = self._day.policies(self._office, patient)
        if not held:
            return None
        self._ehr.people.edit_policy(held[0]["id"], member_id=f"M{self._pick.randrange(10**6)}")
        return f"K:{patient}", "policies", STAYS

    def new_patient(self, _patient: int, _chart: int) -> Found:
        return f"K:{self._day.day.kareo_patient(self._office)}", "chart", NEW

    def new_chart(self, _patient: int, _chart: int) -> Found:
        return f"E:{self._day.day.elation_patient(self._office)}", "chart", NEW


def edit_at_random(day: PlayedDay) -> dict[str, set[Found]]:
    """EDITS of them, of every kind and in both practices, no patient twice."""
    pick = random.Random(SEED)
    writer = {office.id: Writer(day, office, pick) for office in day.offices}
    made: dict[str, set[Found]] = {office.id: set() for office in day.offices}
    free = [(office, *pair) for office, one in writer.items() for pair in one.linked]
    kinds: set[int] = set()
    while sum(len(found) for found in made.values()) < EDITS:
        office, patient, chart = free.pop()
        edits = list(enumerate(writer[office].edits()))
        pick.shuffle(edits)
        edits.sort(key=lambda one: one[0] in kinds)
        for number, edit in edits:
            found = edit(patient, chart)
            if found is not None:
                made[office].add(found)
                kinds.add(number)
                break
    assert len(kinds) == len(writer[day.offices[0].id].edits()), "every kind of edit is made"
    return made


def test_every_edit_is_found_with_its_cause(own: PlayedDay) -> None:
    made = edit_at_random(own)
    assert sum(len(found) for found in made.values()) == EDITS
    for office, expected in made.items():
        command = [sys.executable, "-m", "daemon", "verify", office, "--json", "--config", str(own.config)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        drift: list[dict[str, Any]] = json.loads(done.stdout)["drift"]
        told = {(one["patient"], one["what"], one["cause"]) for one in drift}
        assert expected - told == set()
