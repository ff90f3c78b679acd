"""A worker suspended in the middle of a write, and what it does when it comes back: nothing for practices that are not its own."""

from __future__ import annotations

import signal
import time
from datetime import datetime
from typing import NamedTuple

from daemon.sandbox.clinic import Office
from tests.kafka.process import Process, pid_of
from tests.kafka.world import World

IN_THE_ACT = 1
"""Calls of a worker that was suspended after it had asked whether the practice is its own, and before the bytes left: nobody
but the vendor could stop those."""


class Seen(NamedTuple):
    """A call that came through a worker's entrance to a sandbox; `at` is seconds since the epoch."""

    at: float
    practice: str
    what: str


def calls(there: World, worker: Process, since: float) -> list[Seen]:
    """The worker's calls after `since`, as the sandboxes recorded them, token requests left out."""
    clinic = there.clinic
    labels = {clinic.billing.state.customers[office.customer_key].label: office.id for office in clinic.offices}
    wall = time.time() - time.monotonic()
    found = [
        Seen(call.time.timestamp(), str(call.application).removeprefix("client-"), f"{call.method} {call.path}")
        for call in clinic.ehr.calls
        if call.port in worker.entrances and call.application
    ]
    found += [
        Seen(wall + call.at, labels[call.key], call.operation)
        for call in clinic.billing.calls
        if call.port in worker.entrances and call.key in labels
    ]
    return sorted(call for call in found if call.at > since)


async def in_mid_write(there: World, worker: Process, office: Office) -> None:
    """Suspend the worker while Elation is creating a chart for it: the answer comes when nobody listens."""
    held = there.clinic.ehr.faults.add(match=("POST", "/patients/"), kind="delay", seconds=2.0, times=None)
    there.day.kareo_patient(office)

    def creating() -> bool:
        return any(
            call.port in worker.entrances and (call.method, call.path, call.status) == ("POST", "/patients/", None)
            for call in there.clinic.ehr.calls[-50:]
        )

    await there.until(creating, 40, lambda: "no chart is being created", there.heads)
    worker.send(signal.SIGSTOP)
    held.times = held.fired


async def suspend(there: World, worker: Process, *, agreeing: bool = True) -> list[str]:
    """Suspend it for longer than its session while people work and others take over, and wake it; what it did that it must not.

    When this returns every worker is at work again. With `agreeing` everything has to come to rest and agree in between.
    """
    others = [one for one in there.workers if one is not worker]
    owners = await there.shared()
    office = next(office for office in there.clinic.offices if owners[office.id] is worker)
    async with there.load():
        await in_mid_write(there, worker, office)
        await there.shared(*others)
    if agreeing:
        await there.at_rest()
    before, woken = len(worker.lines), time.time()
    async with there.load():
        worker.send(signal.SIGCONT)
        await there.shared()
    made = calls(there, worker, woken)
    rows = await there.store.pool.fetch("SELECT practice, owner, taken_at FROM chartwire.practice_head")
    since: dict[str, datetime] = {
        row["practice"]: row["taken_at"] for row in rows if pid_of(row["owner"]) == str(worker.pid)
    }
    wrong = [
        f"{call.what} for {call.practice}, which was another's, {call.at - woken:.2f} s after it came back"
        for call in made
        if call.practice not in since or call.at < since[call.practice].timestamp()
    ]
    wrong = wrong if len(wrong) > IN_THE_ACT else []
    if await there.appended_late():
        wrong.append("it appended events to a practice that another had taken over")
    said = [one["event"] for one in worker.lines[before:] if one["event"] in ("partitions_lost", "practice_taken")]
    if said[:1] != ["partitions_lost"]:
        wrong.append("it took practices before it had put down what it held")
    return wrong
