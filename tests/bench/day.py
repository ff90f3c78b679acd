"""Vendor calls of the clinic day, against the fewest that the vendors' interfaces allow."""

from __future__ import annotations

from pathlib import Path

from daemon.demo.rehearsal import Rehearsal, RehearsalReport, practices
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from events.schema import BillingChartObserved
from tests.bench.rounds import repeated
from tests.bench.table import Line
from tests.conftest import opened_store

WRITES = ("POST", "PUT", "PATCH", "DELETE", "Create", "Update")
BY_THE_CLOCK = frozenset(
    {
        "elation.GET /app/published_events/", "elation.GET /app/subscriptions/", "elation.POST /app/subscriptions/",
        "elation.POST /oauth2/token/", "elation.GET /bills/", "elation.GET /patients/", "elation.GET /visit_notes/",
        "elation.GET /insurance_companies/", "elation.GET /insurance_plans/", "elation.GET /physicians/",
        "elation.GET /service_locations/", "kareo.GetAllPatients", "kareo.GetPatients", "kareo.GetAppointments",
        "kareo.GetProviders", "kareo.GetServiceLocations", "kareo.GetPractices", "kareo.GetExternalVendors",
        "kareo.RegisterExternalVendor",
    }
)  # fmt: skip
"""Lists that polls and sweeps read, and what is done once. Searches before a creation use lists too, and are lost in them."""


READINGS = {
    "kareo.CreatePatient": 1,
    "kareo.UpdatePatient": 1,
    "elation.PATCH /patients/{id}/": 1,
    "elation.PATCH /appointments/{id}/": 1,
    "elation.PATCH /bills/{id}/": 2,
}
"""What NOTES have read with a write: in Kareo afterwards, since answers show nothing; in Elation before an update, as its only
concurrency control; a bill afterwards as well, since the answer lacks its state. A chart's policies are read before and after
they are brought up to date ("GET first", "confirm by GET"): see `day`."""


async def day(size: int, rounds: int) -> list[Line]:
    """A clinic day in each round."""
    return await repeated("day", rounds, lambda _number: _day(size))


async def _day(size: int) -> list[Line]:
    """The fewest, as NOTES price them: a call for each write with its READINGS, and one GetPatient for each time a Kareo patient
    was seen to be different, since the lists show neither cases nor policies.

    What is more: Kareo is read before an update, too, and looked into before a bill is sent.
    """
    clinic = Clinic()
    rehearsal = Rehearsal(clinic, Day(clinic, size=size), lambda _line: None)
    seen = 0

    async def count(config: str) -> None:
        nonlocal seen
        assert rehearsal.config is not None
        store = await opened_store(rehearsal.config, Path(config).parent)
        for practice in practices(rehearsal.config):
            async for one in store.read(practice):
                seen += isinstance(one.event.body, BillingChartObserved)
        await store.close()

    report: RehearsalReport = await rehearsal.run(hold=count)
    calls = {name: number for name, number in report["calls"].items() if name not in BY_THE_CLOCK}
    made = sum(calls.values())
    writes = sum(number for name, number in calls.items() if name.partition(".")[2].startswith(WRITES))
    creations = calls["elation.POST /insurance_companies/"] + calls["elation.POST /insurance_plans/"]
    syncs = report["writes"]["elation"]["insurance"] - creations
    fewest = writes + sum(calls.get(name, 0) * number for name, number in READINGS.items()) + 2 * syncs + seen
    return [
        Line(subject="calls", what="writes", rounds=(writes,), unit="calls"),
        Line(subject="calls", what="Kareo patients seen to differ", rounds=(seen,), unit="times"),
        Line(subject="calls", what="calls made for both", rounds=(made,), unit="calls"),
        Line(subject="calls", what="ratio to the fewest that the interfaces allow", rounds=(made / fewest,), unit="x", aim=1.1, more=False),
    ]  # fmt: skip
