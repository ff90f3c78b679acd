"""The pages of holds: who sees and who may what, and what a form that was not filled in well is told. Deeds that are done: tests/browser."""

from __future__ import annotations

import pytest

from events.holds import hold_slot
from events.ids import PatientKey
from tests.conftest import PRACTICE
from tests.integration.visiting import ADA, ONCE, Browser, Site, log_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "x" * 22


async def asked(browser: Browser, **fields: str) -> tuple[int, str]:
    answer = await browser.post("/p/elm/deed", {"once": LONG, "reason": "moving", **fields})
    return answer.status, answer.text


@pytest.mark.parametrize(
    ("role", "page", "patients", "practice"),
    [
        ("viewer", 403, 403, 403),
        ("front-desk", 200, 200, 403),
        ("biller", 200, 403, 403),
        ("auditor", 200, 403, 403),
        ("admin", 403, 403, 403),
        ("operator", 200, 200, 503),
    ],
)
async def test_who_may_hold_what(visited: Site, role: str, page: int, patients: int, practice: int) -> None:
    """Kafka is away: what is allowed is refused with a sentence, and can be asked again."""
    browser = await visited.of(role)
    handle = visited.console.handles.of(PRACTICE, ADA)
    shown = await browser.get("/p/elm/holds")
    assert shown.status == page
    assert ('name="sure"' in shown.text) is (role == "operator")
    assert (await browser.get(f"/p/elm/patient/{handle}/hold")).status == patients
    assert (await asked(browser, deed="hold", sure="yes"))[0] == practice
    assert (await asked(browser, deed="hold", patient=handle))[0] == (503 if patients == 200 else 403)
    assert (await asked(browser, deed="keep-out", patient=handle))[0] == (503 if patients == 200 else 403)
    slot = hold_slot(None, None)
    assert (await asked(browser, deed="release", slot=slot))[0] == practice


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"deed": "hold"}, 400),
        ({"deed": "hold", "sure": "yes", "reason": ""}, 400),
        ({"deed": "hold", "sure": "yes", "until": "tea"}, 400),
        ({"deed": "hold", "sure": "yes", "until": "2020-01-01T10:00"}, 400),
        ({"deed": "keep-out"}, 400),
        ({"deed": "release", "slot": "link"}, 400),
    ],
)
async def test_a_form_that_makes_no_sense_asks_for_nothing(visited: Site, fields: dict[str, str], status: int) -> None:
    assert (await asked(await visited.of("operator"), **fields))[0] == status


async def test_the_page_of_a_patient_offers_both_and_says_what_they_mean(visited: Site) -> None:
    browser = await visited.of("operator")
    handle = visited.console.handles.of(PRACTICE, ADA)
    page = await browser.get(f"/p/elm/patient/{handle}")
    assert f"/p/elm/patient/{handle}/hold" in page.text
    asks = await browser.get(f"/p/elm/patient/{handle}/hold")
    assert len(set(ONCE.findall(asks.text))) == 2
    assert (await log_of(visited))[0].what == "hold or keep out"
    gone = await browser.post("/p/elm/release", {"slot": hold_slot(None, None, PatientKey("K:901"))})
    assert (gone.status, "not held" in gone.text) == (404, True)
