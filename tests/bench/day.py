"""Vendor calls of the clinic day, against the fewest that the vendors' interfaces allow (NOTES)."""

from __future__ import annotations

from pathlib import Path

from daemon.rehearsal import Rehearsal, Report, opened_store, practices
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from events.schema import KareoChartObserved
from tests.bench.table import Line, progress

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


async def day(size: int) -> list[Line]:
    """The fewest: one call a write, and one GetPatient for each time a Kareo patient was seen to be different, since the lists
    show neither cases nor policies. What is more: reading before and after updates, and looking before a bill is sent."""
    progress("day: the clinic day")
    clinic = Clinic()
    rehearsal = Rehearsal(clinic, Day(clinic, size=size), lambda _line: None)
    seen = 0

    async def count(config: str) -> None:
        nonlocal seen
        assert rehearsal.config is not None
        store = await opened_store(rehearsal.config, Path(config).parent)
        for practice in practices(rehearsal.config):
            async for one in store.read(practice):
                seen += isinstance(one.event.body, KareoChartObserved)
        await store.close()

    report: Report = await rehearsal.run(hold=count)
    calls = {name: number for name, number in report["calls"].items() if name not in BY_THE_CLOCK}
    made = sum(calls.values())
    writes = sum(number for name, number in calls.items() if name.partition(".")[2].startswith(WRITES))
    return [
        Line(subject="calls", what=f"{writes} writes, {seen} Kareo patients seen to differ: calls", value=made, unit="calls"),
        Line(subject="calls", what="ratio to the fewest that the interfaces allow", value=made / (writes + seen), unit="x", aim=1.1, more=False),
    ]  # fmt: skip
