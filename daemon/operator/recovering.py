"""Beginning the look-first mode by hand: for a database that was restored where Kafka, which would have told, was lost with it.

Nothing else knows that the store is older than it was (events/witnessed.py), so a person says it. As where it is told, both systems are
read again before anything is written, and each creation is looked for before it is made (daemon/runtime/recovery.py).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime

from daemon.runtime.recorder import PracticeRecorder
from daemon.runtime.recovery import record_restart
from daemon.telemetry import Meter
from events.formats import demand_format
from events.restarts import HistoryRestarted
from events.store import Store
from events.witnessed import NEVER_OWNED
from projections.terms.policy import Policy


class NothingStored(Exception):
    """The practice has no events: there is nothing that could have been made in a lost time."""


async def begin_recovery(store: Store, policy: Policy, zone: str, now: Callable[[], datetime]) -> HistoryRestarted:
    """Take the practice over, so that whoever has it is fenced and begins anew, and record that its history restarts.

    Works beside running workers and without any. Raises NothingStored, OlderVersion.
    """
    await demand_format(store.pool)
    before = await store.head_row(policy.practice) or NEVER_OWNED
    if not before.sequence:
        raise NothingStored
    epoch = await store.take_over(policy.practice, f"{socket.gethostname()}:{os.getpid()}")
    head = await store.head_row(policy.practice) or NEVER_OWNED
    recorder = PracticeRecorder(store, store.keyring, policy, epoch, now=now, meter=Meter(), on_recorded=lambda _: None)
    restarted = HistoryRestarted(kept=head.sequence, witnessed=head.sequence, epoch=before.epoch, until=now())
    await record_restart(recorder, restarted, zone)
    return restarted
