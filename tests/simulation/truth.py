"""Who is who in truth: which person each chart of both systems is of, and what people knew when they registered it.

The judge compares links with it: a link by matching of two persons is wrong, and a chart made for somebody who had one there
already, known to the daemon and unlike in nothing that tells, is a silent duplicate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daemon.sandbox.clinic import Clinic, Office

Chart = tuple[str, int]


class Truth:
    """Kept by the people, read by the judge. A person is a number."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic
        self._of: dict[Chart, int] = {}
        self._held: dict[Chart, tuple[object, ...]] = {}
        self._people: dict[int, tuple[str, dict[str, Any]]] = {}
        self._same: dict[int, int] = {}
        self._meant: int | None = None
        self._numbers = 0

    # -- told by the people -------------------------------------------------------------------------------------------------

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Whoever is registered in one deed is one person: whom `means` named, or somebody new."""
        self._meant = None
        before, gone = self._charts(), self._merged()
        try:
            yield
        finally:
            new = sorted(self._charts() - before)
            if new:
                number = self._meant if self._meant is not None else self._next()
                for chart in new:
                    self._of[chart] = number
                    self._held[chart] = self._told(chart)
            for absorbed, survivor in sorted(self._merged().items()):
                if absorbed not in gone:
                    self._become_one(absorbed, survivor)

    def new(self, practice: str, one: dict[str, Any]) -> int:
        """A new person, who is meant from now on in this deed."""
        number = self._next()
        self._people[number] = practice, one
        self._meant = number
        return number

    def means(self, number: int) -> None:
        """This deed registers somebody who is known."""
        self._meant = number

    def renamed(self, number: int, one: dict[str, Any], chart: Chart) -> None:
        """Somebody is called otherwise, as this chart says now; who registers them again knows it. What else was edited, stays so."""
        self._people[number] = self._people[number][0], one
        (first, _, *held), told = self._held[chart], self._told(chart)
        if (first, *held) == (told[0], *told[2:]):
            self._held[chart] = told

    def people(self, practice: str) -> list[tuple[int, dict[str, Any]]]:
        """Those who can be registered again, with what they say about themselves."""
        return [(number, one) for number, (of, one) in sorted(self._people.items()) if of == practice]

    def living(self, number: int, office: Office) -> list[Chart]:
        """The charts of a person that are there."""
        return sorted(chart for chart, of in self._of.items() if of == number and self._is_there(chart))

    # -- asked by the judge -------------------------------------------------------------------------------------------------

    def made(self, chart: Chart, of: Chart) -> None:
        """The daemon made a chart for the person of another. A copy of what was edited holds nothing that anybody was registered with."""
        number = self._of.get(of)
        if number is not None and chart not in self._of:
            self._of[chart] = number
            told = self._told(chart)
            self._held[chart] = told if self.is_as_registered(of) else (None,) * len(told)

    def is_in(self, chart: Chart, office: Office) -> bool:
        """Whether a chart is one of this practice's."""
        if chart[0] == "elation":
            return bool(self._clinic.ehr.patients[chart[1]]["caregiver_practice"] == office.ehr)
        return self._clinic.billing.patients[chart[1]].practice_id == office.billing

    def person(self, chart: Chart) -> int | None:
        """Whose chart it is; None where nobody registered it."""
        number = self._of.get(chart)
        return None if number is None else self._one(number)

    def others(self, chart: Chart) -> list[Chart]:
        """Further charts registered for that very person in that system that are there and hold what they were registered with."""
        number = self._of.get(chart)
        return [
            other
            for other in sorted(self._of)
            if other != chart
            and other[0] == chart[0]
            and number is not None
            and self._of[other] == number
            and self._is_there(other)
            and self._told(other) == self._held[other]
        ]

    def is_as_registered(self, chart: Chart) -> bool:
        """Whether nobody has edited who it is of, so that everything that tells is there to be compared."""
        held = self._held.get(chart)
        return held is not None and None not in held and "" not in held and self._told(chart) == held

    # -- the parts ----------------------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _one(self, number: int) -> int:
        while number in self._same:
            number = self._same[number]
        return number

    def _become_one(self, absorbed: Chart, survivor: Chart) -> None:
        """Whom people merged they take for one person."""
        one, other = self.person(absorbed), self.person(survivor)
        if one is not None and other is not None and one != other:
            self._same[max(one, other)] = min(one, other)

    def _charts(self) -> set[Chart]:
        ehr, billing = self._clinic.ehr.patients, self._clinic.billing.patients
        return {("elation", one) for one in ehr} | {("kareo", one) for one in billing}

    def _merged(self) -> dict[Chart, Chart]:
        held = self._clinic.ehr.patients.items()
        found = {
            ("elation", id_): ("elation", int(one["merged_into_chart"])) for id_, one in held if one["merged_into_chart"]
        }
        return found | self._merged_there()

    def _merged_there(self) -> dict[Chart, Chart]:
        held = self._clinic.billing.patients.items()
        return {("kareo", id_): ("kareo", int(one.merged_into)) for id_, one in held if getattr(one, "merged_into", None)}

    def _is_there(self, chart: Chart) -> bool:
        if chart[0] == "elation":
            one = self._clinic.ehr.patients[chart[1]]
            return not one["deleted_date"] and not one["merged_into_chart"]
        return not self._clinic.billing.patients[chart[1]].deleted

    def _told(self, chart: Chart) -> tuple[object, ...]:
        """What a chart says about who somebody is."""
        if chart[0] == "elation":
            one = self._clinic.ehr.patients[chart[1]]
            phones = sorted("".join(filter(str.isdigit, phone["phone"])) for phone in one["phones"])
            street = (one["address"] or {}).get("address_line1", "")
            return one["first_name"], one["last_name"], one["dob"], phones[0] if phones else "", street
        there = self._clinic.billing.patients[chart[1]]
        return there.first_name, there.last_name, there.dob, there.mobile_phone, there.address1
