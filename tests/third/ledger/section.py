"""What a practice configures of Ledger: `[practice.ledger]`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from daemon.sections import ConfigProblem, Seconds, VendorSection, check_url
from events.writes import System
from projections.terms.names import SystemName


class LedgerConfig(VendorSection, frozen=True, kw_only=True):
    role: ClassVar[System] = System.BILLING
    system: ClassVar[SystemName] = SystemName(label="Ledger", prefix="ledger")
    first_reads: ClassVar[tuple[str, ...]] = ("ledger.accounts",)
    secrets: ClassVar[tuple[str, ...]] = ("key_file",)

    base_url: str
    key_file: str
    poll_seconds: Seconds = 60.0

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        check_url(self.base_url, f"{key}.base_url", problems)
        return problems + self.secret_problems(key, beside)
