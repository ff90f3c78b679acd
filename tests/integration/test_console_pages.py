"""The console's pages: nothing is shown without a record, bodies are opened for who may see them, and no address names a patient."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest
from aiohttp import web

from daemon.console.app import ROUTES, make_app
from daemon.console.asked import Ask
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.demo.embedded import free_port
from daemon.tables import access
from events.codec import Keyring
from events.ids import PatientKey
from events.keys import KeyMissing
from projections.words.moment import clock_of_the_trade
from tests.conftest import OTHER, PRACTICE
from tests.integration.scripted import SCRIPT
from tests.integration.visiting import ADA, SCRIPTED, Site, paths
from tests.unit.records import ADA_THERE

pytestmark = pytest.mark.asyncio(loop_scope="module")


# -- records and bodies ---------------------------------------------------------------------------------------------------


async def test_a_view_of_a_patient_is_recorded_before_it_is_answered(visited: Site) -> None:
    browser = await visited.of("auditor")
    handle = visited.console.handles.of(PRACTICE, ADA)
    answer = await browser.get(f"/p/elm/patient/{handle}")
    assert answer.status == 200
    assert ADA_THERE.last_name in answer.text
    (last,) = await access.last(visited.console.store.pool, "elm", most=1)
    assert (last.who, last.what, last.patient_key) == ("auditor", "patient", ADA)
    found = await browser.get(f"/p/elm/audit?patient={handle}")
    assert "auditor" in found.text
    assert str(ADA_THERE.id) in found.text


async def test_a_step_of_the_history_is_shown_as_it_was_known_then(visited: Site) -> None:
    browser = await visited.of("auditor")
    path = f"/p/elm/patient/{visited.console.handles.of(PRACTICE, ADA)}"
    steps = int(re.findall(r'<input type="range" name="step" min="1" max="(\d+)"', (await browser.get(path)).text)[0])
    assert steps > 2
    lengths = []
    for step in (1, 2, steps, steps + 100):
        page = await browser.get(f"{path}?step={step}")
        (last, *_) = await access.last(visited.console.store.pool, "elm", most=1)
        assert last.detail.startswith("as of #")
        assert f"As it was known {last.detail}" in page.text
        assert f'max="{steps}" value="{min(step, steps)}"' in page.text
        lengths.append(page.text.count('<li id="e'))
    assert lengths == [1, 2, steps, steps]
    assert "As it was known as of" not in (await browser.get(f"{path}?step=x")).text


async def test_what_a_patient_is_called_is_shown_and_never_obeyed(visited: Site) -> None:
    browser = await visited.of("operator")
    path = f"/p/elm/patient/{visited.console.handles.of(PRACTICE, SCRIPTED)}"
    found = await browser.post("/p/elm/find", {"id": "902"})
    for answer in (
        found,
        *[await browser.get(one) for one in (path, f"{path}/why/last_name", "/p/elm/work", "/p/elm/links")],
    ):
        assert answer.status == 200
        assert "<script>" not in answer.text
        assert "<img src=x" not in answer.text
        assert "alert(1)&lt;/script&gt;&#39;&#34;&gt;" in answer.text or answer.path.endswith(("/work", "/links"))
    typed = await browser.post("/p/elm/find", {"first": SCRIPT, "last": SCRIPT})
    assert "<script>" not in typed.text


async def test_a_list_records_every_patient_that_it_shows(visited: Site) -> None:
    browser = await visited.of("biller")
    await browser.post("/p/elm/find", {"id": str(ADA_THERE.id)})
    (last,) = await access.of_patient(visited.console.store.pool, "elm", ADA, most=1)
    assert (last.who, last.what) == ("biller", "find")
    many = [PatientKey(f"K:{number}") for number in range(10**14, 10**14 + 60)]
    await access.record_each(visited.console.store.pool, "elm", "biller", "work list", many)
    for key in (many[0], many[-1]):
        assert [one.what for one in await access.of_patient(visited.console.store.pool, "elm", key)] == ["work list"]
    assert await access.broken_at(visited.console.store.pool, "elm") is None


async def test_without_a_record_there_is_no_page(visited: Site, visited_owner: str) -> None:
    browser = await visited.of("front-desk")
    handle = visited.console.handles.of(PRACTICE, ADA)
    connection = await asyncpg.connect(visited_owner)
    revoked = "chartwire_console.record_access(text, text, text, text, text, text)"
    await connection.execute(f"REVOKE EXECUTE ON FUNCTION {revoked} FROM chartwire_console")
    try:
        for path in (f"/p/elm/patient/{handle}", f"/p/elm/patient/{handle}/why/last_name", "/p/elm/links", "/p/elm/bills"):
            answer = await browser.get(path)
            assert answer.status == 500
            assert ADA_THERE.last_name not in answer.text
        answer = await browser.post("/p/elm/find", {"last": ADA_THERE.last_name, "first": ADA_THERE.first_name})
        assert (answer.status, ADA_THERE.last_name in answer.text) == (500, False)
    finally:
        await connection.execute(f"GRANT EXECUTE ON FUNCTION {revoked} TO chartwire_console")
        await connection.close()
    assert (await browser.get(f"/p/elm/patient/{handle}")).status == 200


async def test_a_page_that_forgets_to_record_is_not_answered(visited: Site) -> None:
    async def forgetful(ask: Ask) -> web.StreamResponse:
        return web.Response(text="a patient's name")

    config = visited.console.config.console
    assert config is not None
    port = free_port()
    route = get("/p/{practice}/forgetful", forgetful, Access(May.PATIENTS, recorded=True))
    app = make_app(visited.console, msgspec.structs.replace(config, listen=f"127.0.0.1:{port}"), (*ROUTES, route))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        browser = await Site(visited.console, f"http://127.0.0.1:{port}").of("auditor")
        answer = await browser.get("/p/elm/forgetful")
        assert (answer.status, "name" in answer.text.split("<main")[1]) == (500, False)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("role", ["viewer", "admin"])
async def test_who_sees_no_names_opens_no_body(visited: Site, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    real = Keyring.open_sealed

    def counting(keyring: Keyring, *arguments: Any) -> bytes:
        opened.append(arguments[0])
        return real(keyring, *arguments)

    monkeypatch.setattr(Keyring, "open_sealed", counting)
    browser = await visited.of(role)
    for path in paths(visited, "GET"):
        answer = await browser.get(path)
        text = re.sub(r'value="[0-9a-f]{64}"', "", answer.text)  # a token may hold any digits
        assert ADA_THERE.last_name not in text
        assert str(ADA_THERE.id) not in text
    assert opened == []
    handle = visited.console.handles.of(PRACTICE, ADA)
    await (await visited.of("auditor")).get(f"/p/elm/patient/{handle}")
    assert opened != []


async def test_an_address_names_no_patient(visited: Site) -> None:
    browser = await visited.of("front-desk")
    answer = await browser.post("/p/elm/find", {"id": str(ADA_THERE.id)})
    targets = re.findall(r'(?:href|action)="([^"]+)"', answer.text)
    assert any("/patient/" in one for one in targets)
    assert not any(str(ADA_THERE.id) in one for one in targets)
    handles = visited.console.handles
    handle = handles.of(PRACTICE, ADA)
    assert handles.key(PRACTICE, handle) == ADA
    assert handles.key(OTHER, handle) is None
    assert handles.key(PRACTICE, handle[:-2] + ("AA" if handle[-2:] != "AA" else "BB")) is None
    assert [handles.key(PRACTICE, one) for one in ("", "K:901", "é", "x" * 200)] == [None] * 4
    with pytest.raises(KeyMissing):
        handles.of("nowhere", ADA)  # type: ignore[arg-type]


async def test_with_the_broker_away_a_deed_is_refused_in_a_sentence(visited: Site, visited_owner: str) -> None:
    connection = await asyncpg.connect(visited_owner)
    await connection.execute(
        "INSERT INTO chartwire.report (practice, epoch, doc) VALUES ('elm', 1, '{\"account\": \"elm\"}')"
        " ON CONFLICT (practice) DO UPDATE SET doc = excluded.doc"
    )
    await connection.close()
    browser = await visited.of("operator")
    handle = visited.console.handles.of(PRACTICE, ADA)
    answer = await browser.post("/p/elm/deed", {"deed": "resync", "patient": handle, "once": "x" * 22})
    assert answer.status == 503
    assert "cannot be reached. Nothing was changed" in answer.text
    (last,) = await access.last(visited.console.store.pool, "elm", most=1)
    assert (last.what, last.patient_key) == ("deed: resync", ADA)


async def test_the_overview_says_how_far_behind_each_direction_is(visited: Site, visited_owner: str) -> None:
    """What is wanted and not written: how many, since when, by the system it goes to; and when the last event was recorded."""
    browser = await visited.of("viewer")
    text = (await browser.get("/p/elm")).text
    told = {one: re.findall(rf'>To {one}</th><td class="num count">([^<]*)', text) for one in ("Elation", "Kareo")}
    owner = await asyncpg.connect(visited_owner)
    try:
        rows = await owner.fetch(
            "SELECT system, count(*) AS count FROM chartwire.open_intent WHERE practice = 'elm' AND state <> 'refused' GROUP BY system"
        )
        last = await owner.fetchval("SELECT max(recorded_at) FROM chartwire.event WHERE practice = 'elm'")
    finally:
        await owner.close()
    counts = {row["system"]: row["count"] for row in rows}
    assert sum(counts.values()) > 0
    for label, system in (("Elation", "elation"), ("Kareo", "kareo")):
        count = counts.get(system, 0)
        assert told[label] == [f"{count} write{'s' if count > 1 else ''}" if count else "nothing"]
    assert f"the last at {clock_of_the_trade(last, ZoneInfo('America/Denver'))}" in text
