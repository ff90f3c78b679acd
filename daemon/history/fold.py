"""Folding a practice's projections from its events alone.

Memory is bounded by the projections, not by the events: they stream through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from events.codec import Keyring
from events.connection import Batches
from events.ids import PRACTICE, PatientKey, PracticeId
from events.schema import Recorded
from events.store import Store, open_row
from projections.state.directory import encode_directory
from projections.state.patient import encode_patient
from projections.state.state import PracticeState
from projections.words.moment import AsOf, is_past

OnProgress = Callable[[int], None]
"""Told the sequence that a long run has come to."""


def untold(_sequence: int) -> None:
    """No progress is shown."""


@dataclass
class Replay:
    """The projections of one practice as of `sequence`; `touched` is each patient's last event, "" the directory's."""

    practice: PracticeId
    state: PracticeState = field(default_factory=PracticeState)
    sequence: int = 0
    recorded: datetime | None = None
    touched: dict[PatientKey, int] = field(default_factory=dict)

    def take(self, one: Recorded) -> None:
        """Fold the next event. Raises ValueError where the practice's sequence has a gap."""
        if one.sequence != self.sequence + 1:
            raise ValueError(f"event #{one.sequence} follows #{self.sequence}: an event is missing")
        state = self.state
        state.apply(one.event, one.sequence)
        self.sequence, self.recorded = one.sequence, one.recorded
        if not one.event.patient:
            self.touched[PRACTICE] = one.sequence
        for key in state.changed:
            self.touched[key] = one.sequence
        state.changed.clear()
        if state.gone or state.recharted:
            for key in state.gone:
                self.touched.pop(key, None)
            state.gone.clear()
            state.recharted.clear()

    def digest(self) -> str:
        """SHA-256 of all documents, links and charts: equal where the projections are."""
        total = hashlib.sha256(encode_directory(self.state.directory))
        for key in sorted(self.state.patients):
            total.update(encode_patient(self.state.patients[key]))
        for chart in sorted(self.state.charts):
            total.update(f"{chart}={self.state.charts[chart]};".encode())
        return total.hexdigest()


async def fold(
    replay: Replay,
    batches: Batches,
    keyring: Keyring,
    *,
    moment: AsOf | None = None,
    progress: OnProgress = untold,
) -> bool:
    """Fold stored rows up to `moment`; False when an event after it was met. Raises UnreadableEvent, KeyMissing, ValueError."""
    async with aclosing(batches):
        async for batch in batches:
            for row in batch:
                recorded = open_row(row, keyring)
                if not is_past(recorded, moment):
                    return False
                replay.take(recorded)
            progress(replay.sequence)
    return True


async def replayed(
    store: Store, practice: PracticeId, *, moment: AsOf | None = None, progress: OnProgress = untold
) -> Replay:
    """The projections of a practice from its events, up to `moment` or to the head as it is now."""
    replay = Replay(practice)
    batches = store.sealed(practice, up_to=await store.head(practice))
    await fold(replay, batches, store.keyring, moment=moment, progress=progress)
    return replay
