"""The page that moves a link to the survivor of a merge: who is offered, what moving would write, who may, and what is recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from daemon.console.handles import Handles
from daemon.demo.embedded import EmbeddedPostgres
from events.ids import BillingPatientId, billing_key
from tests.conftest import PRACTICE
from tests.integration.place import Make, recording
from tests.integration.test_duplicates import vanished
from tests.integration.visiting import ADA, Site, log_of, site

SURVIVOR = billing_key(BillingPatientId(902))
OTHER = billing_key(BillingPatientId(903))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    async with recording(postgres, tmp_path_factory, "moving") as (desk, name, folder):
        await vanished(desk)
    return name, folder, 0


@pytest_asyncio.fixture
async def opened(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> AsyncIterator[Site]:
    made = place(postgres.dsn(recorded[0], "chartwire"))
    async with site(made.config) as found:
        yield found


def path(handles: Handles) -> str:
    return f"/p/elm/patient/{handles.of(PRACTICE, ADA)}/move"


@pytest.mark.parametrize(("role", "mine"), [("front-desk", True), ("operator", True), ("biller", False), ("auditor", False)])
async def test_the_likely_survivor_is_shown_with_what_moving_would_write(opened: Site, role: str, mine: bool) -> None:
    browser = await opened.of(role)
    page = await browser.get(path(opened.console.handles))
    assert page.status == 200
    assert "Moving it would lead to 1 write" in page.text
    assert "Macon" in page.text
    assert ('value="move-link"' in page.text) is mine
    assert 'name="target" value="902"' in page.text or not mine
    assert {one.patient_key for one in (await log_of(opened)) if one.what == "move a link: asked about"} == {ADA, SURVIVOR}


async def test_another_patient_can_be_named_and_one_who_differs_says_so(opened: Site) -> None:
    browser = await opened.of("front-desk")
    address = path(opened.console.handles)
    page = await browser.post(address, {"to": "903"})
    assert 'name="target" value="903"' in page.text
    assert "Yes, though they differ: move the link" in page.text
    assert OTHER in {one.patient_key for one in await log_of(opened)}
    nobody = await browser.post(address, {"to": "999"})
    assert (nobody.status, 'value="move-link"' in nobody.text) == (200, False)
    assert (await browser.post(address, {"to": "x"})).status == 400


async def test_the_link_of_a_patient_who_is_there_is_not_offered_to_move(opened: Site) -> None:
    browser = await opened.of("front-desk")
    page = await browser.get(f"/p/elm/patient/{opened.console.handles.of(PRACTICE, SURVIVOR)}/move")
    assert (page.status, "is not linked, or is still in Kareo" in page.text) == (404, True)


async def test_the_pages_of_the_patient_and_of_duplicates_lead_there(opened: Site) -> None:
    browser = await opened.of("front-desk")
    address = path(opened.console.handles)
    for page in (address.removesuffix("/move"), "/p/elm/duplicates", "/p/elm/work"):
        assert f'href="{address}"' in (await browser.get(page)).text, page
    fields = {"deed": "move-link", "once": "x" * 22, "source": "901", "target": "902", "ehr": "101"}
    away = await browser.post("/p/elm/deed", fields)
    assert away.status == 503, "Kafka is away: it can be asked for again"
    assert (await browser.post("/p/elm/deed", {**fields, "target": ""})).status == 400
