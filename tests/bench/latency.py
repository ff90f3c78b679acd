"""From a change in Elation to the write leaving for Kareo, vendors without limits, at a steady rate.

The daemon is a process of its own, as it is in a practice; sandboxes and load share another, and both share the machine with
PostgreSQL and the broker.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

from daemon.config import load
from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres
from daemon.demo.rehearsal import prepare
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from daemon.vendors.registry import SECTIONS
from tests.bench.rounds import repeated
from tests.bench.table import Line, progress, quantile
from tests.conftest import opened_store
from tests.kafka.conftest import RUN, Kafka, missing_programs
from tests.kafka.process import Process

PATIENTS = 60
PATIENCE = 120.0


class Calls(list):  # type: ignore[type-arg]
    """The Kareo sandbox's list of calls, which notes when each edit arrives in one of them."""

    def __init__(self, edited: dict[str, float]) -> None:
        super().__init__()
        self._edited = edited
        self.left: dict[str, float] = {}

    def append(self, call: object) -> None:
        if getattr(call, "operation", "") == "UpdatePatient":
            at, request = time.monotonic(), call.request  # type: ignore[attr-defined]
            for email in [one for one in self._edited if one not in self.left and one.encode() in request]:
                self.left[email] = at
        super().append(call)


async def latency(rate: float, seconds: float, rounds: int) -> list[Line]:
    """On the embedded broker, then on Apache Kafka where the machine can run it. A round lasts `seconds`, or as long as it
    takes to edit every patient once."""
    async with EmbeddedBroker() as embedded:
        lines = await _through("", embedded, rate, seconds, rounds)
    if missing := missing_programs():
        progress(f"latency through Apache Kafka is left out: it needs {' and '.join(missing)}")
        return lines
    await asyncio.to_thread(subprocess.run, [str(RUN), "resolve"], check=True)
    with tempfile.TemporaryDirectory(prefix="chartwire-kafka-") as folder:
        async with Kafka(Path(folder)) as kafka:
            return lines + await _through(", through Apache Kafka", kafka, rate, seconds, rounds)


async def _through(which: str, broker: EmbeddedBroker | Kafka, rate: float, seconds: float, rounds: int) -> list[Line]:
    """Seconds are counted from the save in the sandbox, so its own delivery of the webhook is in them."""
    part = f"latency{which}, {rate:g} changes a second for {seconds:g} s"
    progress(f"{part}: {PATIENTS} patients are linked")
    clinic = Clinic(limits_scale=0.0001, offices=1, seconds=30.0)
    day, edited = Day(clinic), {}  # type: tuple[Day, dict[str, float]]
    clinic.billing.calls = calls = Calls(edited)
    (office,) = clinic.offices
    await clinic.start()
    with tempfile.TemporaryDirectory(prefix="chartwire-latency-") as name:
        async with EmbeddedPostgres() as postgres:
            for _ in range(PATIENTS):
                person = day.person()
                day.kareo_patient(office, person)
                day.elation_patient(office, person)
            file = await prepare(clinic, Path(name), postgres, broker)
            store = await opened_store(load(file, SECTIONS), Path(name))
            daemon = Process(file)
            await daemon.start()
            try:
                async with asyncio.timeout(PATIENCE):
                    while await store.pool.fetchval("SELECT count(*) FROM chartwire.link") < PATIENTS:
                        await asyncio.sleep(0.2)
                await clinic.ehr.webhooks.quiet(timeout=PATIENCE)
                await asyncio.sleep(3.0)

                async def work(number: int) -> list[Line]:
                    before = set(edited)
                    await _edit(day, day.elation_ids[office.id], edited, rate, seconds)
                    mine = [email for email in edited if email not in before]
                    async with asyncio.timeout(PATIENCE):
                        while any(email not in calls.left for email in mine[-PATIENTS:]):
                            await asyncio.sleep(0.1)
                    return _lines(
                        which, rate, [calls.left[email] - edited[email] for email in mine if email in calls.left], len(mine)
                    )

                return await repeated(part, rounds, work)
            finally:
                await daemon.end()
                await store.close()
                await clinic.stop()


def _lines(which: str, rate: float, took: list[float], edits: int) -> list[Line]:
    return [
        Line(subject="latency", what=f"at {rate:g} changes/s{which}: p50", rounds=(quantile(took, 0.5) * 1000,), unit="ms", aim=50.0, more=False),
        Line(subject="latency", what=f"at {rate:g} changes/s{which}: p99", rounds=(quantile(took, 0.99) * 1000,), unit="ms", aim=250.0, more=False),
        Line(subject="latency", what=f"changes written one by one{which} (the others were coalesced)", rounds=(len(took) / edits,), unit="share"),
    ]  # fmt: skip


async def _edit(day: Day, charts: list[int], edited: dict[str, float], rate: float, seconds: float) -> None:
    """Nothing but edits of e-mail addresses in Elation, `rate` a second, each patient in turn."""
    began, first = time.perf_counter(), len(edited)
    for number in range(max(PATIENTS, int(rate * seconds))):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        email = f"edit{first + number}x@mail.example"
        edited[email] = time.monotonic()
        day.edit_elation(charts[number % len(charts)], emails=[{"email": email}])
