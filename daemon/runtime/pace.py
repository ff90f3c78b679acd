"""How patiently a sink tries again and looks for lost answers (configuration: `[pace]`)."""

from __future__ import annotations

from dataclasses import dataclass

from events.backoff import Backoff


@dataclass(frozen=True)
class Pace(Backoff):
    """The pauses between tries; an unknown outcome is looked for after each of `lookups`, in seconds."""

    lookups: tuple[float, ...] = (1.0, 15.0)
