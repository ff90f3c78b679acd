"""One record that cannot be had, or be read: no pass stands still for it, it is shown, and shown no longer once it can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import msgspec
import pytest

from daemon.vendors.elation.connector import ElationConnector
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.ports.errors import CredentialsRefused, VendorError
from daemon.vendors.ports.passes import STUBBORN
from events.ids import EhrChartId, EventId, PracticeId
from events.schema import BillingAppointmentObserved, BillingChartVanished, Body, ChangeQuarantined, EhrChartObserved
from events.topics import Change, Message
from events.writes import System
from tests.contract.vendor_case import Recorded
from tests.integration.kareo import NOON, Kareo
from tests.integration.test_elation_writer import NOON as MORNING
from tests.integration.test_elation_writer import Elation, ehr
from tests.integration.test_kareo_connector import Post, billing, patients, post

__all__ = ["billing", "ehr", "post"]

LONG = 10**6


async def passes(work: Callable[[], Awaitable[None]], most: int = STUBBORN) -> int:
    """How often a pass is made until it ends well."""
    for number in range(1, most + 1):
        try:
            await work()
        except VendorError:
            continue
        return number
    raise AssertionError("the pass never ends")


def aside(bodies: Sequence[Body]) -> list[tuple[str, str, str]]:
    return [(one.resource, one.record, one.reason) for one in bodies if isinstance(one, ChangeQuarantined)]


# -- Kareo ------------------------------------------------------------------------------------------------------------------


def never_shown(billing: Kareo, patient: int, kind: str, operation: str = "GetPatient", member: str = "PatientID") -> None:
    billing.faults.add(operation, kind, times=LONG, holding=f"{member}>{patient}<")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "most", "reason"),
    [
        ("refuse", 1, "is not shown"),
        ("garbage", STUBBORN, "has no answer again and again"),
        ("status", STUBBORN, "has no answer again and again"),
    ],
)
async def test_a_patient_that_kareo_does_not_show_keeps_no_other_from_being_read(
    billing: Kareo, post: Post, kind: str, most: int, reason: str
) -> None:
    ids = [billing.ada(first_name=f"P{number}") for number in range(4)]
    never_shown(billing, ids[0], kind)
    with_it = post.connector.sweep_patients
    if most > 1:
        with pytest.raises(VendorError):
            await with_it()
        assert sorted(patients(post.taken())) == ids[1:], "at the first pass already"
    assert await passes(with_it, most) <= most
    bodies = post.taken()
    assert aside(bodies) == [("patients", str(ids[0]), reason)]
    assert "kareo.sweep" in post.marks
    billing.faults.clear()
    await post.connector.sweep_patients()
    assert patients(post.taken()) == [ids[0]], "what is shown again is read: the item goes"
    await post.connector.sweep_patients()
    assert post.taken() == [], "once"


async def test_a_patient_without_an_answer_is_asked_for_by_each_poll_until_there_is_one(billing: Kareo, post: Post) -> None:
    """No poll lists it again: nobody saves it."""
    await post.connector.sweep_patients()
    await post.connector.poll_patients()
    ids = [billing.ada(first_name=f"P{number}") for number in range(2)]
    never_shown(billing, ids[0], "status")
    await passes(post.connector.poll_patients)
    assert aside(post.taken()) == [("patients", str(ids[0]), "has no answer again and again")]
    billing.now += timedelta(hours=2)
    for _ in range(STUBBORN + 1):
        await post.connector.poll_patients()
    assert post.taken() == [], "it is known already, and fails no pass"
    billing.faults.clear()
    await post.connector.poll_patients()
    assert patients(post.taken()) == [ids[0]]
    asked = len(billing.asked())
    await post.connector.poll_patients()
    assert billing.asked()[asked:].count("GetPatient") == 0


async def test_what_a_poll_set_aside_is_listed_again_by_the_next_for_a_day(billing: Kareo, post: Post) -> None:
    """It was garbled on its way, or not shown for a moment, and nobody saves it again."""
    await post.connector.sweep_patients()
    await post.connector.poll_patients()
    one, other = billing.ada(first_name="Given"), billing.ada(first_name="Second")
    never_shown(billing, one, "refuse")
    await post.connector.poll_patients()
    assert aside(post.taken()) == [("patients", str(one), "is not shown")]
    billing.now += timedelta(hours=1)
    await post.connector.poll_patients()
    assert post.taken() == [], "nothing else of it is new, and the other has been read"
    billing.faults.clear()
    billing.now += timedelta(hours=1)
    await post.connector.poll_patients()
    assert patients(post.taken()) == [one]
    never_shown(billing, one, "refuse")
    billing.people.edit_patient(one, city="Elsewhere")
    await post.connector.poll_patients()
    billing.faults.add("GetPatients", "status", times=1)
    with pytest.raises(VendorError):
        await post.connector.poll_patients()
    for hours, again in ((20, True), (3, True), (3, False)):
        billing.now += timedelta(hours=hours)
        asked = len(billing.asked())
        await post.connector.poll_patients()
        assert ("GetPatient" in billing.asked()[asked:]) is again
    assert other not in patients(post.taken())


async def test_a_row_that_could_not_be_read_is_listed_again_by_the_next_poll(billing: Kareo, post: Post) -> None:
    await post.connector.sweep_patients()
    await post.connector.poll_patients()
    one = billing.ada()
    with pytest.MonkeyPatch.context() as garbled:
        garbled.setattr(billing.sandbox.patients[one], "provider_id", "nobody")
        await post.connector.poll_patients()
        assert aside(post.taken()) == [("patients", str(one), "does not fit")]
    billing.now += timedelta(hours=1)
    await post.connector.poll_patients()
    assert patients(post.taken()) == [one]


async def test_an_appointment_that_could_not_be_read_is_listed_again_by_the_next_poll(billing: Kareo, post: Post) -> None:
    await post.connector.sweep_appointments()
    await post.connector.poll_appointments()
    visit = billing.people.book_appointment(
        billing.ada(), billing.doctor, billing.place, NOON + timedelta(days=2), 20, "cough"
    ).id
    with pytest.MonkeyPatch.context() as garbled:
        garbled.setattr(billing.sandbox.appointments[visit], "patient_id", None)
        await post.connector.poll_appointments()
        assert aside(post.taken()) == [("appointments", str(visit), "is a patient's appointment without a patient")]
    billing.now += timedelta(hours=1)
    await post.connector.poll_appointments()
    assert [one.appointment.key for one in post.taken() if isinstance(one, BillingAppointmentObserved)] == [str(visit)]


async def test_while_kareo_is_away_nothing_is_set_aside_and_nobody_else_is_asked_for(billing: Kareo, post: Post) -> None:
    for number in range(5):
        billing.ada(first_name=f"P{number}")
    billing.faults.add("GetPatient", "status", times=LONG)
    for _ in range(STUBBORN + 2):
        with pytest.raises(VendorError):
            await post.connector.sweep_patients()
    assert post.taken() == []
    assert billing.asked().count("GetPatient") == 2 * (STUBBORN + 2)
    billing.faults.clear()
    await post.connector.sweep_patients()
    assert len(patients(post.taken())) == 5


async def test_a_patient_missing_from_the_list_of_whom_nothing_is_told_keeps_no_other_from_being_found_gone(
    billing: Kareo, post: Post
) -> None:
    ids = [billing.ada(first_name=f"P{number}") for number in range(4)]
    await post.connector.sweep_patients()
    post.taken()
    for one in ids[:3]:
        billing.sandbox.patients[one].deleted = True
    never_shown(billing, ids[0], "refuse")
    await post.connector.sweep_patients()
    bodies = post.taken()
    assert [int(one.patient) for one in bodies if isinstance(one, BillingChartVanished)] == ids[1:3]
    assert aside(bodies) == [("patients", str(ids[0]), "is not shown")]


async def test_an_appointment_that_cannot_be_had_keeps_no_other_from_being_seen(billing: Kareo, post: Post) -> None:
    """Whose provider the list does not tell: it costs a call of its own."""
    ada = billing.ada()
    visits = [
        billing.people.book_appointment(ada, billing.doctor, billing.place, NOON + timedelta(days=day), 20, "cough").id
        for day in (2, 3)
    ]
    post.connector._providers = {}
    never_shown(billing, visits[0], "garbage", "GetAppointment", "AppointmentId")
    assert await passes(post.connector.sweep_appointments) == STUBBORN
    bodies = post.taken()
    assert [one.appointment.id for one in bodies if isinstance(one, BillingAppointmentObserved)] == visits[1:]
    assert aside(bodies) == [("appointments", str(visits[0]), "has no answer again and again")]


# -- Elation ----------------------------------------------------------------------------------------------------------------


class Published(Recorded):
    """An Elation connector, and what it publishes, recorded at once."""

    def __init__(self, ehr: Elation) -> None:
        super().__init__(System.EHR)
        self.ids: set[EventId] = set()
        self.connector = ElationConnector(
            ehr.client,
            self.intake,
            ElationConfig(
                base_url=ehr.sandbox.url, client_id="id", client_secret_file="x", practice_id=ehr.elm, webhooks=False
            ),
            zone="America/Denver",
            webhook_base="",
            subscriptions=None,  # type: ignore[arg-type] - not subscribed
            known_charts=self._charts,
            known_policies=self._none,
            watermark=self.watermark,
            patience=0.05,
            now=lambda: MORNING,
        )

    async def _publish(self, practice: PracticeId, messages: Sequence[Message]) -> None:
        """An event of an id that is known is none, as in the store."""
        for message in messages:
            event = message.event if isinstance(message, Change) else None
            if isinstance(message, Change) and event is not None and event.id in self.ids:
                message = msgspec.structs.replace(message, event=None)
            elif event is not None:
                self.ids.add(event.id)
            await super()._publish(practice, [message])

    async def _charts(self) -> list[str]:
        return [record for record, parent in await self.known("patients") if parent]

    async def _none(self) -> set[str]:
        return set()


def charts(bodies: Sequence[Body]) -> list[int]:
    return [int(one.chart.id) for one in bodies if isinstance(one, EhrChartObserved)]


async def merged(ehr: Elation) -> tuple[Published, list[EhrChartId]]:
    """Three charts that were read; the first two were merged into the third, and no list has them any more."""
    ids = [ehr.ada(), ehr.ada(), ehr.ada()]
    published = Published(ehr)
    await published.connector.sweep()
    assert charts(published.taken()) == [int(one) for one in ids]
    for one in ids[:2]:
        ehr.sandbox.patients[int(one)] |= {"merged_into_chart": int(ids[2]), "deleted_date": "2026-03-02T17:00:00Z"}
    return published, ids


async def test_a_chart_that_cannot_be_read_does_not_end_the_sweep(ehr: Elation) -> None:
    published, ids = await merged(ehr)
    marks = dict(published.marks)
    published.marks.clear()
    ehr.sandbox.patients[int(ids[0])]["dob"] = "9999-12-31"
    await published.connector.sweep()
    bodies = published.taken()
    assert aside(bodies) == [("patients", str(ids[0]), "does not fit")]
    assert charts(bodies) == [int(ids[1])], "the other one that was merged"
    assert published.marks.keys() == marks.keys()
    ehr.sandbox.patients[int(ids[0])]["dob"] = "1980-02-29"
    await published.connector.sweep()
    assert charts(published.taken()) == [int(ids[0])]


@pytest.mark.parametrize(("status", "most"), [(400, 1), (403, STUBBORN), (500, STUBBORN)])
async def test_a_chart_that_elation_does_not_show_does_not_end_the_sweep(ehr: Elation, status: int, most: int) -> None:
    published, _ = await merged(ehr)

    async def sweep() -> None:
        ehr.sandbox.faults.planned.clear()
        ehr.sandbox.faults.add(match=("GET", r"/patients/\{id\}/"), kind="status", status=status)
        await published.connector.sweep()

    assert await passes(sweep, most) == most
    bodies = published.taken()
    assert len(aside(bodies)) == 1
    assert charts(bodies), "the other one that was merged"


async def test_credentials_that_are_refused_are_nobodys_record(ehr: Elation) -> None:
    published, _ = await merged(ehr)
    for _ in range(STUBBORN + 1):
        ehr.sandbox.faults.planned.clear()
        ehr.sandbox.faults.add(match=("*", r".*"), kind="status", status=401, times=None)
        with pytest.raises(VendorError) as caught:
            await published.connector.sweep()
        assert not isinstance(caught.value, CredentialsRefused) or published.taken() == []
    assert aside(published.taken()) == []


async def test_a_row_that_is_again_what_it_was_is_told_once_more(ehr: Elation) -> None:
    """A list shows a chart in a form that cannot be read, and the next one as it was: nobody has to save it for that."""
    chart = int(ehr.ada())
    published = Published(ehr)
    await published.connector.sweep()
    published.taken()
    for _ in range(2):
        row = ehr.sandbox.patients[chart]
        row["dob"] = "9999-12-31"
        await published.connector.sweep()
        assert aside(published.taken()) == [("patients", str(chart), "does not fit")]
        row["dob"] = "1980-02-29"
        await published.connector.sweep()
        assert charts(published.taken()) == [chart]
        await published.connector.sweep()
        assert published.taken() == []


async def test_what_was_hinted_at_and_cannot_be_had_keeps_no_other(ehr: Elation) -> None:
    bad, good = ehr.ada(), ehr.ada()
    published = Published(ehr)
    ehr.sandbox.faults.add(match=("GET", r"/patients/\{id\}/"), kind="status", status=500)
    published.connector.nudge(f"patient:{bad}")
    published.connector.nudge(f"patient:{good}")
    working = asyncio.create_task(published.connector.passes.extras())
    while not charts(published.bodies):
        await asyncio.sleep(0.01)
    assert charts(published.taken()) == [int(good)]
    published.connector.passes.hurry()
    while not charts(published.bodies):
        await asyncio.sleep(0.01)
    working.cancel()
    assert charts(published.taken()) == [int(bad)]
