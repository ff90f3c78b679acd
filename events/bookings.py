"""Appointments of the chart side's calendar that are booked on the billing side: our own extension, no vendor's guide has it.

An `EhrAppointment` is what the chart side shows. A booking is the billing side's appointment that follows it.
"""

from __future__ import annotations

from datetime import datetime

from events.ids import BillingPatientId, EhrChartId
from events.records import Value, stored_type

CAME = frozenset({"CheckedIn", "Roomed", "ReadyToBeSeen", "CheckedOut", "NoShow"})
"""The billing side's statuses of a visit that has begun, or was missed: its users may have worked with it."""


class EhrAppointment(Value, frozen=True, kw_only=True):
    """One appointment of a patient, each of a series by itself. `reason` is the name of its type, `description` the complaint.

    `minutes` is 0 where the chart side gives no duration. `link_hint` is our own metadata: it is a copy that we made.
    """

    id: int
    patient: EhrChartId
    start: datetime
    minutes: int = 0
    physician: int
    location: int | None = None
    reason: str = ""
    description: str = ""
    status: str = ""
    link_hint: str = ""


class EhrAppointmentObserved(Value, frozen=True, kw_only=True):
    appointment: EhrAppointment


class EhrAppointmentGone(Value, frozen=True, kw_only=True):
    """Deleted, or no patient's any more. `moved`: it is another patient's now."""

    appointment: int
    chart: EhrChartId
    moved: bool = False


InCalendar = EhrAppointmentObserved | EhrAppointmentGone
"""What is recorded of the chart side's calendar."""


class BookingTerms(Value, frozen=True, kw_only=True):
    """An appointment as the billing side shall hold it. `reason` is an id there, None for none; `description` is one line."""

    start: datetime
    minutes: int
    provider: int
    location: int
    reason: int | None = None
    status: str = "Scheduled"
    description: str = ""


class BookingWrite(Value, frozen=True, kw_only=True, tag=stored_type):
    """Goes to the billing side, as every write that is not the chart side's (`events.writes.system_of`)."""


class CreateBillingAppointment(BookingWrite, frozen=True, kw_only=True):
    """`token` stands in the notes, "" for none: by it a creation is found again whose answer was lost.

    `taken` are the billing side's appointments of the patient that are others' already: none of them is taken for this one. Any
    other of that time and provider was entered by hand, and nothing is created beside it (`StandsAlready`).
    """

    patient: BillingPatientId
    terms: BookingTerms
    token: str = ""
    taken: tuple[int, ...] = ()


class UpdateBillingAppointment(BookingWrite, frozen=True, kw_only=True):
    """Bring the appointment to `terms`, in the members that are named in `changes` only; whatever else it holds stays.

    `before` is the description that it was told last, whose line is replaced.
    """

    patient: BillingPatientId
    appointment: int
    terms: BookingTerms
    changes: tuple[str, ...]
    before: str = ""


class DeleteBillingAppointment(BookingWrite, frozen=True, kw_only=True):
    """Gone on the chart side, where the practice wants that deleted (`Policy.deleted_appointment`), or another patient's there.

    One that is not `patient`'s by now is left alone. So is one that people have changed since it was `told` that; None asks for neither.
    """

    appointment: int
    patient: BillingPatientId | None = None
    told: BookingTerms | None = None


class StandsAlready(Value, frozen=True, kw_only=True, tag=stored_type):
    """Nothing was created: a person entered the same by hand, and it stands there as `id`, as it was read at `read_at`."""

    id: int
    read_at: datetime


AnyBooking = CreateBillingAppointment | UpdateBillingAppointment | DeleteBillingAppointment


def can_wait(write: object) -> bool:
    """Whether everything else goes first: one save on the chart side may book a year of appointments."""
    return isinstance(write, AnyBooking)
