"""The calls of Elation's REST API that chartwire makes, one method each, for one practice of one credential.

Every method raises the errors of `daemon.vendors.ports.errors` and nothing else: Throttled, Unauthorized, Refused (with NotFound,
Gone, Moved, Duplicate), Unreachable, Malformed for reads and OutcomeUnknown for writes whose answer is missing or unusable. Nothing is repeated here, except once after a 401. Bodies are given as Elation wants them.

Lists are asynchronous iterators of `wire.DecodedRow`: the typed value, or a `wire.BadRow` for a row that does not fit. They are
narrowed to the client's practice by the API's filter where it has one, else by the record.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from itertools import product
from typing import Final, TypeVar

import aiohttp

from daemon.vendors.elation import wire
from daemon.vendors.elation.transport import Transport, discard
from daemon.vendors.ports.errors import Malformed
from daemon.vendors.ports.gate import AccountGate
from daemon.vendors.ports.writer import CallMeter, Guard, TurnMeter

W = TypeVar("W", bound=wire.Wire)

Filter = str | int | date | datetime | Collection[int] | None
JsonBody = Mapping[str, object]

# Ids travel in the query string: this many of 15 digits stay far below the 8 KB that servers commonly take.
IDS_PER_CALL: Final = 100


class ElationClient:
    """One practice's view of Elation; safe to share between tasks.

    `base_url` is the host, with or without `/api/2.0`; `session` is the caller's; `concurrency` caps the calls under way;
    `timeout` (seconds) holds for each call. `meter` hears of each HTTP call, token requests included, as (operation such as
    `GET /patients/{id}/`, outcome such as `ok` or `throttled`, seconds), `waited` how long each waited for its turn. `rng` draws the jitter of `Throttled.retry_after`.
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        session: aiohttp.ClientSession,
        practice_id: int,
        concurrency: int = 4,
        timeout: float = 30.0,
        meter: CallMeter | None = None,
        waited: TurnMeter | None = None,
        rng: random.Random | None = None,
        guard: Guard | None = None,
        gate: AccountGate | None = None,
    ) -> None:
        self.practice_id = practice_id
        self._transport = Transport(
            base_url=base_url,
            client_id=client_id,
            client_secret=client_secret,
            session=session,
            concurrency=concurrency,
            timeout=timeout,
            meter=meter,
            waited=waited,
            rng=rng,
            guard=guard,
            gate=gate,
        )

    # Charts

    async def get_patient(self, patient_id: int) -> wire.Patient:
        """A chart, of any practice the credential sees. Raises NotFound, Gone (deleted), Moved (303, not followed)."""
        return await self._get("/patients/{id}/", wire.Patient, id=patient_id)

    def patients(self, **filters: Filter) -> AsyncIterator[wire.DecodedRow[wire.Patient]]:
        """The practice's charts, by ascending id; `filters` are the API's (`last_name="Doe"`, `last_modified__gte=...`)."""
        return self._list("/patients/", wire.Patient, {**filters, "practice": self.practice_id})

    def patients_modified_since(self, moment: datetime) -> AsyncIterator[wire.DecodedRow[wire.Patient]]:
        """Charts modified at `moment` (aware) or later, by id, not by time: mind the watermark."""
        return self.patients(last_modified__gte=_whole_second(moment))

    async def create_patient(self, body: JsonBody) -> wire.Patient:
        """Raises Duplicate with the chart that matches; it may be somebody else's."""
        return await self._write("POST", "/patients/", wire.Patient, body)

    async def update_patient(self, patient_id: int, changes: JsonBody) -> wire.Patient:
        """PATCH: `changes` name only what changes, but arrays whole."""
        return await self._write("PATCH", "/patients/{id}/", wire.Patient, changes, id=patient_id)

    # Insurance

    async def list_policies(self, patient_id: int) -> list[wire.Policy]:
        """All policies of a chart. One that does not fit raises Malformed: ranks cannot be judged from a part of them."""
        template = "/patients/{id}/policies"
        rows = self._list(template, wire.Policy, {}, paged=False, id=patient_id)
        policies = []
        async for row in rows:
            if isinstance(row, wire.BadRow):
                raise Malformed(f"elation.GET {template}", row.path)
            policies.append(row)
        return policies

    async def create_policy(self, patient_id: int, body: JsonBody) -> wire.Policy:
        """Giving it a rank silently deactivates the active holder of that rank."""
        return await self._write("POST", "/patients/{id}/policies", wire.Policy, body, id=patient_id)

    async def replace_policy(self, patient_id: int, policy_id: int, body: JsonBody) -> wire.Policy:
        """PUT: `body` is the WHOLE policy, best made from `Policy.raw`; what it omits is lost."""
        template = "/patients/{id}/policies/{policy_id}"
        return await self._write("PUT", template, wire.Policy, body, id=patient_id, policy_id=policy_id)

    # Insurers and plans

    def insurance_companies(self) -> AsyncIterator[wire.DecodedRow[wire.InsuranceCompany]]:
        """The practice's carriers; match in memory, since how exactly the API's name filter matches is not known."""
        return self._list("/insurance_companies/", wire.InsuranceCompany, {"practice": self.practice_id})

    async def get_insurance_company(self, company_id: int) -> wire.InsuranceCompany:
        """One carrier; raises NotFound or Gone."""
        return await self._get("/insurance_companies/{id}/", wire.InsuranceCompany, id=company_id)

    async def create_insurance_company(self, body: JsonBody) -> wire.InsuranceCompany:
        """Twice the same makes two: Elation does not look for duplicates here."""
        return await self._write("POST", "/insurance_companies/", wire.InsuranceCompany, body)

    async def update_insurance_company(self, company_id: int, changes: JsonBody) -> wire.InsuranceCompany:
        """PATCH of a carrier."""
        return await self._write("PATCH", "/insurance_companies/{id}/", wire.InsuranceCompany, changes, id=company_id)

    def insurance_plans(self, insurance_company: int | None = None) -> AsyncIterator[wire.DecodedRow[wire.InsurancePlan]]:
        """The practice's plans, or those of one carrier."""
        query: dict[str, Filter] = {"practice": self.practice_id, "insurance_company": insurance_company}
        return self._list("/insurance_plans/", wire.InsurancePlan, query)

    async def create_insurance_plan(self, body: JsonBody) -> wire.InsurancePlan:
        """Twice the same makes two, as with carriers."""
        return await self._write("POST", "/insurance_plans/", wire.InsurancePlan, body)

    # Appointments

    async def appointments(
        self,
        from_date: date | datetime | None = None,
        to_date: date | datetime | None = None,
        patient: int | None = None,
        physician: int | None = None,
    ) -> AsyncIterator[wire.DecodedRow[wire.Appointment]]:
        """Appointments scheduled between the two, both included; open slots and events of the calendar are left out."""
        query: dict[str, Filter] = {
            "practice": self.practice_id,
            "time_slot_type": "appointment",
            "from_date": from_date,
            "to_date": to_date,
            "patient": patient,
            "physician": physician,
        }
        async for row in self._list("/appointments/", wire.Appointment, query):
            # Not every deployment need honour the filter, and a slot taken for an appointment would be written to Kareo.
            if isinstance(row, wire.BadRow) or row.time_slot_type in {"", "appointment"}:
                yield row

    async def get_appointment(self, appointment_id: int) -> wire.Appointment:
        """One appointment; raises NotFound or Gone."""
        return await self._get("/appointments/{id}/", wire.Appointment, id=appointment_id)

    async def create_appointment(self, body: JsonBody) -> wire.Appointment:
        """After a lost answer look by patient and day for `metadata.object_id`: Elation takes the same one twice."""
        return await self._write("POST", "/appointments/", wire.Appointment, body)

    async def update_appointment(self, appointment_id: int, body: JsonBody) -> wire.Appointment:
        """PATCH; send the full set of fields that an update takes, `service_location` as its id."""
        return await self._write("PATCH", "/appointments/{id}/", wire.Appointment, body, id=appointment_id)

    async def delete_appointment(self, appointment_id: int) -> None:
        """Soft deletion, for what Kareo deleted; cancelling is an update. Raises NotFound or Gone when done before."""
        await self._send("DELETE", "/appointments/{id}/", None, id=appointment_id)

    # Bills and the notes that lead to them

    async def bills(
        self,
        *,
        patient: int | None = None,
        visit_note_id: Collection[int] | None = None,
        bill_id: Collection[int] | None = None,
        from_service_date: date | None = None,
    ) -> AsyncIterator[wire.DecodedRow[wire.Bill]]:
        """The practice's bills; given ids are asked for in portions, and an empty collection of ids finds nothing."""
        for notes, ids in product(_portions(visit_note_id), _portions(bill_id)):
            query: dict[str, Filter] = {
                "practice": self.practice_id,
                "patient": patient,
                "visit_note_id": notes,
                "bill_id": ids,
                "from_service_date": from_service_date,
            }
            async for row in self._list("/bills/", wire.Bill, query):
                yield row

    async def get_bill(self, bill_id: int) -> wire.Bill:
        """One bill in its read form."""
        return await self._get("/bills/{id}/", wire.Bill, id=bill_id)

    async def update_bill(self, bill_id: int, body: JsonBody) -> None:
        """PATCH of the outcome, processed or failed, never both. The answer is the write form: GET the bill to see it."""
        await self._send("PATCH", "/bills/{id}/", body, id=bill_id)

    async def release_bill(self, bill_id: int) -> None:
        """A deferred bill leaves Billing Home, as by "Send to PMS"."""
        await self._send("PATCH", "/bills/{id}/actions/release-to-pms/", None, id=bill_id)

    def visit_notes_modified_since(self, moment: datetime) -> AsyncIterator[wire.DecodedRow[wire.VisitNote]]:
        """Notes modified at `moment` (aware) or later, without their clinical text."""
        query: dict[str, Filter] = {"practice": self.practice_id, "last_modified__gte": _whole_second(moment)}
        return self._list("/visit_notes/", wire.VisitNote, query)

    # Directory

    async def physicians(self) -> AsyncIterator[wire.DecodedRow[wire.Physician]]:
        """The practice's physicians, inactive ones too."""
        async for row in self._list("/physicians/", wire.Physician, {}):
            if row.practice in self._ours(row):
                yield row

    async def practices(self) -> AsyncIterator[wire.DecodedRow[wire.Practice]]:
        """The client's own practice, if the credential sees it; the others that it sees are left out."""
        async for row in self._list("/practices/", wire.Practice, {}):
            if row.id == self.practice_id or row.id is None:
                yield row

    async def get_practice(self) -> wire.Practice:
        """The client's own practice."""
        return await self._get("/practices/{id}/", wire.Practice, id=self.practice_id)

    async def service_locations(self) -> AsyncIterator[wire.DecodedRow[wire.ServiceLocation]]:
        """The practice's places, inactive and deleted ones too."""
        async for row in self._list("/service_locations/", wire.ServiceLocation, {}):
            if row.practice in self._ours(row):
                yield row

    def subscriptions(self) -> AsyncIterator[wire.DecodedRow[wire.Subscription]]:
        """The credential's subscriptions with their keys."""
        return self._list("/app/subscriptions/", wire.Subscription, {})

    async def create_subscription(self, resource: str, target: str) -> wire.Subscription:
        """Raises Duplicate when the same resource already goes to the same target."""
        return await self._write("POST", "/app/subscriptions/", wire.Subscription, {"resource": resource, "target": target})

    def published_events(self, order_by: str | None = None) -> AsyncIterator[wire.DecodedRow[wire.PublishedEvent]]:
        """The last 30 days' events, of all practices. Nothing can be filtered; what `order_by` takes is not documented."""
        return self._list("/app/published_events/", wire.PublishedEvent, {"order_by": order_by})

    # How

    async def _get(self, template: str, kind: type[W], **ids: int) -> W:
        url = self._transport.url(_path(template, ids))
        return await self._transport.call("GET", template, url, partial(wire.decode, kind))

    async def _write(self, method: str, template: str, kind: type[W], body: JsonBody, **ids: int) -> W:
        url = self._transport.url(_path(template, ids))
        return await self._transport.call(method, template, url, partial(wire.decode, kind), body)

    async def _send(self, method: str, template: str, body: JsonBody | None, **ids: int) -> None:
        await self._transport.call(method, template, self._transport.url(_path(template, ids)), discard, body)

    def _list(
        self, template: str, kind: type[W], filters: Mapping[str, Filter], *, paged: bool = True, **ids: int
    ) -> AsyncIterator[W | wire.BadRow]:
        query = {name: _text(value) for name, value in filters.items() if value is not None}
        return self._transport.rows(template, _path(template, ids), kind, query, paged=paged)

    def _ours(self, row: object) -> tuple[int | None, ...]:
        # A row too bad to say whose it is must be seen rather than lost.
        return (self.practice_id, None) if isinstance(row, wire.BadRow) else (self.practice_id,)


def _path(template: str, ids: Mapping[str, int]) -> str:
    return template.format_map({name: int(value) for name, value in ids.items()})


def _portions(ids: Collection[int] | None) -> Iterator[list[int] | None]:
    if ids is None:
        yield None
        return
    numbers = sorted(set(ids))
    for start in range(0, len(numbers), IDS_PER_CALL):
        yield numbers[start : start + IDS_PER_CALL]


def _whole_second(moment: datetime) -> datetime:
    # Elation keeps whole seconds mostly: rounding down can only find more.
    return moment.replace(microsecond=0)


def _text(value: str | int | date | datetime | Collection[int]) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return ",".join(str(number) for number in value)
