"""The screens of both products, and the records on them that a deed may concern."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from daemon.sandbox.clinic import Clinic, Office

Doing = Callable[[Office, random.Random], object]


class Screens:
    """Somebody at both products."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    @property
    def _billing(self) -> Any:
        return self._clinic.billing.people

    @property
    def _ehr(self) -> Any:
        return self._clinic.ehr.people

    def _patients(self, office: Office) -> list[int]:
        held = self._clinic.billing.patients.items()
        return sorted(id_ for id_, one in held if one.practice_id == office.billing and not one.deleted)

    def _charts(self, office: Office) -> list[int]:
        held = self._clinic.ehr.patients.items()
        return sorted(id_ for id_, one in held if one["caregiver_practice"] == office.ehr and not one["deleted_date"])

    def _patient(self, office: Office, pick: random.Random) -> int:
        return pick.choice(self._patients(office))

    def _chart(self, office: Office, pick: random.Random) -> int:
        return pick.choice(self._charts(office))

    def _pairs(self, office: Office) -> list[tuple[int, int]]:
        """Patients and charts of the same name."""
        ehr, billing = self._clinic.ehr.patients, self._clinic.billing.patients
        charts = {(ehr[one]["first_name"], ehr[one]["last_name"]): one for one in self._charts(office)}
        names = ((one, (billing[one].first_name, billing[one].last_name)) for one in self._patients(office))
        return [(one, charts[name]) for one, name in names if name in charts]


def some(choices: dict[str, object], pick: random.Random) -> dict[str, object]:
    names = pick.sample(sorted(choices), pick.randint(1, 3))
    return {name: choices[name] for name in names}
