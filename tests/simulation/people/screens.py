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
    def _kareo(self) -> Any:
        return self._clinic.kareo.people

    @property
    def _elation(self) -> Any:
        return self._clinic.elation.people

    def _patients(self, office: Office) -> list[int]:
        held = self._clinic.kareo.patients.items()
        return sorted(id_ for id_, one in held if one.practice_id == office.kareo and not one.deleted)

    def _charts(self, office: Office) -> list[int]:
        held = self._clinic.elation.patients.items()
        return sorted(id_ for id_, one in held if one["caregiver_practice"] == office.elation and not one["deleted_date"])

    def _patient(self, office: Office, pick: random.Random) -> int:
        return pick.choice(self._patients(office))

    def _chart(self, office: Office, pick: random.Random) -> int:
        return pick.choice(self._charts(office))

    def _pairs(self, office: Office) -> list[tuple[int, int]]:
        """Patients and charts of the same name."""
        elation, kareo = self._clinic.elation.patients, self._clinic.kareo.patients
        charts = {(elation[one]["first_name"], elation[one]["last_name"]): one for one in self._charts(office)}
        names = ((one, (kareo[one].first_name, kareo[one].last_name)) for one in self._patients(office))
        return [(one, charts[name]) for one, name in names if name in charts]


def some(choices: dict[str, object], pick: random.Random) -> dict[str, object]:
    names = pick.sample(sorted(choices), pick.randint(1, 3))
    return {name: choices[name] for name in names}
