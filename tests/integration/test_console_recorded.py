"""The access log names whom a page showed and whom a deed was about: not whom a form, or an address of before, claims."""

from __future__ import annotations

import re

import asyncpg
import pytest

from daemon.console.rules import path_of
from daemon.operator.find import keys_of
from daemon.tables import access
from events.commands import HoldRequested
from events.ids import PatientKey, charts_of
from events.store import Store
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver, ask
from tests.integration.scripted import BILL, CHART, THERE
from tests.integration.test_console_security import routed, stated
from tests.integration.visiting import ADA, SCRIPTED, Browser, Site, filled, log_of, waits

pytestmark = pytest.mark.asyncio(loop_scope="module")

HANDLE = re.compile(r"/p/elm/patient/([\w-]+)")
OF_THE_LOG = {"/p/{practice}/audit"}
"""It shows who was looked at, and nothing of them."""


async def since(at: Site, head: int) -> list[access.AccessRecord]:
    return [one for one in await access.last(at.console.store.pool, "elm", most=200) if one.sequence > head]


async def head_of(at: Site) -> int:
    found = await access.last(at.console.store.pool, "elm", most=1)
    return found[0].sequence if found else 0


@pytest.mark.parametrize("role", ["front-desk", "biller", "operator", "auditor"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_patient_whom_a_page_names_is_recorded_as_seen(
    visited: Site, visited_owner: str, role: str, method: str
) -> None:
    browser = await visited.of(role)
    named: set[str] = set()
    rows = [("elm", SCRIPTED, f"bill:{BILL.id}", "bill-error"), ("elm", ADA, "field:last_name", "incomplete")]
    async with waits(visited_owner, rows):
        for one in routed(visited):
            if (
                one.method == "GET"
                and role in stated(one)
                and "{practice}" in path_of(one)
                and path_of(one) not in OF_THE_LOG
            ):
                path = filled(visited, path_of(one), patient=SCRIPTED)
                page, head = await browser.get(path), await head_of(visited)
                shown = {visited.console.handles.key(PRACTICE, handle) for handle in HANDLE.findall(page.text)}
                await browser.call(method, path)
                seen = {PatientKey(each.patient_key) for each in await since(visited, head) if each.who == role}
                keys = {key for each in seen if each for key in await keys_of(visited.console.store, PRACTICE, each)}
                assert {each for each in shown if each} <= keys, path
                named |= {path_of(one)} if shown else set()
    assert {"/p/{practice}/work", "/p/{practice}/bills", "/p/{practice}/patient/{patient}/why/{field}"} <= named


async def deed(browser: Browser, **fields: str) -> int:
    return (await browser.post("/p/elm/deed", {"once": "x" * 22, "reason": "so", **fields})).status


async def test_a_deed_is_recorded_of_whom_it_is_about(visited: Site, visited_owner: str) -> None:
    """A form that names somebody else beside, or nobody, changes nothing of it. No broker is there: what is allowed is recorded before."""
    owner = await asyncpg.connect(visited_owner)
    row = ("elm", "elation", "bills", str(BILL.id), "x", 1, str(CHART.id))
    await owner.execute("INSERT INTO chartwire.observed VALUES ($1, $2, $3, $4, $5, $6, $7)", *row)
    await owner.close()
    browser = await visited.of("operator")
    ada, ehr, there = visited.console.handles.of(PRACTICE, ADA), PatientKey(f"E:{CHART.id}"), PatientKey(f"K:{THERE}")
    for fields, about in (
        ({"deed": "resend", "bill": str(BILL.id), "patient": ada}, {ehr}),
        ({"deed": "resend", "bill": str(BILL.id)}, {ehr}),
        ({"deed": "release-bill", "bill": str(BILL.id), "patient": ada}, {ehr}),
        ({"deed": "link", "ehr": str(CHART.id), "billing": str(THERE), "patient": ada}, {ehr, there}),
        (
            {"deed": "move-link", "ehr": str(CHART.id), "source": "7", "target": str(THERE), "patient": ada},
            {ehr, there, "K:7"},
        ),
        ({"deed": "apart", "system": "kareo", "one": "7", "other": str(THERE), "patient": ada}, {"K:7", there}),
        ({"deed": "release", "slot": f"hold:all:both:K:{THERE}", "patient": ada}, {there}),
        ({"deed": "resync", "patient": ada}, {ADA}),
        ({"deed": "observe", "patient": ada}, {""}),
    ):
        head = await head_of(visited)
        assert await deed(browser, **fields) == 503, fields
        assert {one.patient_key for one in await since(visited, head)} == about, fields
        assert {one.what for one in await since(visited, head)} == {f"deed: {fields['deed']}"}


async def test_a_slot_that_was_made_up_makes_no_record_that_cannot_be_shown(visited: Site) -> None:
    browser, auditor = await visited.of("operator"), await visited.of("auditor")
    for patient in ("K:evil", "K:", "E:1.5", "x", "K:\u0663"):
        await deed(browser, deed="release", slot=f"hold:all:both:{patient}")
    assert (await auditor.get("/p/elm/audit")).status == 200


async def test_who_looked_is_found_by_whichever_chart_led_there(visited: Site) -> None:
    """The chart's own address of before the link leads to the whole patient: that is no way past the log."""
    browser, auditor = await visited.of("biller"), await visited.of("auditor")
    old, new = PatientKey(f"E:{CHART.id}"), SCRIPTED
    page = await browser.get(filled(visited, "/p/{practice}/patient/{patient}", patient=old))
    assert (page.status, "K" in page.text) == (200, True)
    (last,) = [one for one in await log_of(visited) if one.who == "biller" and one.what == "patient"][:1]
    assert last.patient_key == old
    trail = await auditor.get(f"/p/elm/audit?patient={visited.console.handles.of(PRACTICE, new)}")
    assert f">{last.sequence}<" in trail.text
    await auditor.get("/p/elm/audit/search")
    for name, number in (("billing", THERE), ("ehr", CHART.id)):
        found = await auditor.post("/p/elm/audit/search", {name: str(number), "who": "biller"})
        assert "biller" in found.text.partition("Who looked")[2], name


async def test_settings_that_name_a_held_patient_record_it(visited: Site) -> None:
    keyring = visited.console.store.keyring
    store = await Store.open(visited.console.config.postgres.dsn, keyring)
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    assert await ask(desk, HoldRequested(who="ann", reason="her lawyer calls"), charts_of(ADA)) == ""
    await store.close()
    for role, seen in (("biller", True), ("viewer", False)):
        browser, head = await visited.of(role), await head_of(visited)
        page = await browser.get("/p/elm/settings")
        assert ("her lawyer calls" in page.text) is seen
        seen_of = {(one.who, one.what): one.patient_key for one in await since(visited, head) if one.patient_key == ADA}
        assert seen_of == ({(role, "settings"): ADA} if seen else {})
