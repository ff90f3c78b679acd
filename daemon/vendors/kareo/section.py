"""What a practice configures of Kareo: `[practice.kareo]`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from daemon.sections import (
    ConfigProblem,
    FilledText,
    Seconds,
    SecondsOrNone,
    VendorSection,
    check_url,
    check_zone,
    host_of,
    resolve,
    secret,
)
from events.writes import System
from projections.terms.names import SystemName

Days = Annotated[int, msgspec.Meta(ge=0, le=3660)]


PASSES: Mapping[str, str] = {
    "directory": "providers and locations",
    "patients": "patients changed of late",
    "appointments": "appointments changed of late",
    "sweep": "all patients",
    "appointment-sweep": "all appointments",
    "round": "each patient's insurance, one by one",
    "patient": "one patient",
}
"""What the connector's passes read (connector.py)."""

OPERATIONS: Mapping[str, str] = {
    "CreateAppointment": "booking an appointment",
    "CreateEncounter": "sending an encounter",
    "CreatePatient": "creating a patient",
    "CreatePayment": "entering a payment",
    "DeleteAppointment": "deleting an appointment",
    "GetAllPatients": "listing all patients",
    "GetAppointment": "reading one appointment",
    "GetAppointmentReasons": "reading visit reasons",
    "GetAppointments": "listing appointments",
    "GetCharges": "listing charges",
    "GetEncounterDetails": "reading one encounter",
    "GetExternalVendors": "reading who else is connected",
    "GetPatient": "reading one patient",
    "GetPatients": "listing patients",
    "GetPayments": "listing payments",
    "GetPractices": "reading the practice",
    "GetProcedureCodes": "listing procedure codes",
    "GetProviders": "listing providers",
    "GetServiceLocations": "listing service locations",
    "GetThrottles": "reading the limits",
    "GetTransactions": "listing transactions",
    "RegisterExternalVendor": "registering chartwire",
    "SearchPatient": "looking for a patient",
    "UpdateAppointment": "changing an appointment",
    "UpdateAppointmentStatus": "changing an appointment's state",
    "UpdateEncounterStatus": "changing an encounter's state",
    "UpdatePatient": "changing a patient",
    "UpdatePatientsExternalID": "noting the other chart's number",
}
"""What the calls are for that have a limit of their own (limiter.py)."""


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
    passes: ClassVar[Mapping[str, str]] = PASSES
    operations: ClassVar[Mapping[str, str]] = OPERATIONS

    wsdl: FilledText
    endpoint: str
    customer_key_file: FilledText
    user: FilledText
    password_file: FilledText
    practice_name: FilledText
    poll_seconds: Seconds = 120.0
    sweep_seconds: Seconds = 14_400.0
    directory_seconds: Seconds = 3600.0
    patient_round_seconds: SecondsOrNone = 86_400.0
    limits: dict[str, Annotated[float, msgspec.Meta(gt=0, le=3600)]] = {}
    list_zone: str = "America/Los_Angeles"
    external_vendor: FilledText = "chartwire"
    appointment_days_back: Days = 7
    appointment_days_ahead: Days = 180

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        check_zone(self.list_zone, f"{key}.list_zone", problems)
        check_url(self.endpoint, f"{key}.endpoint", problems)
        if "://" in self.wsdl:
            check_url(self.wsdl, f"{key}.wsdl", problems)
        elif not _is_file(self.wsdl, beside):
            problems.append((f"{key}.wsdl", "is neither a URL nor a file that can be read"))
        return problems + self.secret_problems(key, beside)

    def account(self, beside: Path) -> str | None:
        """The customer key: its limits hold for all its practices together."""
        return secret(self.customer_key_file, beside)

    def practice_there(self, beside: Path) -> tuple[str, ...] | None:
        """The practice's name, among those of the customer key."""
        name = self.practice_name.strip().casefold()
        try:
            return (host_of(self.endpoint), self.account(beside) or "", name) if name else None
        except (OSError, ValueError):  # no address, or a secret that this process may not read
            return None


def _is_file(name: str, beside: Path) -> bool:
    try:
        return resolve(name, beside).is_file()
    except (OSError, ValueError):  # a name too long, or with U+0000
        return False
