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
            "enters a policy in Elation": self._enter_in_elation,
            "edits a policy in Elation": self._edit_in_elation,
            "makes a policy historical in Elation": self._make_historical,
            "swaps two ranks in Elation": self._swap_ranks,
            "enters one primary in both systems": self._enter_in_both,
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

    # -- in Elation -------------------------------------------------------------------------------------------------------

    def _held(self, chart: int) -> list[dict[str, Any]]:
        held = [
            one for one in self._clinic.ehr.policies.values() if one["patient_id"] == chart and one["status"] == "active"
        ]
        return sorted(held, key=lambda one: one["id"])

    def _insured(self, office: Office, pick: random.Random, at_least: int = 1) -> list[dict[str, Any]]:
        return pick.choice([held for chart in self._charts(office) if len(held := self._held(chart)) >= at_least])

    def _enter_in_elation(self, office: Office, pick: random.Random) -> None:
        self._enter_on(self._chart(office, pick), pick)

    def _enter_on(self, chart: int, pick: random.Random, rank: int = 0) -> None:
        company, plan = pick.choice(CARRIERS)
        taken = {one["rank"] for one in self._held(chart)}
        rank = rank or next((each for each in (1, 2, 3) if each not in taken), 1)
        values: dict[str, Any] = {"relationship_to_insured": "self"}
        if pick.random() < 0.2:
            one = person(pick)
            values = {"relationship_to_insured": "child", "insured_person_dob": "1970-02-03"}
            values |= {f"insured_person_{name}": one[name] for name in ("first_name", "last_name")}
        self._ehr.add_policy(
            chart,
            rank,
            carrier_name=company,
            plan_name=plan,
            member_id=f"EL{pick.randrange(10_000, 99_999)}",
            group_id=f"GE{pick.randrange(99)}",
            copay=pick.choice(("15.00", "40.00", None)),
            **values,
        )

    def _edit_in_elation(self, office: Office, pick: random.Random) -> None:
        choices: dict[str, object] = {
            "member_id": f"EE{pick.randrange(10_000, 99_999)}",
            "copay": f"{pick.randrange(10, 60)}.00",
            "group_id": f"E{pick.randrange(100)}",
        }
        self._ehr.edit_policy(pick.choice(self._insured(office, pick))["id"], **some(choices, pick))

    def _make_historical(self, office: Office, pick: random.Random) -> None:
        self._ehr.deactivate_policy(pick.choice(self._insured(office, pick))["id"])

    def _swap_ranks(self, office: Office, pick: random.Random) -> None:
        first, second, *_ = self._insured(office, pick, at_least=2)
        ranks = first["rank"], second["rank"]
        self._ehr.edit_policy(first["id"], rank=ranks[1])
        self._ehr.edit_policy(second["id"], rank=ranks[0], status="active")

    def _enter_in_both(self, office: Office, pick: random.Random) -> None:
        patient, chart = pick.choice(self._pairs(office))
        cases = self._clinic.billing.cases.values()
        case = pick.choice([one.id for one in cases if one.patient_id == patient and one.is_primary and one.active])
        self._add_policy(case, pick)
        self._enter_on(chart, pick, rank=1)
