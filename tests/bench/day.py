"""Vendor calls per change of the clinic day, against the fewest that the vendors' interfaces allow (NOTES)."""

from __future__ import annotations

from daemon.rehearsal import Rehearsal
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from tests.bench.table import Line, progress

ROUNDS = (
    "token",
    "subscriptions",
    "GetAllPatients",
    "GetPatients",
    "GetAppointments",
    "GetProviders",
    "GetServiceLocations",
)
ROUNDS += ("GetPractices", "GetProcedureCodes", "published", "physicians", "service_locations", "insurance_companies")
ROUNDS += ("GET /patients/", "GET /bills/", "GET /appointments/", "insurance_plans", "GetExternalVendors", "GetThrottles")


async def day(size: int) -> list[Line]:
    """Polls and sweeps go by the clock, not by changes, and are left out on both sides."""
    progress("day: the clinic day")
    clinic = Clinic()
    report = await Rehearsal(clinic, Day(clinic, size=size), lambda _line: None).run()
    made = sum(count for name, count in report["calls"].items() if not any(name.endswith(one) for one in ROUNDS))
    writes = {system: sum(each.values()) for system, each in report["writes"].items()}
    charts = report["linked_patients"]
    # One call a write; one search a chart; one GetPatient a changed Kareo patient, since lists show neither cases nor policies.
    fewest = sum(writes.values()) + charts + report["changes_seen"] // 2
    return [
        Line(subject="calls", what=f"for {report['changes_seen']} changes and {sum(writes.values())} writes: calls", value=made, unit="calls"),
        Line(subject="calls", what="ratio to the fewest that the interfaces allow", value=made / fewest, unit="x", aim=1.1, more=False),
    ]  # fmt: skip
