"""Writes to Elation whose answers get lost, before and after they were carried out: settled, never doubled, never lost."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial

import aiohttp
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.sandbox.elation import ElationSandbox
from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.writer import ElationWriter
from daemon.vendors.ports.errors import ChangedMeanwhile, OutcomeUnknown
from events.ids import BillingPatientId, EhrChartId
from events.terms import AppointmentTerms, PolicyTerms
from events.writes import (
    AnyWrite,
    BillWritten,
    CancelEhrAppointment,
    CreateCarrier,
    CreateEhrAppointment,
    CreateEhrChart,
    DeleteEhrAppointment,
    EhrChartWritten,
    MarkBillError,
    RecordCreated,
    ReleaseBill,
    Searched,
    SyncPolicies,
    UpdateCarrier,
    UpdateEhrAppointment,
    UpdateEhrChart,
)
from projections.state.patient import bill_content

NOON = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
KINDS = ("chart", "update", "carrier", "carrier update", "appointment", "move", "cancel", "delete")


class Elation:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.sandbox = ElationSandbox(now=lambda: NOON)
        self.elm = int(self.sandbox.add_practice(name="Elm", time_zone="America/Denver")["id"])
        self.sandbox.add_credential("id", "hush", practices=[self.elm])
        self.doctor = int(self.sandbox.add_physician(self.elm, first_name="Ruth", last_name="Okafor", npi="1")["id"])
        self.client: ElationClient
        self.writer: ElationWriter

    def ada(self, **fields: object) -> EhrChartId:
        chart = self.sandbox.people.create_patient(self.elm, "Ada", "Byrne", "Female", "1980-02-29", self.doctor, **fields)
        return EhrChartId(int(chart["id"]))

    def visit(self, chart: int) -> int:
        return int(self.sandbox.people.create_appointment(chart, self.doctor, NOON, 15, reason="Office")["id"])

    def blue(self, **fields: object) -> int:
        """A carrier of Kareo's company 40."""
        fields = {"external_vendor_id": "40", "phone": "3035550100", "aliases": "BC", **fields}
        return int(self.sandbox.people.create_insurance_company(self.elm, "Blue", **fields)["id"])

    def moved(self, carrier: int) -> UpdateCarrier:
        fields = {"name": "Blue West", "address1": "12 Harbor Row", "address2": "", "phone": "3035550199"}
        return UpdateCarrier(carrier=carrier, company_id="40", plan_id="50", fields=fields, agreed=fields)

    def prepared(self, kind: str) -> tuple[AnyWrite, tuple[str, str]]:
        """A write, and the (method, template) that carries it out."""
        if kind == "chart":
            names = {"first_name": "Ada", "last_name": "Byrne", "birth_date": "1980-02-29", "sex": "Female"}
            write = CreateEhrChart(
                billing=BillingPatientId(9), fields=names, physician=self.doctor, link_hint="kareo-patient:9"
            )
            return write, ("POST", "/patients/")
        if kind == "carrier":
            return CreateCarrier(company_id="40", name="Blue"), ("POST", "/insurance_companies/")
        if kind == "carrier update":
            return self.moved(self.blue()), ("PATCH", "/insurance_companies/{id}/")
        chart = self.ada()
        terms = AppointmentTerms(start=NOON, minutes=20, physician=self.doctor, description="cough")
        if kind == "update":
            return UpdateEhrChart(chart=chart, fields={"middle_name": "King"}), ("PATCH", "/patients/{id}/")
        if kind == "appointment":
            return CreateEhrAppointment(chart=chart, terms=terms, link_hint="kareo-appointment:7"), (
                "POST",
                "/appointments/",
            )
        visit = self.visit(chart)
        if kind == "move":
            return UpdateEhrAppointment(chart=chart, appointment=visit, terms=terms), ("PATCH", "/appointments/{id}/")
        if kind == "cancel":
            return CancelEhrAppointment(appointment=visit), ("PATCH", "/appointments/{id}/")
        return DeleteEhrAppointment(appointment=visit), ("DELETE", "/appointments/{id}/")

    def done(self, kind: str) -> int:
        """How often the write has been done, as Elation sees it."""
        tables = self.sandbox
        match kind:
            case "chart":
                return len(tables.patients)
            case "update":
                return sum(one["middle_name"] == "King" for one in tables.patients.values())
            case "carrier update":
                return sum(one["address"] == "12 Harbor Row" for one in tables.insurance_companies.values())
            case "carrier":
                return len(tables.insurance_companies)
            case "move":
                return sum(one["duration"] == 20 for one in tables.appointments.values())
            case "cancel":
                return sum((one["status"] or {}).get("status") == "Cancelled" for one in tables.appointments.values())
            case "delete":
                return sum(one["deleted_date"] is not None for one in tables.appointments.values())
        return len(tables.appointments)


