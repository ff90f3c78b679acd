"""From a change in Elation to the write leaving for Kareo, vendors without limits, at a steady rate."""

from __future__ import annotations

import asyncio
import time

from daemon.rehearsal import Rehearsal
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day, Settle
from tests.bench.table import Line, progress, quantile

PATIENTS = 60


class Steady(Day):
    """Nothing but edits of telephone contact data in Elation, `rate` a second, each patient in turn."""

    def __init__(self, clinic: Clinic, rate: float, seconds: float) -> None:
        super().__init__(clinic, size=1)
        self._rate = rate
        self._seconds = seconds
        self.edited: dict[str, float] = {}

    def prepare(self) -> None:
        for office in self.clinic.offices:
            for _ in range(PATIENTS):
                person = self.person()
                self.kareo_patient(office, person)
                self.elation_patient(office, person)

    async def play(self, settle: Settle) -> None:
        await settle("linked")
        charts = [chart for office in self.clinic.offices for chart in self.elation_ids[office.id]]
        began = time.perf_counter()
        for number in range(int(self._rate * self._seconds)):
            await asyncio.sleep(max(0.0, began + number / self._rate - time.perf_counter()))
            email = f"edit{number}x@mail.example"
            self.edited[email] = time.monotonic()
            self.edit_elation(charts[number % len(charts)], emails=[{"email": email}])
        await settle("edited")


async def latency(rate: float, seconds: float) -> list[Line]:
    """Seconds are counted from the save in the sandbox, so its own delivery of the webhook is in them."""
    progress(f"latency: {rate:g} changes a second for {seconds:g} s, sandboxes, daemon and load in one process")
    clinic = Clinic(limits_scale=0.0, offices=1, seconds=30.0)
    day = Steady(clinic, rate, seconds)
    left: dict[str, float] = {}
    record = clinic.kareo.calls.append

    class Calls(list):  # type: ignore[type-arg]
        def append(self, call: object) -> None:
            if getattr(call, "operation", "") == "UpdatePatient":
                at, request = time.monotonic(), call.request  # type: ignore[attr-defined]
                for email in [one for one in day.edited if one not in left and one.encode() in request]:
                    left[email] = at
            record(call)
            super().append(call)

    clinic.kareo.calls = Calls(clinic.kareo.calls)
    await Rehearsal(clinic, day, lambda _line: None).run()
    took = [left[email] - day.edited[email] for email in left]
    return [
        Line(subject="latency", what=f"at {rate:g} changes/s, load and sandboxes in the same process: p50", value=quantile(took, 0.5) * 1000, unit="ms", aim=50.0, more=False),
        Line(subject="latency", what=f"at {rate:g} changes/s: p99", value=quantile(took, 0.99) * 1000, unit="ms", aim=250.0, more=False),
        Line(subject="latency", what="changes written one by one (the others were coalesced)", value=len(took) / len(day.edited), unit="share"),
    ]  # fmt: skip
