"""Appointments that are booked in Kareo for the chart side's: our own extension (projections/rules/bookings.py).

Kareo takes the same appointment twice and no external id, so each is looked for before it is created: by the token in its notes,
else by its patient, provider and time. A change is read, changed and written back whole, because what is left out may be erased.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from daemon.vendors.kareo import failures, rows, values
from daemon.vendors.kareo.answers import Node
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.wire import BookedRow
from daemon.vendors.ports.errors import Defect, NotAsWritten, Refused, VendorError
from events.bookings import (
    CAME,
    AnyBooking,
    BookingTerms,
    CreateBillingAppointment,
    DeleteBillingAppointment,
    StandsAlready,
    UpdateBillingAppointment,
)
from events.calendar import shifted
from events.writes import Done, RecordCreated
from projections.terms.codecs import squeeze

UTC_ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)
LATELY = timedelta(hours=1)
"""Without a token an appointment that was created before that is nobody's lost creation."""
CREATED_WITHIN = timedelta(days=30)
AHEAD = timedelta(minutes=15)
MARK = re.compile(r"\[cw [A-Z2-7]{4}-[A-Z2-7]{4}\]")
"""What `projections.rules.bookings.token_of` looks like."""
CANCELLED = "Cancelled"
GROUP = "the appointment was made a group appointment, which chartwire leaves alone"
ANOTHERS = "the appointment is another patient's by now"
MOVED_THERE = "the booking is another patient's there by now; cancel or delete it there if it is not theirs"
TOUCHED = "people have changed the booking there; cancel or delete it there, or give it to whose it is now"
GONE = "the appointment is gone; delete it on the other side too, or enter it again"

KEPT = {
    "AppointmentName": str,
    "AppointmentReasonId": int,
    "InsurancePolicyAuthorizationId": int,
    "MaxAttendees": int,
    "OccurrenceId": int,
    "PatientCaseId": int,
    "ProviderId": int,
    "ResourceId": int,
}
"""Members that UpdateAppointment takes and we write back as they are, by what they are."""


class _AlreadyBooked(Exception):
    """The appointment is already as a write would have it."""


