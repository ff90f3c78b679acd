"""What a practice configures of Kareo: `[practice.kareo]`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from daemon.sections import Problem, VendorSection, check_url, check_zone, resolve, secret
from events.writes import System
from projections.terms.names import SystemName


class KareoConfig(VendorSection, frozen=True, kw_only=True):
    """`limits` scales or overrides the published intervals: `scale`, or an operation's name = seconds.

    `patient_round_seconds` is how long a round through all linked patients takes, 0 for none: what neither polls nor sweeps
    show (policies beyond the second, insured details) is seen within that time.
    """

    role: ClassVar[System] = System.BILLING
    system: ClassVar[SystemName] = SystemName(label="Kareo", prefix="kareo")
    first_reads: ClassVar[tuple[str, ...]] = ("kareo.sweep", "kareo.appointment-sweep")
    secrets: ClassVar[tuple[str, ...]] = ("customer_key_file", "password_file")
    restart: ClassVar[tuple[str, ...]] = ("limits",)
    account_name: ClassVar[str] = "Kareo customer key"

    wsdl: str
    endpoint: str
    customer_key_file: str
    user: str
    password_file: str
    practice_name: str
    poll_seconds: float = 300.0
    sweep_seconds: float = 14_400.0
    directory_seconds: float = 3600.0
    patient_round_seconds: float = 86_400.0
    limits: dict[str, float] = {}
    list_zone: str = "America/Los_Angeles"
    external_vendor: str = "chartwire"
    appointment_days_back: int = 7
    appointment_days_ahead: int = 180

    def check(self, key: str, beside: Path) -> list[Problem]:
        problems: list[Problem] = []
        check_zone(self.list_zone, f"{key}.list_zone", problems)
        check_url(self.endpoint, f"{key}.endpoint", problems)
        if urlsplit(self.wsdl).scheme in ("http", "https"):
            check_url(self.wsdl, f"{key}.wsdl", problems)
        elif not resolve(self.wsdl, beside).is_file():
            problems.append((f"{key}.wsdl", "is neither a URL nor a file that can be read"))
        return problems + self.secret_problems(key, beside)

    def account(self, beside: Path) -> str | None:
        """The customer key: its limits hold for all its practices together (NOTES, section 4)."""
        return secret(self.customer_key_file, beside)
