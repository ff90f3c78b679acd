"""What a practice configures of Elation: `[practice.elation]`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from daemon.sections import Problem, VendorSection, check_url
from events.writes import System
from projections.terms.names import SystemName


class ElationConfig(VendorSection, frozen=True, kw_only=True):
    """`concurrency` caps the calls under way at once, and the writes."""

    role: ClassVar[System] = System.EHR
    system: ClassVar[SystemName] = SystemName(label="Elation", prefix="elation")
    first_reads: ClassVar[tuple[str, ...]] = ("elation.sweep",)
    secrets: ClassVar[tuple[str, ...]] = ("client_secret_file",)

    base_url: str
    client_id: str
    client_secret_file: str
    practice_id: int
    catch_up_seconds: float = 300.0
    sweep_seconds: float = 3600.0
    concurrency: int = 4
    webhooks: bool = True

    def check(self, key: str, beside: Path) -> list[Problem]:
        problems: list[Problem] = []
        check_url(self.base_url, f"{key}.base_url", problems)
        return problems + self.secret_problems(key, beside)
