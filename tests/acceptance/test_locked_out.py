"""A worker whose vendor refuses its credentials: not hammered, told, at work again as soon as a person says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from daemon.vendors.ports.passes import Passes
from events.writes import System
from tests.acceptance.test_cli_repair import ELM, Town, open_town
from tests.conftest import until


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as opened:
        yield opened


async def health(town: Town, what: str) -> tuple[int, dict[str, object]]:
    listen = next(line for line in town.config.read_text().splitlines() if line.startswith("listen")).split('"')[1]
    async with aiohttp.ClientSession() as session, session.get(f"http://{listen}/health{what}") as answer:
        return answer.status, await answer.json()


async def test_a_locked_out_worker_lives_and_is_let_in_by_retry(town: Town) -> None:
    for what in ("", "/ready"):
        status, said = await health(town, what)
        assert (status, said) == (200, {"ready": True, "practices": 1, "owned": 1, "reasons": []})
    assert await health(town, "/live") == (200, {"live": True})

    people, client = town.clinic.ehr.people, f"client-{town.office.id}"
    people.revoke_credential(client)
    people.expire_tokens(client)
    tried = refused(town)
    await until(lambda: refused(town) > tried, 60)
    patient = town.day.kareo_patient(town.office)
    await until(lambda: "credentials" in passes(town).failing.values(), 60)
    assert (await health(town, "/live"))[0] == (await health(town, "/ready"))[0] == 200
    assert refused(town) - tried == 1
    people.restore_credential(client)
    await town.done("retry", ELM)
    await town.rest.reached()
    assert passes(town).failing == {}
    assert town.day.counterpart(town.office, patient)


def refused(town: Town) -> int:
    """How often a token was refused."""
    return sum(one.path == "/oauth2/token/" and one.status in (400, 401, 403) for one in town.clinic.ehr.calls)


def passes(town: Town) -> Passes:
    (practice,) = town.rest._worker.practices.values()
    return practice.connectors[System.EHR].passes
