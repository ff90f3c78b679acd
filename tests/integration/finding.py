"""What tests of finding people do and ask, at a recorder."""

from __future__ import annotations

from msgspec.structs import replace

from daemon.tables import documents
from events.codec import Keyring
from events.ids import BillingPatientId, EhrChartId, PatientKey, charts_of
from events.records import type_of
from events.schema import Body, IntentAttempted, IntentSucceeded, Origin
from events.store import Store
from events.writes import AnyResult, Searched
from projections.state.open_intents import OpenIntent
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver, billing, opened
from tests.unit.records import ADA, ADA_THERE


async def answer(desk: RecorderDriver, key: str, result: AnyResult) -> None:
    """What was asked for in the slot of the chart is attempted and done."""
    open_ = (await desk.patient(PatientKey(key))).intents["chart"]
    await attempt(desk, key)
    done = IntentSucceeded(intent=open_.intent, slot="chart", attempt=1, result=result)
    await record(desk, key, done, open_)


async def attempt(desk: RecorderDriver, key: str) -> None:
    open_ = (await desk.patient(PatientKey(key))).intents["chart"]
    body = IntentAttempted(intent=open_.intent, slot="chart", attempt=1, epoch=desk.recorder.epoch)
    await record(desk, key, body, open_)


async def record(desk: RecorderDriver, key: str, body: Body, open_: OpenIntent) -> None:
    charts = charts_of(PatientKey(key))
    parts = (open_.intent, type_of(body))
    await desk.recorder.record_bodies([body], ehr=charts.ehr, billing=charts.billing, cause=open_.cause, parts=parts)


async def ask(
    desk: RecorderDriver, body: Body, billing: BillingPatientId | None = None, ehr: EhrChartId | None = None
) -> None:
    """A person's request, about a chart."""
    change = desk.change(body)
    assert change.event is not None
    event = replace(change.event, ehr=ehr, billing=billing, origin=Origin.OPERATOR)
    await desk.recorder.record_messages([replace(change, event=event)])


async def links(store: Store) -> set[tuple[int, int]]:
    return set(await documents.links(store.pool, PRACTICE))


async def chart_wait(desk: RecorderDriver, key: str) -> str:
    waiting = (await desk.patient(PatientKey(key))).waiting.get("chart")
    return "" if waiting is None else waiting.code


async def save_as_an_older_worker(store: Store, key: str) -> None:
    """By its own statement, which knows nothing of the column `matched`, of match keys and of counts."""
    head = await store.head(PRACTICE)
    await store.pool.execute("DELETE FROM chartwire.match_key WHERE chart = $1", int(key.partition(":")[2]))
    await store.pool.execute(
        "INSERT INTO chartwire.patient (practice, patient_key, sequence, revisit_on, key_id, doc)"
        " SELECT practice, patient_key, $2, revisit_on, key_id, doc FROM chartwire.patient WHERE patient_key = $1"
        " ON CONFLICT (practice, patient_key) DO UPDATE SET sequence = excluded.sequence,"
        " revisit_on = excluded.revisit_on, key_id = excluded.key_id, doc = excluded.doc",
        key,
        head,
    )


async def unmatched(store: Store) -> set[str]:
    rows = await store.pool.fetch("SELECT patient_key FROM chartwire.patient WHERE matched <> sequence")
    return {row["patient_key"] for row in rows}


async def twice(store: Store, keyring: Keyring) -> RecorderDriver:
    """Ada is linked, and was entered again in Kareo with first and last name swapped: a person is asked."""
    desk = await opened(store, keyring)
    await desk.link(ADA, ADA_THERE)
    await desk.see(billing(902, first_name="Byron", last_name="Ada"))
    await answer(desk, "K:902", Searched())
    assert await chart_wait(desk, "K:902") == "candidates"
    return desk
