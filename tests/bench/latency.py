"""From a change in Elation to the write leaving for Kareo, vendors without limits, at a steady rate."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from daemon.embedded import EmbeddedBroker
from daemon.rehearsal import Broker, Rehearsal
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day, Settle
from tests.bench.table import Line, progress, quantile
from tests.kafka.conftest import RUN, Kafka, missing_programs

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
    """On the embedded broker, then on Apache Kafka where the machine can run it."""
    lines = await _through("", EmbeddedBroker, rate, seconds)
    if missing := missing_programs():
        progress(f"latency through Apache Kafka is left out: it needs {' and '.join(missing)}")
        return lines
    await asyncio.to_thread(subprocess.run, [str(RUN), "resolve"], check=True)
    with tempfile.TemporaryDirectory(prefix="chartwire-kafka-") as folder:
        return lines + await _through(", through Apache Kafka", lambda: Kafka(Path(folder)), rate, seconds)


async def _through(
    which: str, broker: Callable[[], AbstractAsyncContextManager[Broker]], rate: float, seconds: float
) -> list[Line]:
    """Seconds are counted from the save in the sandbox, so its own delivery of the webhook is in them."""
    progress(f"latency{which}: {rate:g} changes a second for {seconds:g} s, sandboxes, daemon and load in one process")
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
    await Rehearsal(clinic, day, lambda _line: None, broker).run()
    took = [left[email] - day.edited[email] for email in left]
    return [
        Line(subject="latency", what=f"at {rate:g} changes/s, sandboxes in the same process{which}: p50", value=quantile(took, 0.5) * 1000, unit="ms", aim=50.0, more=False),
        Line(subject="latency", what=f"at {rate:g} changes/s{which}: p99", value=quantile(took, 0.99) * 1000, unit="ms", aim=250.0, more=False),
        Line(subject="latency", what=f"changes written one by one{which} (the others were coalesced)", value=len(took) / len(day.edited), unit="share"),
    ]  # fmt: skip
