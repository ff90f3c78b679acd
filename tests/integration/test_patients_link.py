"""The page of a patient's link: who an unlinked patient may be, what linking would write, what undoing a link comes to, and who may."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from daemon.console.asked import Ask
from daemon.console.handles import Handles
from daemon.console.pages.deeds import DEEDS
from daemon.demo.embedded import EmbeddedPostgres, free_port
from daemon.operator.deeds import Asks
from events.commands import LinkRequested, UnlinkRequested
from events.ids import BillingPatientId, Charts, EhrChartId, PatientKey, billing_key, ehr_key
from tests.conftest import PRACTICE
from tests.integration.place import Make, recording
from tests.integration.test_duplicates import ask, billing
from tests.integration.visiting import ADA, Site, log_of, site

CHART = ehr_key(EhrChartId(101))
GRACE = billing_key(BillingPatientId(902))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    """Ada was linked, and was unlinked by somebody; Grace is in the billing system alone."""
    async with recording(postgres, tmp_path_factory, "linking") as (desk, name, folder):
        await desk.link()
        await desk.see(billing(902, first_name="Grace"))
        assert await ask(desk, UnlinkRequested(who="ann", ehr=EhrChartId(101)), Charts(ehr=EhrChartId(101))) == ""
    return name, folder, 0


@pytest_asyncio.fixture
async def opened(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> AsyncIterator[Site]:
    made = place(postgres.dsn(recorded[0], "chartwire"))
    async with site(made.config) as found:
        yield found


@pytest_asyncio.fixture
async def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[Asks]:
    """The commands that the deeds of links have made; Kafka is away."""
    made: list[Asks] = []

    def watched(name: str) -> None:
        deed = DEEDS[name]

        async def asks(ask: Ask, key: PatientKey) -> Asks:
            made.append(await deed.asks(ask, key))
            return made[-1]

        monkeypatch.setitem(DEEDS, name, type(deed)(asks, deed.may))  # type: ignore[index]

    watched("link")
    return made


def path(handles: Handles, key: PatientKey = ADA) -> str:
    return f"/p/elm/patient/{handles.of(PRACTICE, key)}"


async def test_an_unlinked_patient_waits_and_every_page_leads_to_the_page_of_the_link(opened: Site) -> None:
    browser = await opened.of("front-desk")
    own = path(opened.console.handles)
    for page in ("/p/elm/work", own):
        text = (await browser.get(page)).text
        assert f'href="{own}/link"' in text, page
        assert "--as-new" not in text
    assert "Look at the patient" not in (await browser.get(own)).text, "that is where one is"


@pytest.mark.parametrize(("role", "mine"), [("front-desk", True), ("operator", True), ("biller", False), ("auditor", False)])
async def test_the_chart_that_is_named_is_shown_with_what_linking_would_write(opened: Site, role: str, mine: bool) -> None:
    browser = await opened.of(role)
    address = f"{path(opened.console.handles)}/link"
    first = await browser.get(address)
    assert (first.status, 'name="to"' in first.text, 'value="create"' in first.text) == (200, mine, mine)
    page = await browser.post(address, {"to": "101"})
    assert page.status == 200
    assert "Somebody has said that these two are two persons" in page.text
    assert ('value="link"' in page.text) is mine
    assert {one.patient_key for one in await log_of(opened) if one.what == "link: asked about"} == {ADA, CHART}


async def test_who_differs_says_so_and_nobody_is_nobody(opened: Site) -> None:
    browser = await opened.of("front-desk")
    handles = opened.console.handles
    page = await browser.post(f"{path(handles, GRACE)}/link", {"to": "101"})
    assert "One person, though they differ: link" in page.text
    nobody = await browser.post(f"{path(handles)}/link", {"to": "999"})
    assert (nobody.status, 'value="link"' in nobody.text) == (200, False)
    assert (await browser.post(f"{path(handles)}/link", {"to": "x"})).status == 400


@pytest.mark.parametrize("again", [True, False])
async def test_a_pair_that_was_told_apart_is_linked_only_by_a_form_that_said_so(
    opened: Site, asked_for: list[Asks], again: bool
) -> None:
    """The page of the pair says who has told it apart: its form is the only one that goes past that."""
    browser = await opened.of("front-desk")
    page = await browser.post(f"{path(opened.console.handles)}/link", {"to": "101"})
    fields = dict(
        re.findall(r'name="(ehr|billing|seen|differ|again|once)" value="([^"]*)"', page.text.partition('value="link"')[2])
    )
    assert fields["again"] == "seen"
    if not again:
        del fields["again"]
    assert (await browser.post("/p/elm/deed", {"deed": "link", **fields})).status == 503
    ((followed,),) = asked_for
    body = followed.command.body
    assert isinstance(body, LinkRequested)
    assert (body.ehr, body.billing, body.undecided) == (101, 901, not again)


async def test_who_is_observed_is_not_created(opened: Site) -> None:
    """The counterpart of what is offered above: nothing is written while a practice is only observed."""
    file = opened.console.beside / "chartwire.toml"
    file.write_text(re.sub(r"^profile = .*$", '\\g<0>\nmode = "observe"', file.read_text(), count=1, flags=re.MULTILINE))
    file.write_text(file.read_text().replace(opened.url.removeprefix("http://"), f"127.0.0.1:{free_port()}"))
    async with site(file) as other:
        browser = await other.of("front-desk")
        page = await browser.get(f"{path(other.console.handles)}/link")
    assert ('name="to"' in page.text, 'value="create"' in page.text) == (True, False)
