"""What the witness says of appointments that are booked in Kareo for Elation's: each once, and in agreement.

Code of its own, as `witness`: it knows the mark in the notes by its looks alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from daemon.sandbox.clinic import Clinic, Office

MARK = re.compile(r"\[cw [A-Z2-7]{4}-[A-Z2-7]{4}\]")
STATUSES = {
    "Confirmed": "Confirmed",
    "Checked In": "CheckedIn",
    "In Room": "Roomed",
    "In Room - Vitals Taken": "Roomed",
    "With Doctor": "ReadyToBeSeen",
    "Checked Out": "CheckedOut",
    "Billed": "CheckedOut",
    "Not Seen": "NoShow",
}
OF_USERS = "ReminderSent"
"""A status that Kareo's users set, and that stays until Elation's changes."""
DESK = "desk "
"""A name of an appointment that begins so is what the front desk wrote into its notes, too."""

Doctor = Callable[[Clinic, int | None], str]
Key = tuple[str, int, str, str]


def is_marked(appointment: Any) -> bool:
    """Whether an appointment of Kareo's is one that was booked for Elation's."""
    return MARK.search(appointment.notes) is not None


def _stands(appointment: Any) -> bool:
    return not appointment.deleted and appointment.status != "Cancelled"


def differences(
    clinic: Clinic,
    office: Office,
    chart_id: int,
    patient_id: int,
    slots: set[str],
    told: Collection[int],
    named: tuple[Doctor, Doctor],
) -> list[str]:
    """A linked patient's appointments of both systems against each other, but for copies of Kareo's own and bookings in `told`."""
    doctor, provider = named
    hinted = {id_ for id_ in clinic.ehr.appointments if _is_hinted(clinic, office, id_)}
    wanted, statuses, waits = Counter[Key](), dict[Key, str](), False
    for one in clinic.ehr.appointments.values():
        status = (one["status"] or {}).get("status") or ""
        if one["patient"] != chart_id or one["deleted_date"] or status == "Cancelled" or one["id"] in hinted:
            continue
        if f"booking:{one['id']}" in slots:
            waits = True
            continue
        description = " ".join((one["description"] or "").split())
        key = (_instant(one["scheduled_date"]), one["duration"], doctor(clinic, one["physician"]), description)
        wanted[key] += 1
        statuses[key] = STATUSES.get(status, "Scheduled")
    held = Counter[Key]()
    found = []
    for there in clinic.billing.appointments.values():
        if there.patient_id != patient_id or there.id in told or not _stands(there) or not is_marked(there):
            continue
        minutes = (there.end - there.start) // timedelta(minutes=1)
        lines = there.notes.splitlines()
        first = "" if not lines or MARK.fullmatch(lines[0]) or lines[0].startswith(DESK) else lines[0]
        key = (f"{there.start:%Y-%m-%dT%H:%M:%SZ}", minutes, provider(clinic, there.provider_id), first)
        held[key] += 1
        if wanted[key] == held[key] == 1 and there.status not in (statuses[key], OF_USERS):
            found.append(f"appointment {there.id} booked in Kareo: status")
        if there.name.startswith(DESK) and there.name not in lines:
            found.append(f"appointment {there.id} booked in Kareo: the front desk's notes are gone")
    missing, beyond = (wanted - held).total(), (held - wanted).total()
    if missing or (beyond and not waits):
        found.append(f"appointment: {missing} not booked in Kareo as they are, {beyond} there that are not in Elation")
    return found


def _is_hinted(clinic: Clinic, office: Office, appointment: int) -> bool:
    """Whether it is a copy: it carries a note of the office's application."""
    return bool((clinic.ehr.metadata("appointments", appointment, f"client-{office.id}") or {}).get("object_id"))


def _instant(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%dT%H:%M:%SZ}"


def doubled(
    clinic: Clinic, office: Office, *, resting: bool, of_deleted: Collection[int] = (), told: Collection[int] = ()
) -> Counter[object]:
    """How often each mark stands in Kareo: an appointment is booked once, of a patient at any time, and of all at rest.

    Nothing is written to the counterparts of charts that are deleted: what was booked for them stays, and their item waits.
    So does one in `told`.
    """
    held = [one for one in clinic.billing.appointments.values() if one.practice_id == office.billing and _stands(one)]
    marks = (
        (mark.group(), one.patient_id)
        for one in held
        if one.patient_id not in of_deleted and one.id not in told and (mark := MARK.search(one.notes)) is not None
    )
    return Counter(mark if resting else (mark, patient) for mark, patient in marks)
