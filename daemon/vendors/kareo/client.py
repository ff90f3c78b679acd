"""Kareo's operations for one practice: typed values in and out, paced by the limiter, one call per call.

Only what the service refused as too fast is tried again here. Errors are those of `daemon.vendors.ports.errors`; messages never hold vendor text, credentials or a
patient's data. Lists are asked with empty `Fields`, which returns everything, and with a `Filter` always.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from daemon.vendors.kareo import failures, requests, rows, values, wire
from daemon.vendors.kareo.answers import Node
from daemon.vendors.kareo.described import DescribedService
from daemon.vendors.kareo.limiter import IntervalLimiter
from daemon.vendors.kareo.soap import SoapService
from daemon.vendors.ports.errors import Defect, PracticeHidden, Refused, Throttled, VendorError
from daemon.vendors.ports.gate import AccountGate
from daemon.vendors.ports.writer import CallMeter, Guard, TurnMeter
from events.calendar import shifted

UTC_ZONE = ZoneInfo("UTC")
EXTERNAL_ID_MOST = 25
IN_THREAD = 300
"""Rows: some 10 ms of reading."""
PAGE = 1000
T = TypeVar("T")


class KareoClient:
    """One practice's view of Kareo.

    `practice_id` may be None: it is looked up by the exact name with the first call that needs it. `timeout` in seconds.
    `meter` hears of each call: (operation such as `billing.GetPatient`, outcome, seconds); `guard` may forbid it by raising.
    `waited` hears how long each call waited for its turn.
    `tries` is how often a call is made that Kareo asks patience for; more than once only where nobody else tries again.
    """

    def __init__(
        self,
        *,
        service: SoapService | DescribedService,
        endpoint: str,
        customer_key: str,
        user: str,
        password: str,
        practice_id: int | None,
        practice_name: str,
        limiter: IntervalLimiter,
        session: aiohttp.ClientSession,
        list_zone: str = "America/Los_Angeles",
        client_version: str = "chartwire",
        meter: CallMeter | None = None,
        waited: TurnMeter | None = None,
        timeout: float = 60.0,
        guard: Guard | None = None,
        gate: AccountGate | None = None,
        tries: int = 1,
    ) -> None:
        self._service = service
        self._endpoint = endpoint
        self._header = {
            "ClientVersion": client_version,
            "CustomerKey": customer_key,
            "Password": password,
            "User": user,
        }
        self.practice_id = practice_id
        self.practice_name = practice_name
        self.limiter = limiter
        self._session = session
        self.zone = ZoneInfo(list_zone)
        self._meter = meter
        self._waited = waited
        self._timeout = timeout
        self._guard = guard
        self._gate = gate or AccountGate()
        self._tries = tries

    # -- calling ----------------------------------------------------------------------------------------------------------

    async def call(self, operation: str, **request: object) -> Node:
        """One SOAP call in its turn; returns the answer after its error and security parts were judged."""

        async def as_it_is() -> Mapping[str, object]:
            return request

        return await self.call_with(operation, as_it_is)

    async def call_with(self, operation: str, request: Callable[[], Awaitable[Mapping[str, object]]]) -> Node:
        """As `call`; what is sent is asked for in the call's turn, each time that it is tried."""
        for _ in range(self._tries - 1):
            try:
                return await self._call_once(operation, request)
            except Throttled as error:
                await asyncio.sleep(error.retry_after * random.random())
        return await self._call_once(operation, request)

    async def _call_once(self, operation: str, request: Callable[[], Awaitable[Mapping[str, object]]]) -> Node:
        loop = asyncio.get_running_loop()
        service = await self._service.opened()
        self._gate.admit(f"kareo.{operation}")
        asked = loop.time()
        async with self.limiter.turn(operation):
            if self._waited is not None:
                self._waited(f"kareo.{operation}", loop.time() - asked)
            members = await request()
            started = loop.time()
            outcome = "cancelled"
            try:
                async with self._gate.turn(f"kareo.{operation}"):
                    answer = await service.call(
                        operation,
                        self._endpoint,
                        {"RequestHeader": self._header, **members},
                        self._session,
                        self._timeout,
                        2 * self.limiter.interval(operation),
                        self._guard,
                    )
                    failures.judge(operation, answer, 2 * self.limiter.interval(operation))
                outcome = "ok"
            except VendorError as error:
                outcome = type(error).__name__.casefold()
                if outcome == "throttled":
                    self.limiter.penalize(operation)
                raise
            finally:
                if self._meter is not None:
                    self._meter(f"kareo.{operation}", outcome, loop.time() - started)
        return answer

    async def _rows(self, found: list[Node], read: Callable[[rows.RowReader], T], where: str) -> wire.Rows[T]:
        """Typed rows; many of them are read in a thread, so that one practice never stalls another."""
        if len(found) > IN_THREAD:
            return await asyncio.to_thread(rows.read_rows, found, read, self.zone, where)
        return rows.read_rows(found, read, self.zone, where)

    def interval(self, operation: str) -> float:
        """Seconds between two calls."""
        return self.limiter.interval(operation)

    async def practice(self) -> dict[str, object]:
        if self.practice_id is None:
            found = [one for one in await self.get_practices() if one.name == self.practice_name]
            if len(found) != 1:
                raise PracticeHidden("kareo.GetPractices", "no practice of exactly the configured name")
            self.practice_id = found[0].id
        return {"PracticeID": self.practice_id}

    # -- directory --------------------------------------------------------------------------------------------------------

    async def get_practices(self) -> list[wire.KareoPractice]:
        answer = await self.call("GetPractices", Fields={}, Filter={"PracticeName": self.practice_name})
        found = rows.listed(answer, "Practices", "PracticeData")
        return list((await self._rows(found, rows.practice, "GetPractices.Practices")).rows)

    async def get_providers(self) -> list[wire.KareoProvider]:
        """Normal providers of the practice: referring ones are no calendar and cannot render."""
        answer = await self.call("GetProviders", Fields={}, Filter={"PracticeName": self.practice_name})
        found = [
            row
            for row in rows.listed(answer, "Providers", "ProviderData")
            if (row.text("Type") or "Normal Provider") == "Normal Provider"
        ]
        return list((await self._rows(found, rows.provider, "GetProviders.Providers")).rows)

    async def get_service_locations(self) -> list[wire.KareoLocation]:
        answer = await self.call("GetServiceLocations", Fields={}, Filter={"PracticeName": self.practice_name})
        found = rows.listed(answer, "ServiceLocations", "ServiceLocationData")
        return list((await self._rows(found, rows.location, "GetServiceLocations.ServiceLocations")).rows)

    async def ensure_external_vendor(self, name: str) -> int:
        """The id of the external vendor of this name; registered once per customer."""
        answer = await self.call("GetExternalVendors")
        for row in rows.listed(answer, "ExternalVendors", "ExternalVendorData"):
            if row.text("ExternalVendorName") == name and (known := _id(row, "ExternalVendorID")):
                return known
        answer = await self.call("RegisterExternalVendor", ExternalVendor={"ExternalVendorName": name})
        made = answer.node("ExternalVendor")
        return _made("RegisterExternalVendor", 0 if made is None else _id(made, "ExternalVendorID"))

    # -- patients ---------------------------------------------------------------------------------------------------------

    async def patients_modified(self, start: datetime, end: datetime) -> wire.Rows[wire.KareoPatient]:
        """Patients modified in the window, both ends given as the list zone's wall times."""
        first, last = values.filter_window(start, end, self.zone)
        return await self._patients(FromLastModifiedDate=first, ToLastModifiedDate=last)

    async def find_patients(
        self, *, first_name: str | None = None, last_name: str | None = None, birth_date: date | None = None
    ) -> list[wire.KareoPatient]:
        """Filtered again here: what name filters mean is not documented. Raises Malformed for a row that might be the one."""
        filters: dict[str, object] = {}
        if first_name:
            filters["FirstName"] = first_name
        if last_name:
            filters["LastName"] = last_name
        if birth_date is not None:
            filters["FromDateOfBirth"] = values.filter_day(birth_date)
            filters["ToDateOfBirth"] = values.filter_day(shifted(birth_date, timedelta(days=1)))
        found = await self._patients(**filters)
        rows.demand_whole("GetPatients", found)
        return [
            row
            for row in found.rows
            if (not first_name or row.first_name.casefold() == first_name.casefold())
            and (not last_name or row.last_name.casefold() == last_name.casefold())
            and (birth_date is None or row.birth_date == birth_date)
        ]

    async def _patients(self, **filters: object) -> wire.Rows[wire.KareoPatient]:
        answer = await self.call("GetPatients", Fields={}, Filter={"PracticeName": self.practice_name, **filters})
        found = rows.listed(answer, "Patients", "PatientData")
        return await self._rows(found, rows.patient, "GetPatients.Patients")

    async def all_patients(self) -> AsyncIterator[wire.Rows[wire.KareoPatient]]:
        """Every patient of the practice, a page of up to 1000 at a time."""
        start_key = 0
        while True:
            practice = await self.practice()
            filter_: dict[str, object] = {"BatchSize": PAGE, **practice}
            if start_key:
                filter_["StartKey"] = start_key
            answer = await self.call("GetAllPatients", Fields={}, Filter=filter_)
            found = rows.listed(answer, "Patients", "PatientBatchData")
            page = await self._rows(found, rows.patient, "GetAllPatients.Patients")
            key = answer.node("Key")
            following = 0 if key is None else _id(key, "nextStartKey")
            yield page
            if not following or following == start_key:
                return
            start_key = following

    async def get_patient(self, patient_id: int) -> wire.KareoPatient | None:
        """One patient with cases and policies; None when it does not exist any more."""
        return await self._single({"PatientID": patient_id})

    async def get_patient_by_external_id(self, external_id: str, vendor: int) -> wire.KareoPatient | None:
        """Whose external id this is; ids cannot be read, only asked for."""
        return await self._single({"ExternalID": external_id, "ExternalVendorID": vendor})

    async def _single(self, filter_: dict[str, object]) -> wire.KareoPatient | None:
        try:
            answer = await self.call("GetPatient", Filter=filter_)
        except Refused as refused:
            if failures.not_found(refused):
                return None
            raise
        row = answer.node("Patient")
        if row is None or row.text("ID") in ("", "0"):
            return None
        try:
            found = rows.patient(rows.RowReader(row, self.zone))
            cases = [one for one in rows.listed(row, "Cases", "PatientCaseData") if one.text("PatientCaseID")]
            return msgspec.structs.replace(found, cases=tuple(rows.case(one, self.zone) for one in cases))
        except rows.BadMember as error:
            raise failures.malformed("GetPatient", f"Patient.{error}") from None

    async def create_patient(
        self, patient: wire.PatientWrite, *, external_id: str, external_vendor_id: int, case: wire.CaseWrite
    ) -> wire.PatientCreated:
        """Create with external id and case; a repeated external id is refused by the service."""
        if len(external_id) > EXTERNAL_ID_MOST:
            raise Refused("kareo.CreatePatient", vendor_text="the external id is longer than 25 characters and would be cut")
        body = {
            **requests.patient(patient),
            "Practice": await self.practice(),
            "PatientExternalID": external_id,
            "ExternalVendorID": external_vendor_id,
            "Cases": case.body("Create"),
        }
        answer = await self.call("CreatePatient", Patient=body)
        return wire.PatientCreated(patient_id=_made("CreatePatient", _id(answer, "PatientID")))

    async def update_patient(
        self,
        patient_id: int,
        changes: Callable[[], Awaitable[wire.PatientWrite]],
        *,
        case: wire.CaseWrite | None = None,
    ) -> None:
        """Only `changes`, first and last name among them, and a `case` that is added or changed.

        `changes` are asked for when it is this call's turn, right before it is sent: Kareo has no versions, so what was read
        before a wait may have been edited since, and would be lost.
        """
        practice = await self.practice()

        async def request() -> Mapping[str, object]:
            body = {**requests.patient(await changes()), "Practice": practice, "PatientID": patient_id}
            if case is not None:
                body["Cases"] = case.body("Update")
            return {"Patient": body}

        answer = await self.call_with("UpdatePatient", request)
        _made("UpdatePatient", _id(answer, "PatientID"))

    async def set_external_id(self, patient_id: int, vendor: int, external_id: str) -> None:
        """For patients that exist; its answer tells nothing, so ask by the external id afterwards."""
        practice = await self.practice()
        setting = {
            "externalID": external_id,
            "externalVendorID": vendor,
            "patientID": patient_id,
            "practiceID": practice["PracticeID"],
        }
        update = {"UpdateBatch": {"PatientExternalIDSetting": [setting]}}
        await self.call("UpdatePatientsExternalID", Updates=update)

    # -- appointments -----------------------------------------------------------------------------------------------------

    async def appointments(self, start: datetime, end: datetime) -> wire.Rows[wire.BillingAppointment]:
        """Appointments of a window of at most 60 days, in UTC (offset 0)."""
        first, last = values.filter_window(start, end, UTC_ZONE)
        return await self._appointments(StartDate=first, EndDate=last)

    async def appointments_modified(self, start: datetime, end: datetime) -> wire.Rows[wire.BillingAppointment]:
        """Appointments modified in the window; both ends given lift the default window of days."""
        first, last = values.filter_window(start, end, self.zone)
        return await self._appointments(FromLastModifiedDate=first, ToLastModifiedDate=last)

    async def _appointments(self, **filters: object) -> wire.Rows[wire.BillingAppointment]:
        await self.practice()
        filter_ = {"PracticeName": self.practice_name, "TimeZoneOffsetFromGMT": "0", **filters}
        answer = await self.call("GetAppointments", Fields={}, Filter=filter_)
        found = rows.listed(answer, "Appointments", "AppointmentData")
        return await self._rows(found, rows.appointment, "GetAppointments.Appointments")

    async def get_appointment(self, appointment_id: int) -> wire.SingleAppointment | None:
        """One appointment; None when it does not exist any more.

        How the service says so is not documented: whatever it refuses to show counts, so act only on top of its absence
        from a list.
        """
        try:
            answer = await self.call("GetAppointment", Appointment={"AppointmentId": appointment_id})
        except Refused as refused:
            if isinstance(refused, Defect):
                raise
            return None
        found = answer.node("Appointment")
        if found is None:
            return None
        reader = rows.RowReader(found, UTC_ZONE)
        try:
            id_, start, provider = reader.number("AppointmentId"), reader.moment("StartTime"), reader.number("ProviderId")
        except rows.BadMember as error:
            raise failures.malformed("GetAppointment", f"Appointment.{error}") from None
        if not id_ or start is None:
            return None
        return wire.SingleAppointment(id=id_, start=start, provider_id=provider or None, is_deleted=reader.flag("IsDeleted"))

    # -- bills ------------------------------------------------------------------------------------------------------------

    async def create_encounter(self, encounter: wire.EncounterWrite) -> wire.EncounterCreated:
        """Raises Refused with what the echoed encounter complains of: the WHOLE encounter is refused then."""
        answer = await self.call("CreateEncounter", Encounter=requests.encounter(encounter, await self.practice()))
        return wire.EncounterCreated(encounter_id=_made("CreateEncounter", _id(answer, "EncounterID")))

    async def charges_by_batch(
        self, batch: str, *, service_from: date, service_to: date, whole: bool = False
    ) -> list[wire.KareoCharge]:
        """Of these service days, drafts included ("T"), of a batch where one is given; Malformed where one may be missing (`whole`: is)."""
        filter_: dict[str, object] = {
            "PracticeName": self.practice_name,
            "IncludeUnapprovedCharges": "T",
            "FromServiceDate": values.filter_day(service_from),
            "ToServiceDate": values.filter_day(service_to),
            **({"BatchNumber": batch} if batch else {}),
        }
        answer = await self.call("GetCharges", Fields={}, Filter=filter_)
        read = await self._rows(rows.listed(answer, "Charges", "ChargeData"), rows.charge, "GetCharges.Charges")
        charges = [one for one in read.rows if not batch or one.batch_number == batch]
        if whole or not charges:
            rows.demand_whole("GetCharges", read)
        return charges


def _id(node: Node, name: str) -> int:
    """A member that is an id; 0 where there is none."""
    try:
        return values.number(node.text(name)) or 0
    except values.BadValue:
        return 0


def _made(operation: str, id_: int) -> int:
    """A success tells an id above 0; without one nobody knows. Raises OutcomeUnknown."""
    if id_ <= 0:
        raise failures.lost(operation)
    return id_