@pytest_asyncio.fixture
async def ehr() -> AsyncIterator[Elation]:
    async with aiohttp.ClientSession() as session:
        ehr = Elation(session)
        await ehr.sandbox.start()
        ehr.client = ElationClient(
            base_url=ehr.sandbox.url, client_id="id", client_secret="hush", session=session, practice_id=ehr.elm
        )
        ehr.writer = ElationWriter(ehr.client, zone="America/Denver", now=lambda: NOON)
        yield ehr
        await ehr.sandbox.stop()


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        (kind, lost)
        for kind in KINDS
        for lost in ("cut_before", "cut_after", "half", "status")
        if (kind, lost) != ("delete", "half")  # its status alone is the answer, so how much came is up to the network
    ],
)
async def test_a_lost_answer_is_settled_and_the_write_is_done_once(ehr: Elation, kind: str, lost: str) -> None:
    """Looked for first, as the sink does; what repeats safely (convergent, or refused as a duplicate) may be repeated."""
    write, (method, path) = ehr.prepared(kind)
    ehr.sandbox.faults.add(match=(method, path.replace("{id}", r"\{id\}")), kind=lost)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        await ehr.writer.write(lambda: write)
    assert ehr.done(kind) == (lost in ("cut_after", "half"))
    if await ehr.writer.look_up(write) is None:
        result = await ehr.writer.write(lambda: write)
        assert not isinstance(result, Searched), "our own chart is recognized by its link"
    assert ehr.done(kind) == 1


async def test_an_appointment_is_found_on_another_day_and_told_as_it_stands(ehr: Elation) -> None:
    """After a restore: it was made in the lost time, and has been moved in Kareo since."""
    write, _ = ehr.prepared("appointment")
    assert isinstance(write, CreateEhrAppointment)
    made = await ehr.writer.write(lambda: write)
    assert isinstance(made, RecordCreated)
    assert await ehr.writer.look_up(write) == RecordCreated(id=made.id), "as asked for"
    moved = replace(write, terms=replace(write.terms, start=NOON + timedelta(days=9)))
    assert await ehr.writer.look_up(moved) == RecordCreated(id=made.id, found=write.terms)


async def test_somebody_elses_chart_is_no_creation_of_ours(ehr: Elation) -> None:
    existing = ehr.ada()
    write, _ = ehr.prepared("chart")
    result = await ehr.writer.write(lambda: write)
    assert isinstance(result, Searched)
    assert (result.refused, [one.id for one in result.candidates]) == (True, [existing])


async def test_an_edit_made_there_meanwhile_is_not_overwritten(ehr: Elation) -> None:
    chart = ehr.ada(middle_name="Maria")
    with pytest.raises(ChangedMeanwhile) as caught:
        await ehr.writer.write(
            lambda: UpdateEhrChart(chart=chart, fields={"middle_name": "King"}, expected={"middle_name": ""})
        )
    assert caught.value.seen.chart.middle_name == "Maria"
    assert ehr.done("update") == 0


@pytest.mark.parametrize("clears", [True, False])
async def test_a_deferred_bill_is_released_once_and_not_if_somebody_was_faster(ehr: Elation, clears: bool) -> None:
    switches = dataclasses.replace(ehr.sandbox.switches, release_clears_deferred=clears)
    ehr.sandbox.switches = ehr.sandbox.state.switches = switches
    chart, lines, released = ehr.ada(), [{"cpt": "99213", "dxs": ["I10"]}], ("PATCH", "/bills/{id}/actions/release-to-pms/")
    for deferred in (True, False):
        signed = ehr.sandbox.people.sign_note(chart, ehr.doctor, None, NOON.date(), lines, deferred=deferred)
        write = ReleaseBill(bill=int(signed["bill"]["id"]))
        before = len(ehr.sandbox.calls)
        result = await ehr.writer.write(partial(replace, write))
        assert isinstance(result, BillWritten)
        assert result.bill.deferred is (deferred and not clears)
        calls = [(one.method, one.path) for one in ehr.sandbox.calls[before:]]
        assert calls.count(released) == deferred


