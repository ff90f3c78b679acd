"""Insurance: cases, policies and plans in Kareo."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

from daemon.sandbox.clinic import Office
from tests.simulation.people.persons import person
from tests.simulation.people.screens import Doing, Screens, some

CARRIERS = (("Blue Mesa Health", "PPO Gold"), ("Summit Mutual", "HMO Basic"), ("Prairie Life", "Choice Plus"))


class Insurance(Screens):
    """Deeds with insurance."""

    def deeds(self) -> dict[str, Doing]:
        return {
            "enters a policy in Kareo": self._enter_policy,
            "edits a policy in Kareo": self._edit_policy,
            "inactivates a policy in Kareo": self._inactivate_policy,
            "opens a new primary case in Kareo": self._new_case,
            "inactivates a case in Kareo": self._inactivate_case,
            "edits the address of a plan in Kareo": self._edit_plan,
        }

    def _case(self, office: Office, pick: random.Random) -> int:
        patients = set(self._patients(office))
        cases = self._clinic.billing.cases.values()
        return pick.choice([one.id for one in cases if one.patient_id in patients and one.is_primary and one.active])

    def _policy(self, office: Office, pick: random.Random) -> int:
        patients, billing = set(self._patients(office)), self._clinic.billing
        return pick.choice(
            [one.id for one in billing.policies.values() if one.active and billing.cases[one.case_id].patient_id in patients]
        )

    def _enter_policy(self, office: Office, pick: random.Random) -> None:
        self._add_policy(self._case(office, pick), pick)

    def _add_policy(self, case: int, pick: random.Random) -> None:
        company, plan = pick.choice(CARRIERS)
        values: dict[str, Any] = {}
        if pick.random() < 0.2:
            one = person(pick)
            insured = {"first_name": one["first_name"], "last_name": one["last_name"], "dob": date(1970, 2, 3)}
            values = {"relationship": "Spouse", "insured": {**insured, "gender": "Male"}}
        self._billing.add_policy(
            case,
            company,
            plan,
            number=f"MB{pick.randrange(10_000, 99_999)}",
            group=f"GR{pick.randrange(99)}",
            copay=pick.choice(("25", "40.00", "")),
            deductible=pick.choice(("500.00", "")),
            start="2026-01-01",
            address1=f"{pick.randrange(1, 99)} Carrier Plaza",
            city="Denver",
            state="CO",
            zip="80202",
            **values,
        )

    def _edit_policy(self, office: Office, pick: random.Random) -> None:
        choices: dict[str, object] = {
            "number": f"NN{pick.randrange(10_000, 99_999)}",
            "copay": str(pick.randrange(10, 60)),
            "group": f"G{pick.randrange(100)}",
        }
        self._billing.edit_policy(self._policy(office, pick), **some(choices, pick))

    def _inactivate_policy(self, office: Office, pick: random.Random) -> None:
        self._billing.deactivate_policy(self._policy(office, pick))

    def _new_case(self, office: Office, pick: random.Random) -> None:
        case = self._billing.add_case(self._patient(office, pick), f"Case {pick.randrange(100)}", "Insurance", True)
        if pick.random() < 0.8:
            self._add_policy(case.id, pick)

    def _inactivate_case(self, office: Office, pick: random.Random) -> None:
        self._billing.deactivate_case(self._case(office, pick))

    def _edit_plan(self, office: Office, pick: random.Random) -> None:
        plan = self._clinic.billing.policies[self._policy(office, pick)].plan_id
        self._billing.edit_plan(plan, address1=f"{pick.randrange(1, 99)} New Carrier Street")
