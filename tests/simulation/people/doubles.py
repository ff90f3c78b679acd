"""People who are registered again: misspelt as people misspell, or married meanwhile; and their double entries merged."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from typing import Any

from daemon.sandbox.clinic import Clinic, Office
from tests.simulation.people.charts import Charts
from tests.simulation.people.persons import person
from tests.simulation.people.screens import Doing
from tests.simulation.truth import Chart, Truth

Said = Callable[[dict[str, Any], random.Random], dict[str, Any]]


def _letters_swapped(one: dict[str, Any], pick: random.Random) -> dict[str, Any]:
    name = one["last_name"]
    at = pick.randrange(2, len(name) - 2)
    return {"last_name": name[:at] + name[at + 1] + name[at] + name[at + 2 :]}


def _day_and_month(one: dict[str, Any], _pick: random.Random) -> dict[str, Any]:
    born: date = one["birth_date"]
    return {"birth_date": date(born.year, born.day, born.month)} if born.day <= 12 else {}


MISSPELT: dict[str, Said] = {
    "as before": lambda _one, _pick: {},
    "two letters swapped": _letters_swapped,
    "two surnames": lambda one, _pick: {"last_name": f"{one['last_name']}-Ibarra"},
    "a generation": lambda one, _pick: {"last_name": f"{one['last_name']} Jr"},
    "capitals": lambda one, _pick: {"last_name": one["last_name"].upper(), "first_name": one["first_name"].upper()},
    "names swapped": lambda one, _pick: {"first_name": one["last_name"], "last_name": one["first_name"]},
    "day and month swapped": _day_and_month,
}


def _last_name(held: Any) -> str:
    return str(held["last_name"] if isinstance(held, dict) else held.last_name)


class Doubles(Charts):
    """Deeds with people who are there already."""

    def __init__(self, clinic: Clinic, truth: Truth) -> None:
        super().__init__(clinic)
        self._truth = truth

    def deeds(self) -> dict[str, Doing]:
        return {
            "registers somebody again in Kareo": lambda office, pick: self._again(office, pick, ("kareo",)),
            "registers somebody again in Elation": lambda office, pick: self._again(office, pick, ("elation",)),
            "registers one person in both systems, misspelt": self._both,
            "enters a married name in Kareo": lambda office, pick: self._marries(office, pick, "kareo"),
            "enters a married name in Elation": lambda office, pick: self._marries(office, pick, "elation"),
            "merges a double entry in Kareo": lambda office, pick: self._merges(office, pick, "kareo"),
            "merges a double entry in Elation": lambda office, pick: self._merges(office, pick, "elation"),
        }

    def _again(self, office: Office, pick: random.Random, systems: tuple[str, ...]) -> None:
        number, one = pick.choice(self._truth.people(office.id))
        self._register(office, pick, number, one, systems)

    def _both(self, office: Office, pick: random.Random) -> None:
        one = person(pick)
        number = self._truth.new(office.id, one)
        self.kareo_patient(office, one, pick)
        self._register(office, pick, number, one, ("elation",))

    def _register(
        self, office: Office, pick: random.Random, number: int, one: dict[str, Any], systems: tuple[str, ...]
    ) -> None:
        said = MISSPELT[pick.choice(sorted(MISSPELT))](one, pick)
        self._truth.means(number)
        for system in systems:
            if system == "elation":
                self.elation_chart(office, {**one, **said}, pick)
            else:
                self.kareo_patient(office, {**one, **said}, pick)

    def _marries(self, office: Office, pick: random.Random, system: str) -> None:
        number, one = pick.choice(self._truth.people(office.id))
        name = person(pick)["last_name"]
        held = self._clinic.ehr.patients if system == "elation" else self._clinic.billing.patients
        charts = [chart for system_, chart in self._truth.living(number, office) if system_ == system]
        chart = pick.choice([id_ for id_ in charts if _last_name(held[id_]) == one["last_name"]])
        if system == "elation":
            self._ehr.edit_patient(chart, last_name=name)
        else:
            self._billing.edit_patient(chart, last_name=name)
        self._truth.renamed(number, {**one, "last_name": name}, (system, chart))

    def _merges(self, office: Office, pick: random.Random, system: str) -> None:
        doubled: list[list[Chart]] = []
        for number, _ in self._truth.people(office.id):
            charts = [one for one in self._truth.living(number, office) if one[0] == system]
            if len(charts) > 1:
                doubled.append(charts)
        absorbed, survivor = (chart for _, chart in pick.sample(pick.choice(doubled), 2))
        if system == "elation":
            self._ehr.merge_patients(absorbed, survivor)
        else:
            self._billing.merge_patients(absorbed, survivor)