async def test_no_bill_error_is_put_on_a_bill_that_was_corrected_meanwhile(ehr: Elation) -> None:
    signed = ehr.sandbox.people.sign_note(ehr.ada(), ehr.doctor, None, NOON.date(), [{"cpt": "99213", "dxs": ["R05"]}])
    bill = int(signed["bill"]["id"])
    was = bill_content(translate.bill(await ehr.client.get_bill(bill), "America/Denver"))
    ehr.sandbox.people.resave_bill(bill, cpts=[{"cpt": "99214", "dxs": ["R05"]}])
    error = MarkBillError(bill=bill, text="Line 1 has no charge", content=was)

    with pytest.raises(ChangedMeanwhile) as caught:
        await ehr.writer.write(lambda: error)

    assert [line.cpt for line in caught.value.seen.bill.lines] == ["99214"]
    assert ehr.sandbox.bills[bill]["billing_error"] is None
    written = await ehr.writer.write(lambda: replace(error, content=bill_content(caught.value.seen.bill)))
    assert isinstance(written, BillWritten)
    assert ehr.sandbox.bills[bill]["billing_error"] == "Line 1 has no charge"


async def test_an_update_tells_what_it_sent(ehr: Elation) -> None:
    """Only what is still wanted right before; nothing where the chart shows it already."""
    chart = ehr.ada(middle_name="Maria")
    wanted = [
        {"middle_name": "King", "city": "Macon"},
        {"middle_name": "King"},
        {"middle_name": "King"},
        {"middle_name": "King"},
    ]
    told = [await ehr.writer.write(lambda: UpdateEhrChart(chart=chart, fields=wanted.pop(0))) for _ in range(2)]
    assert [one.sent for one in told if isinstance(one, EhrChartWritten)] == [{"middle_name": "King"}, {}]


async def test_policies_are_brought_to_their_terms_after_a_lost_answer_too(ehr: Elation) -> None:
    chart = ehr.ada()
    carrier = (await ehr.client.create_insurance_company({"carrier": "Blue", "practice": ehr.elm})).id
    plan = (await ehr.client.create_insurance_plan({"name": "Gold", "insurance_company": carrier, "practice": ehr.elm})).id
    terms = PolicyTerms(
        billing_policy=1, rank=1, carrier_id=carrier, carrier_name="Blue", plan_id=plan, plan_name="Gold", member_id="X1"
    )
    write = SyncPolicies(chart=chart, first_name="Ada", last_name="Byrne", birth_date=date(1980, 2, 29), terms=(terms,))
    ehr.sandbox.faults.add(match=("POST", r"/patients/\{id\}/policies"), kind="cut_after")
    with pytest.raises(OutcomeUnknown):
        await ehr.writer.write(lambda: write)
    await ehr.writer.write(lambda: write)
    assert [one["member_id"] for one in ehr.sandbox.policies.values()] == ["X1"]


async def test_a_physician_who_was_assigned_there_meanwhile_is_not_replaced_unseen(ehr: Elation) -> None:
    chart = ehr.ada()
    others = [
        int(ehr.sandbox.add_physician(ehr.elm, first_name="Ann", last_name="Lee", npi=npi)["id"]) for npi in ("2", "3")
    ]
    write = UpdateEhrChart(chart=chart, fields={"provider": "502"}, physician=others[0], replaces=ehr.doctor)
    ehr.sandbox.people.edit_patient(chart, primary_physician=others[1])
    with pytest.raises(ChangedMeanwhile) as caught:
        await ehr.writer.write(lambda: write)
    assert caught.value.seen.chart.physician == others[1]
    ehr.sandbox.people.edit_patient(chart, primary_physician=ehr.doctor)
    written = await ehr.writer.write(lambda: write)
    assert isinstance(written, EhrChartWritten)
    assert written.chart.physician == others[0]


@pytest.mark.parametrize(("status", "kept"), [("Cancelled", "Scheduled"), ("Checked In", "Checked In")])
async def test_who_has_come_is_not_scheduled_anew_when_a_cancellation_is_undone(
    ehr: Elation, status: str, kept: str
) -> None:
    """The answer to the first try was lost, or somebody undid it by hand."""
    write, _ = ehr.prepared("move")
    assert isinstance(write, UpdateEhrAppointment)
    ehr.sandbox.people.edit_appointment(write.appointment, status=status)
    await ehr.writer.write(lambda: replace(write, revive=True))
    assert (await ehr.client.get_appointment(write.appointment)).status.status == kept