class KareoBookings:
    """Carries out the writes of bookings for one practice."""

    def __init__(self, client: KareoClient, *, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now

    async def write(self, write: AnyBooking) -> RecordCreated | StandsAlready | Done:
        match write:
            case CreateBillingAppointment():
                return await self._create(write)
            case UpdateBillingAppointment():
                return await self._update(write)
        return await self._delete(write)

    async def look_up(self, write: AnyBooking) -> RecordCreated | Done | None:
        """Whether a lost write was done."""
        match write:
            case CreateBillingAppointment():
                return await self._find(write) or await self._find(write, elsewhere=True)
            case UpdateBillingAppointment():
                there = await self._read(write.appointment)
                done = _is_gone_as_wanted(write) if there is None else not _differing(there, write)
                return Done() if done else None
        return Done() if await self._read(write.appointment) is None else None

    # -- creating ---------------------------------------------------------------------------------------------------------

    async def _create(self, write: CreateBillingAppointment) -> RecordCreated | StandsAlready:
        """Looked for, created, and read back: nobody says in which zone Kareo takes its times."""
        read_at = self._now()
        around = await self._around(write)
        if (found := await self._ours(write, around)) is not None:
            held = await self._read(found.id)
            return found if held is None else replace(found, booked=_otherwise(held, write.terms))
        if (by_hand := await self._by_hand(write, around)) is not None:
            return StandsAlready(id=by_hand, read_at=read_at)
        practice = (await self._client.practice())["PracticeID"]
        answer = await self._client.call("CreateAppointment", Appointment=created_members(write, practice))
        made = answer.node("Appointment")
        id_ = 0 if made is None else _number(made, "AppointmentId")
        if id_ <= 0:
            raise failures.lost("CreateAppointment")
        try:
            there = await self._read(id_)
        except VendorError:  # created it is, and what cannot be read back now is not created once more
            return RecordCreated(id=id_)
        if there is None or _start(there) != write.terms.start:
            raise NotAsWritten(("start",))
        return RecordCreated(id=id_)

    async def _find(self, write: CreateBillingAppointment, *, elsewhere: bool = False) -> RecordCreated | None:
        """Ours among the patient's around that day, or (`elsewhere`) among those created lately, wherever they were moved to.

        Of two the older one counts, and the other is told of: it was created twice.
        """
        return await self._ours(write, await (self._lately(write) if elsewhere else self._around(write)))

    async def _ours(self, write: CreateBillingAppointment, found: tuple[BookedRow, ...]) -> RecordCreated | None:
        if write.token:
            ids = sorted(one.id for one in found if write.token in one.notes)
        else:
            ids = await self._alike(write, found)
        return RecordCreated(id=ids[0], others=tuple(ids[1:])) if ids else None

    async def _around(self, write: CreateBillingAppointment) -> tuple[BookedRow, ...]:
        start = write.terms.start
        first, last = values.filter_window(shifted(start, -DAY), shifted(start, DAY), UTC_ZONE)
        return await self._list(write, StartDate=first, EndDate=last)

    async def _lately(self, write: CreateBillingAppointment) -> tuple[BookedRow, ...]:
        now, zone = self._now(), self._client.zone
        first, last = values.filter_window(now - CREATED_WITHIN, now + AHEAD, zone)
        return await self._list(write, FromCreatedDate=first, ToCreatedDate=last)

    async def _list(self, write: CreateBillingAppointment, **filters: object) -> tuple[BookedRow, ...]:
        whose = {"PracticeName": self._client.practice_name, "PatientID": str(write.patient)}
        filter_ = {**whose, "TimeZoneOffsetFromGMT": "0", **filters}
        answer = await self._client.call("GetAppointments", Fields={}, Filter=filter_)
        found = rows.listed(answer, "Appointments", "AppointmentData")
        read = rows.read_rows(found, rows.booked, self._client.zone, "GetAppointments.Appointments")
        rows.demand_whole("GetAppointments", read)
        return tuple(one for one in read.rows if one.patient_id in (None, write.patient))

    async def _alike(self, write: CreateBillingAppointment, found: tuple[BookedRow, ...]) -> list[int]:
        """The one that is created lately and holds the same patient, provider and time. Raises Refused for several."""
        lately = self._now() - LATELY
        alike: list[int] = []
        for one in _free(write, found):
            if one.created is None or one.created < lately:
                continue
            there = await self._read(one.id)
            if (
                there is not None
                and _number(there, "ProviderId") == write.terms.provider
                and _patient(there) == write.patient
            ):
                alike.append(one.id)
        if len(alike) > 1:
            text = "several appointments of this patient, provider and time: a person has to look"
            raise Refused("kareo.GetAppointments", vendor_text=text)
        return alike

    async def _by_hand(self, write: CreateBillingAppointment, found: tuple[BookedRow, ...]) -> int | None:
        """The oldest that people entered for the same patient, provider and time; one without a provider has a resource only."""
        for one in sorted(_free(write, found), key=lambda row: row.id):
            there = None if MARK.search(one.notes) else await self._read(one.id)
            if there is None or there.text("AppointmentStatus") == CANCELLED or _patient(there) != write.patient:
                continue
            if _number(there, "ProviderId") in (0, write.terms.provider):
                return one.id
        return None

    # -- changing and deleting --------------------------------------------------------------------------------------------

    async def _update(self, write: UpdateBillingAppointment) -> Done:
        async def request() -> Mapping[str, object]:
            there = await self._read(write.appointment)
            if there is None:
                if _is_gone_as_wanted(write):
                    raise _AlreadyBooked
                raise Refused("kareo.UpdateAppointment", vendor_text=GONE)
            if failures.yes(there.text("IsGroupAppointment")):
                raise Refused("kareo.UpdateAppointment", vendor_text=GROUP)
            if _patient(there) != write.patient:
                raise Refused("kareo.UpdateAppointment", vendor_text=ANOTHERS)
            if not _differing(there, write):
                raise _AlreadyBooked
            return {"Appointment": updated_members(there, write)}

        try:
            await self._client.call_with("UpdateAppointment", request)
        except _AlreadyBooked:
            return Done(already=True)
        there = await self._read(write.appointment)
        if differing := ("appointment",) if there is None else _differing(there, write):
            raise NotAsWritten(differing)
        return Done()

    async def _delete(self, write: DeleteBillingAppointment) -> Done:
        """Gone is gone, however Kareo says that of one that was deleted before."""
        there = await self._read(write.appointment)
        if there is None:
            return Done(already=True)
        if why := _kept_because(there, write):
            raise Refused("kareo.DeleteAppointment", vendor_text=why)
        try:
            await self._client.call("DeleteAppointment", Appointment={"AppointmentId": write.appointment})
        except Refused as refused:
            if isinstance(refused, Defect) or await self._read(write.appointment) is not None:
                raise
        if await self._read(write.appointment) is not None:
            raise NotAsWritten(("deleted",))
        return Done()

    async def _read(self, appointment: int) -> Node | None:
        """The appointment as it is now; None when it is gone: deleted, not shown, or refused."""
        try:
            answer = await self._client.call("GetAppointment", Appointment={"AppointmentId": appointment})
        except Refused as refused:
            if isinstance(refused, Defect):
                raise
            return None
        found = answer.node("Appointment")
        gone = found is None or not _number(found, "AppointmentId") or failures.yes(found.text("IsDeleted"))
        return None if gone else found


def _otherwise(there: Node, terms: BookingTerms) -> BookingTerms | None:
    """How one stands that an earlier creation made, where that is not as it shall be; its texts and status are left alone."""
    start, end = _start(there) or terms.start, _moment(there, "EndTime") or _end(terms)
    where = {"provider": _number(there, "ProviderId"), "location": _number(there, "ServiceLocationId")}
    found = replace(terms, start=start, minutes=(end - start) // timedelta(minutes=1), **where)
    return None if found == terms else found


def _free(write: CreateBillingAppointment, found: tuple[BookedRow, ...]) -> list[BookedRow]:
    """Those at that very time that are no other appointment's."""
    return [one for one in found if one.start == write.terms.start and one.id not in write.taken]


# -- members of requests --------------------------------------------------------------------------------------------------


def created_members(write: CreateBillingAppointment, practice: object) -> dict[str, object]:
    """The members of AppointmentCreate."""
    terms = write.terms
    body: dict[str, object] = {
        "AppointmentStatus": terms.status,
        "AppointmentType": "P",
        "EndTime": _end(terms),
        "IsGroupAppointment": False,
        "IsRecurring": False,
        "PatientSummary": {"PatientId": write.patient, "PracticeId": practice},
        "PracticeId": practice,
        "ProviderId": terms.provider,
        "ServiceLocationId": terms.location,
        "StartTime": terms.start,
        "WasCreatedOnline": False,
    }
    if terms.reason is not None:
        body["AppointmentReasonId"] = terms.reason
    if notes := "\n".join(line for line in (terms.description, write.token) if line):
        body["Notes"] = notes
    return body


def updated_members(there: Node, write: UpdateBillingAppointment) -> dict[str, object]:
    """The members of AppointmentUpdate: as they are, but for those that change."""
    terms = write.terms
    body: dict[str, object] = {name: kind(there.text(name)) for name, kind in KEPT.items() if there.text(name)}
    body |= {
        "AppointmentId": write.appointment,
        "AppointmentStatus": there.text("AppointmentStatus"),
        "EndTime": _moment(there, "EndTime"),
        "IsGroupAppointment": False,
        "IsRecurring": failures.yes(there.text("IsRecurring")),
        "PatientId": write.patient,
        "ServiceLocationId": _number(there, "ServiceLocationId"),
        "StartTime": _moment(there, "StartTime"),
    }
    resources = there.node("ResourceIds")
    if resources is not None and (ids := [int(one.element.text or 0) for one in resources.nodes("long")]):
        body["ResourceIds"] = {"long": ids}
    if there.text("Notes") or "description" in write.changes:
        body["Notes"] = there.text("Notes")
    changed: dict[str, dict[str, object]] = {
        "start": {"StartTime": terms.start, "EndTime": _end(terms)},
        "minutes": {"EndTime": _end(terms)},
        "provider": {"ProviderId": terms.provider},
        "location": {"ServiceLocationId": terms.location},
        "reason": {"AppointmentReasonId": terms.reason or 0},
        "status": {"AppointmentStatus": terms.status},
        "description": {"Notes": notes_with(there.text("Notes"), terms.description, write.before)},
    }
    for name in write.changes:
        body |= changed[name]
    if "minutes" in write.changes and "start" not in write.changes:
        start = _moment(there, "StartTime") or terms.start
        body["EndTime"] = shifted(start, timedelta(minutes=terms.minutes))
    return body


def notes_with(notes: str, description: str, before: str) -> str:
    """The notes with another description in their first line; whatever people wrote there stays, and so does the token."""
    lines = notes.splitlines()
    if before and lines and squeeze(lines[0]) == before:
        del lines[0]
    return "\n".join([description, *lines] if description else lines)


def _end(terms: BookingTerms) -> datetime:
    return shifted(terms.start, timedelta(minutes=terms.minutes))


# -- what an appointment shows --------------------------------------------------------------------------------------------


def _differing(there: Node, write: UpdateBillingAppointment) -> tuple[str, ...]:
    """The changes that the appointment does not show."""
    return tuple(name for name in write.changes if not _shows(there, name, write))


def _shows(there: Node, name: str, write: UpdateBillingAppointment) -> bool:
    terms = write.terms
    match name:
        case "start":
            return _start(there) == terms.start
        case "minutes":
            start, end = _start(there), _moment(there, "EndTime")
            return start is not None and end is not None and end - start == timedelta(minutes=terms.minutes)
        case "provider":
            return _number(there, "ProviderId") == terms.provider
        case "location":
            return _number(there, "ServiceLocationId") == terms.location
        case "reason":
            return _number(there, "AppointmentReasonId") == (terms.reason or 0)
        case "status":
            return there.text("AppointmentStatus") == terms.status
    first = squeeze(next(iter(there.text("Notes").splitlines()), ""))
    return first == terms.description if terms.description else not write.before or first != write.before


def _kept_because(there: Node, write: DeleteBillingAppointment) -> str:
    """Why an appointment is not deleted, "" where it may be."""
    if write.told is None or write.patient is None:
        return ""
    if failures.yes(there.text("IsGroupAppointment")):
        return GROUP
    if _patient(there) != write.patient:
        return MOVED_THERE
    if there.text("AppointmentStatus") == CANCELLED:
        return ""
    return TOUCHED if _is_touched(there, write.told) else ""


def _is_touched(there: Node, told: BookingTerms) -> bool:
    """Whether people have moved it, taken the visit up, or written into its notes. A reminder that was sent, or confirmed, is none of it."""
    if (_start(there), _number(there, "ProviderId")) != (told.start, told.provider):
        return True
    if _moment(there, "EndTime") != _end(told) or _number(there, "ServiceLocationId") != told.location:
        return True
    if there.text("AppointmentStatus") in CAME:
        return True
    lines = [line for line in map(squeeze, there.text("Notes").splitlines()) if line and not MARK.fullmatch(line)]
    return lines not in ([], [told.description])


def _is_gone_as_wanted(write: UpdateBillingAppointment) -> bool:
    """What was to be cancelled and is gone needs nothing any more."""
    return write.terms.status == CANCELLED


def _start(there: Node) -> datetime | None:
    return _moment(there, "StartTime")


def _moment(there: Node, name: str) -> datetime | None:
    try:
        return values.moment(there.text(name), UTC_ZONE)
    except values.BadValue:
        raise failures.malformed("GetAppointment", f"Appointment.{name}") from None


def _number(there: Node, name: str) -> int:
    try:
        return values.number(there.text(name)) or 0
    except values.BadValue:
        raise failures.malformed("GetAppointment", f"Appointment.{name}") from None


def _patient(there: Node) -> int:
    summary = there.node("PatientSummary")
    return 0 if summary is None else _number(summary, "PatientId")
