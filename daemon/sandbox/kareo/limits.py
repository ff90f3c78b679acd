"""The published limits: the least time between two calls of one operation, per customer key."""

from __future__ import annotations

from collections.abc import Callable

_SECONDS = {
    5.0: "GetAllPatients",
    1.0: "GetPatients GetAppointments GetCharges GetExternalVendors UpdatePatient RegisterExternalVendor UpdatePatientsExternalID",
    0.5: "GetAppointment GetEncounterDetails GetPractices GetProviders GetServiceLocations GetProcedureCodes CreatePatient "
    "CreateEncounter CreateAppointment UpdateAppointment DeleteAppointment UpdateEncounterStatus",
    0.25: "GetPatient",
}
INTERVALS = {name: seconds for seconds, names in _SECONDS.items() for name in names.split()}
"""Seconds by operation."""


class Limits:
    """`scale` multiplies the intervals; None switches the limits off. `clock` is monotonic, in seconds."""

    def __init__(self, scale: float | None, clock: Callable[[], float]) -> None:
        self.scale = scale
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}

    def allow(self, label: str, operation: str) -> bool:
        """Whether the customer may call now; if so, counted. A gap of exactly the interval is too short."""
        now = self._clock()
        last = self._last.get((label, operation))
        if self.scale is not None and last is not None and now - last <= INTERVALS[operation] * self.scale:
            return False
        self._last[label, operation] = now
        return True
