"""What is watched on the way to the vendors: directions (I2), bookings (I3), limits (I10), other people's data in a record (I12)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from daemon.config import Config, policy_of
from daemon.sandbox import witness
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.elation.fields import copied
from daemon.sandbox.kareo.limits import INTERVALS
from events.writes import Resource, System
from projections.terms.policy import Direction, Policy
from tests.simulation.clock import VirtualLoop
from tests.simulation.network import Call

Say = Callable[[str, str], None]

API = "/api/2.0"
ELATION_WRITES = (
    (re.compile(r"POST /patients/$"), Resource.CHART),
    (re.compile(r"PATCH /patients/\d+/$"), Resource.DEMOGRAPHICS),
    (re.compile(r"(POST|PUT|PATCH|DELETE) /(insurance_|patients/\d+/policies)"), Resource.INSURANCE),
    (re.compile(r"(POST|PUT|PATCH|DELETE) /appointments/"), Resource.APPOINTMENT),
)
KAREO_WRITES = {"CreatePatient": Resource.CHART, "CreateEncounter": Resource.BILL}
OURS = {"phones", "emails", "address", "first_name", "middle_name", "last_name", "dob", "sex", "primary_physician"}
"""What demographics may change in a chart of Elation, with its modified time."""

TRANSITION = 600.0
PHONES = {"Home", "Mobile", "Work"}
MARK = "/KareoServices/"


class Watchers:
    """An observer of the network; says what it finds."""

    def __init__(self, config: Config, clinic: Clinic, loop: VirtualLoop, say: Say) -> None:
        self._clinic = clinic
        self._loop = loop
        self._say = say
        self._policies: dict[str, list[Policy]] = {one.id: [policy_of(one)] for one in config.practice}
        self._concurrency = {one.id: one.ehr.concurrency for one in config.practice}
        self._keys = {office.customer_key.encode(): office.id for office in clinic.offices}
        self._last: dict[tuple[object, str, str], float] = {}
        self._booked: Counter[tuple[int, str]] = Counter()
        self._newest = 0

    def switched(self, practice: str, policy: Policy) -> None:
        """From now on it is this one; what is under way by the one before has a while to end."""
        self._policies[practice].append(policy)
        self._loop.call_later(TRANSITION, lambda: self._policies[practice].pop(0))

    # -- as a request is sent and answered ----------------------------------------------------------------------------------

    def under_way(self, call: Call, count: int) -> None:
        """So many calls of one worker and credential are under way at Elation."""
        practice = self._practice(call)
        if practice is not None and not call.url.path.startswith(f"{API}/oauth2") and count > self._concurrency[practice]:
            self._say("I10", f"{practice}: {count} calls at once to Elation")

    # -- as it arrives and when it was handled ------------------------------------------------------------------------------

    def before(self, call: Call) -> Any:
        operation = _operation(call)
        if operation is not None:
            self._billing(call, operation)
            return None
        practice = self._practice(call)
        if practice is None:
            return None
        path = call.url.path.removeprefix(API)
        for pattern, resource in ELATION_WRITES:
            if pattern.match(f"{call.method} {path}"):
                self._direction(practice, resource, System.EHR)
        if call.method == "PATCH" and (found := re.fullmatch(r"/patients/(\d+)/", path)):
            return copied(self._clinic.ehr.patients.get(int(found[1])))
        return None

    def after(self, call: Call, seen: Any) -> None:
        """Nothing is booked twice (I3), and a chart keeps what is not ours (I12)."""
        if call.method == "POST" and call.url.path == f"{API}/appointments/":
            self._bookings()
        if seen is None:
            return
        now = self._clinic.ehr.patients[seen["id"]]
        for name, value in seen.items():
            if name not in OURS and name != "last_modified" and now[name] != value:
                self._say("I12", f"a write changed {name} of chart {seen['id']}")
        if _foreign(seen) != _foreign(now):
            self._say("I12", f"a write changed phones of chart {seen['id']} that are none of ours")

    # -- the parts ----------------------------------------------------------------------------------------------------------

    def _billing(self, call: Call, operation: str) -> None:
        practice = next((name for key, name in self._keys.items() if b">" + key + b"<" in call.body), "")
        if practice and operation in KAREO_WRITES:
            self._direction(practice, KAREO_WRITES[operation], System.BILLING)
        slot, now = (call.process, practice, operation), self._loop.time()
        if practice and now - self._last.get(slot, -60.0) <= INTERVALS[operation]:
            self._say("I10", f"{practice}: {operation} was called again after {now - self._last[slot]:.2f} s")
        self._last[slot] = now

    def _direction(self, practice: str, resource: Resource, target: System) -> None:
        """The table as the design has it, with code of its own."""
        directions = [policy.table[resource] for policy in self._policies[practice]]
        into = Direction.TO_EHR if target is System.EHR else Direction.TO_BILLING
        if not {Direction.BOTH, into}.intersection(directions):
            self._say("I2", f"{practice}: {resource.value} was written to {target.value}, against {directions[-1].value}")

    def _bookings(self) -> None:
        """Whatever was deleted, moved or merged since: nothing of Kareo's is booked twice in one chart (I3)."""
        ehr = self._clinic.ehr
        for id_ in sorted(one for one in ehr.appointments if one > self._newest):
            self._newest = id_
            for office in self._clinic.offices:
                if name := witness.hint(self._clinic, "appointments", id_, office):
                    slot = (ehr.appointments[id_]["patient"], name)
                    self._booked[slot] += 1
                    if self._booked[slot] > 1:
                        self._say("I3", f"{office.id}: {slot[1]} was booked again in chart {slot[0]}")

    def _practice(self, call: Call) -> str | None:
        token = self._clinic.ehr.state.tokens.get(call.headers.get("Authorization", "").removeprefix("Bearer "))
        return token.client_id.removeprefix("client-") if token is not None else None


def _operation(call: Call) -> str | None:
    action = call.headers.get("SOAPAction", "").strip('"')
    return action.rpartition(MARK)[2] if MARK in action else None


def _foreign(chart: dict[str, Any]) -> list[tuple[str, str]]:
    held = [one for one in chart["phones"] if not one.get("deleted_date")]
    return sorted((one["phone_type"], one["phone"]) for one in held if one["phone_type"] not in PHONES)
