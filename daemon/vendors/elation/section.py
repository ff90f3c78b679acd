"""What a practice configures of Elation: `[practice.elation]`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from daemon.sections import ConfigProblem, FilledText, PositiveId, Seconds, VendorSection, check_url, host_of
from events.writes import System
from projections.terms.names import SystemName

PASSES: Mapping[str, str] = {
    "directory": "providers and service locations",
    "subscriptions": "that it tells of changes",
    "catch-up": "changes of late",
    "published": "changes that it told of",
    "sweep": "all charts and bills",
    "calendar": "the calendar of two weeks",
    "calendar-sweep": "the whole calendar",
    "policies": "each chart's insurance, one by one",
    "policy budget": "how much insurance was read today",
    "patient": "one chart",
    "bill": "one bill",
    "insurance": "one chart's insurance",
    "in-calendar": "one appointment",
}
"""What the connector's passes read (connector.py, calendar_reading.py, policy_reading.py)."""


class ElationConfig(VendorSection, frozen=True, kw_only=True):
    """`concurrency` caps the calls under way at once, and the writes.

    Where insurance goes to the billing side, policies are read `policy_looks` seconds after a check-in, and at most
    `policy_reads_per_day` times a day in all, in rounds of `policy_round_seconds` at least. Where appointments do, the calendar's
    next two weeks are read every `calendar_seconds`, and `calendar_days_ahead` every `calendar_sweep_seconds`.
    """

    role: ClassVar[System] = System.EHR
    system: ClassVar[SystemName] = SystemName(label="Elation", prefix="elation")
    first_reads: ClassVar[tuple[str, ...]] = ("elation.sweep",)
    secrets: ClassVar[tuple[str, ...]] = ("client_secret_file",)
    passes: ClassVar[Mapping[str, str]] = PASSES
    operations: ClassVar[Mapping[str, str]] = {"elation.policies": "reading policies"}

    base_url: str
    client_id: FilledText
    client_secret_file: FilledText
    practice_id: PositiveId
    catch_up_seconds: Seconds = 300.0
    sweep_seconds: Seconds = 3600.0
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    webhooks: bool = True
    policy_reads_per_day: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 6000
    policy_looks: tuple[Seconds, ...] = (120.0, 900.0)
    policy_round_seconds: Seconds = 3600.0
    calendar_seconds: Seconds = 900.0
    calendar_sweep_seconds: Seconds = 14_400.0
    calendar_days_ahead: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 550

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        check_url(self.base_url, f"{key}.base_url", problems)
        return problems + self.secret_problems(key, beside)

    def practice_there(self, beside: Path) -> tuple[str, ...] | None:
        """The practice's id, which is its alone among all of Elation's."""
        try:
            return (host_of(self.base_url), str(self.practice_id)) if self.practice_id else None
        except ValueError:  # no address
            return None
