"""The pages of days: accounts that balance, my day, and the appointments of a week. Each opens the bodies of its own days alone."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.visits import visits_of
from daemon.tables import access
from events.codec import Keyring
from events.commands import KeepOutRequested
from events.ids import BillingPatientId, EhrChartId, PatientKey, ehr_key
from events.records import BillingAppointment, BillLine
from events.schema import BillingAppointmentObserved, BillingChartObserved
from events.store import Store
from events.writes import BillWritten, RecordCreated
from projections.words.period import ONE_DAY, of_day
from tests.conftest import PRACTICE, TEMPLATE
from tests.integration.recorder_driver import POLICY, RecorderDriver, insured
from tests.integration.test_days import bill
from tests.integration.visiting import Site, configured, site
from tests.unit.records import ADA_KEY, ADA_THERE, BLUE, GOOD_BILL, KAREO_LOCUM

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = itertools.count(1)
ZONE = ZoneInfo("America/Denver")
TODAY = datetime.now(ZONE).date()
MARIE, GRACE = PatientKey("K:960"), PatientKey("K:961")
SPOILT = replace(GOOD_BILL, id=4009, visit_note=5009, lines=(BillLine(cpt="", units="1", unit_charge="9"),))
OLD = date(2026, 3, 2)
LONG_AGO = TODAY - timedelta(days=60)
SHOWN_AS = {ADA_KEY: ADA_THERE.last_name, MARIE: "Curie", GRACE: "Hopper"}
OUT, UNREAD = EhrChartId(7700), 4077
"""A chart kept out, and its bill that came since."""


def at_clock(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=ZONE).astimezone(UTC)


def visit(
    key: int, patient: BillingPatientId, start: datetime, name: str = "Grey, Meredith", provider: int = 11
) -> BillingAppointment:
    return BillingAppointment(
        key=str(key), id=key, patient=patient, start=start, minutes=20, reason=f"Visit {key}", provider=provider,
        provider_name=name,
    )  # fmt: skip


@dataclass(frozen=True)
class Booked:
    """The console of a practice with appointments and bills, its configuration, and what was recorded of it."""

    site: Site
    file: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def booked(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Booked]:
    folder, name = tmp_path_factory.mktemp("booked"), f"booked_{next(NUMBERS)}"
    await postgres.create_database(name, template=TEMPLATE)
    file = configured(postgres, folder, name)
    file.chmod(0o600)
    keyring = Keyring.from_directory(folder / "keys")
    store = await Store.open(postgres.dsn(name, "chartwire"), keyring)
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    await recorded(desk)
    await store.close()
    async with site(file) as opened:
        yield Booked(opened, file)


async def recorded(desk: RecorderDriver) -> None:
    """Ada has a bill that was sent and one in error, and comes today; Marie comes tomorrow; Grace came long ago."""
    marie, grace = (BillingPatientId(int(key[2:])) for key in (MARIE, GRACE))
    await desk.link(there=insured(BLUE))
    await desk.see(
        BillingChartObserved(chart=replace(ADA_THERE, id=marie, first_name="Marie", last_name="Curie")),
        BillingChartObserved(chart=replace(ADA_THERE, id=grace, first_name="Grace", last_name="Hopper")),
    )
    await desk.see(
        BillingAppointmentObserved(appointment=visit(61, ADA_THERE.id, at_clock(TODAY, 9))),
        BillingAppointmentObserved(appointment=visit(62, ADA_THERE.id, at_clock(TODAY, 23), "Locum, Lou", KAREO_LOCUM)),
        BillingAppointmentObserved(appointment=visit(63, marie, at_clock(TODAY + timedelta(days=1), 8))),
        BillingAppointmentObserved(appointment=replace(visit(64, ADA_THERE.id, at_clock(TODAY, 11)), cancelled=True)),
        BillingAppointmentObserved(appointment=visit(65, grace, at_clock(TODAY - timedelta(days=60), 8))),
    )
    await bill(desk, GOOD_BILL)
    await desk.succeed(f"bill:{GOOD_BILL.id}", RecordCreated(id=6001))
    await desk.succeed(
        f"bill-answer:{GOOD_BILL.id}",
        BillWritten(bill=replace(GOOD_BILL, status="Billed", ref_number="6001"), read_at=desk.now),
    )
    await bill(desk, replace(SPOILT, service_day=TODAY))
    kept = desk.change(KeepOutRequested(who="ann", reason="a test patient"))
    await desk.recorder.record_messages([replace(kept, event=replace(kept.event, ehr=OUT))])
    await bill(desk, replace(GOOD_BILL, id=UNREAD, patient=OUT, service_day=TODAY))


def opened_bodies(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What each body that is opened from now on is bound to."""
    found: list[bytes] = []
    real = Keyring.open_sealed

    def counting(keyring: Keyring, key: str, identity: bytes, *more: Any) -> bytes:
        found.append(identity)
        return real(keyring, key, identity, *more)

    monkeypatch.setattr(Keyring, "open_sealed", counting)
    return found


# -- accounts -------------------------------------------------------------------------------------------------------------


async def test_a_period_in_which_everything_was_sent_says_that_nothing_is_unbilled(booked: Booked) -> None:
    browser = await booked.site.of("biller")
    answer = await browser.get(f"/p/elm/balance?by=month&on={OLD}")
    assert answer.status == 200
    assert "Accounts, March 2026" in answer.text
    assert "Nothing signed is unbilled" in answer.text
    assert "chartwire balance elm --month 2026-03" in answer.text
    assert ADA_THERE.last_name not in answer.text


@pytest.mark.parametrize(
    ("standing", "on", "shown", "hidden"),
    [
        ("sent", OLD, (str(GOOD_BILL.id), "6001", "1 of 1 signed"), "resend"),
        ("ready", OLD, ("No bill of these days is ready", "0 of 1 signed"), "6001"),
        ("in-error", TODAY, (str(SPOILT.id), "Check and send again", "1 of 1 signed"), "6001"),
    ],
)
async def test_bills_are_listed_by_where_they_stand(
    booked: Booked, standing: str, on: date, shown: tuple[str, ...], hidden: str
) -> None:
    """With the encounter that each became, or why it did not, and the deed that resolves it; who is on the list was seen."""
    browser = await booked.site.of("biller")
    answer = await browser.get(f"/p/elm/bills/{standing}?by=month&on={on}")
    assert answer.status == 200
    words = " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())
    assert [one for one in shown if one not in words] == []
    assert hidden not in answer.text.partition("<main")[2].partition("</main")[0]
    assert (ADA_THERE.last_name in words) == ("No bill" not in words)
    accounts = (await browser.get(f"/p/elm/balance?by=month&on={on}")).text
    first = on.replace(day=1)
    assert f"/p/elm/bills/{standing}?by=month&amp;on={first}" in accounts, "each sum leads to its bills"


async def test_where_bills_cannot_stand_is_no_page(booked: Booked) -> None:
    browser = await booked.site.of("biller")
    assert (await browser.get("/p/elm/bills/elsewhere")).status == 404


async def test_what_is_not_billed_is_listed_with_the_sentence_that_fixes_it_and_its_deed(booked: Booked) -> None:
    browser = await booked.site.of("biller")
    answer = await browser.get(f"/p/elm/balance?by=day&on={TODAY}")
    row = answer.text.partition("<tbody>")[2]
    for said in (str(SPOILT.id), "in error", "Line 1 has no CPT code", "Check and send again", ADA_THERE.last_name):
        assert said in row, said
    assert "Nothing signed is unbilled" not in answer.text
    assert str(GOOD_BILL.id) not in row
    seen = {(one.who, one.what, one.patient_key) for one in await access.last(booked.site.console.store.pool, "elm", most=2)}
    assert seen == {("biller", "accounts", ADA_KEY), ("biller", "accounts", ehr_key(OUT))}
    shown = await (await booked.site.of("auditor")).get(f"/p/elm/balance?by=day&on={TODAY}")
    assert "Check and send again" not in shown.text


@pytest.mark.parametrize("query", ["by=year&on=2026", "on=tomorrow", "on=9999-12-31&by=month", "on=0001-01-01&by=week", ""])
async def test_any_address_gives_some_period(booked: Booked, query: str) -> None:
    browser = await booked.site.of("biller")
    assert (await browser.get(f"/p/elm/balance?{query}")).status == 200
    assert (await browser.get(f"/p/elm/appointments?{query}")).status == 200


async def test_the_command_line_and_the_page_say_the_same(booked: Booked, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*more: str) -> tuple[int, str]:
        code = main(["balance", "elm", "--recorded", *more, "--config", str(booked.file)])
        return code, capsys.readouterr().out

    code, out = await asyncio.to_thread(told, "--month", "2026-03")
    assert (code, "1 signed visit notes = 1 sent + 0 ready + 0 deferred + 0 in error + 0 kept out" in out) == (0, True)
    assert "nothing signed is unbilled" in out
    code, out = await asyncio.to_thread(told, "--day", str(TODAY))
    assert code == 1
    assert f"bill {SPOILT.id}  kareo:{ADA_THERE.id}" in out
    assert "(bill-error)" in out
    assert "no CPT code" not in out
    assert f"chartwire resend elm {SPOILT.id} --config" in out
    code, out = await asyncio.to_thread(told, "--day", str(TODAY), "--values", "--names")
    assert "Line 1 has no CPT code" in out
    code, out = await asyncio.to_thread(told, "--day", str(TODAY), "--csv")
    header, row = out.splitlines()
    assert (header.split(",")[:3], row.split(",")[0]) == (["bill", "visit_note", "day"], str(SPOILT.id))
    assert f"bill {UNREAD}  elation:{OUT}" in (await asyncio.to_thread(told, "--month", "2026-03"))[1]
    code, out = await asyncio.to_thread(told, "--month", "2026-03", "--json")
    assert (code, json.loads(out)["unread"], json.loads(out)["signed"]) == (0, [UNREAD], 1)
    code, out = await asyncio.to_thread(told, "--month", "2026-3")
    assert code == 2


@pytest.mark.parametrize("query", [f"by=month&on={OLD}", f"by=day&on={TODAY}"])
async def test_a_bill_of_which_only_the_id_is_known_is_named_beside_every_sum(booked: Booked, query: str) -> None:
    browser = await booked.site.of("biller")
    shown = (await browser.get(f"/p/elm/balance?{query}")).text
    said = shown.partition("<h2>Not counted</h2>")[2]
    assert "1 bill is in none of the numbers above" in said
    assert f"Bill {UNREAD}" in said
    assert str(UNREAD) not in shown.partition("<h2>Not counted</h2>")[0]
    assert ">1</b>signed visit note" in shown, "it is in no sum"
    log = await access.last(booked.site.console.store.pool, "elm", most=2)
    assert (ehr_key(OUT), "accounts") in {(one.patient_key, one.what) for one in log}


# -- my day ---------------------------------------------------------------------------------------------------------------


async def test_my_day_shows_who_comes_today_and_tomorrow_and_what_of_them_waits(booked: Booked) -> None:
    browser = await booked.site.of("front-desk")
    answer = await browser.get("/p/elm/day")
    assert answer.status == 200
    today, tomorrow = answer.text.partition("<h2>Today")[2].split("<h2>Tomorrow")
    for said in (ADA_THERE.last_name, "9:00 AM to 9:20 AM", "11:00 PM to 11:20 PM", "Visit 61", "Locum, Lou", "cancelled"):
        assert said in today, said
    assert "3 appointments" in today
    assert ("Curie, Marie" in today, "Curie, Marie" in tomorrow) == (False, True)
    assert "1 appointment;" in tomorrow
    assert '<b class="warn">1 of their patients waits</b>' in today
    assert "nothing of its patient waits" in tomorrow
    assert today.count('<tr class="waits">') == 3, "each of Ada's appointments says what of her waits"
    assert "Line 1 has no CPT code" in today
    assert '<span class="chip">biller</span>' in today, "the front desk sees whom it is for, and no deed"
    assert "Hopper" not in answer.text
    rows = await access.last(booked.site.console.store.pool, "elm", most=2)
    assert {(one.what, one.patient_key) for one in rows} == {("my day", ADA_KEY), ("my day", MARIE)}


async def test_my_day_opens_nobody_else(booked: Booked, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await booked.site.of("front-desk")
    found = opened_bodies(monkeypatch)
    await browser.get("/p/elm/day")
    directory = b"patient|elm|"
    assert sorted(found) == [directory, *(directory + key.encode() for key in (ADA_KEY, MARIE))]


async def test_days_are_the_practices(booked: Booked) -> None:
    """23:00 in Denver is the next day in UTC, and still today."""
    store, policy = booked.site.console.store, replace(POLICY, time_zone="America/Denver")
    assert [one.record for one in await visits_of(store, PRACTICE, policy, TODAY, TODAY)] == [61, 64, 62]
    tomorrow = TODAY + timedelta(days=1)
    assert [one.record for one in await visits_of(store, PRACTICE, policy, tomorrow, tomorrow)] == [63]


# -- a week ---------------------------------------------------------------------------------------------------------------


async def test_a_week_is_shown_by_provider_and_day(booked: Booked) -> None:
    browser = await booked.site.of("front-desk")
    answer = await browser.get(f"/p/elm/appointments?on={TODAY}")
    grid = answer.text.partition("By provider and day")[2].partition("</table>")[0]
    assert "Grey, Meredith" in grid
    assert "Locum, Lou" in grid
    assert ADA_THERE.last_name in answer.text
    one = await browser.get(f"/p/elm/appointments?on={TODAY}&provider={KAREO_LOCUM}")
    listed = one.text.partition('id="list"')[2]
    assert ("Visit 62" in listed, "Visit 61" in listed) == (True, False)
    assert "Show everybody" in listed
    long_ago = await browser.get(f"/p/elm/appointments?on={TODAY - timedelta(days=60)}")
    assert ("Hopper" in long_ago.text, ADA_THERE.last_name in long_ago.text) == (True, False)
    odd = await browser.get(f"/p/elm/appointments?on={TODAY}&provider=%22%3E%3Cscript")
    assert (odd.status, '">&lt;script' in odd.text, '"><script' in odd.text) == (200, False, False)


@pytest.mark.parametrize(("day", "also"), [(TODAY, ""), (TODAY, f"&provider={KAREO_LOCUM}"), (LONG_AGO, "")])
async def test_a_week_opens_nobody_else(booked: Booked, day: date, also: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid counts all of the week's patients, so that these are opened, whoever's provider is chosen; each once.

    Days are kept in UTC: who comes on the day before or after the week is opened to see that it is another.
    """
    browser = await booked.site.of("front-desk")
    found = opened_bodies(monkeypatch)
    answer = await browser.get(f"/p/elm/appointments?on={day}{also}")
    week = of_day("week", day)
    comes = {ADA_KEY: TODAY, MARIE: TODAY + timedelta(days=1), GRACE: LONG_AGO}
    there = sorted(key for key, on in comes.items() if on in week)
    near = sorted(key for key, on in comes.items() if week.first - ONE_DAY <= on <= week.last + ONE_DAY)
    directory = b"patient|elm|"
    assert sorted(found) == [directory, *(directory + key.encode() for key in near)]
    assert there
    assert [key for key in near if key not in there and SHOWN_AS[key] in answer.text] == []
    assert all(name_ in answer.text for key, name_ in SHOWN_AS.items() if key in there and not also)


@pytest.mark.parametrize("path", ["/p/elm/day", "/p/elm/appointments", "/p/elm/balance"])
async def test_who_sees_no_names_has_none_of_these_pages(booked: Booked, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("viewer", "admin"):
        browser = await booked.site.of(role)
        found = opened_bodies(monkeypatch)
        answer = await browser.get(path)
        assert (answer.status, ADA_THERE.last_name in answer.text, found) == (403, False, [])
        assert f'href="{path}"' not in (await browser.get("/p/elm")).text


# -- the overview ---------------------------------------------------------------------------------------------------------


async def test_the_overview_has_its_plots_without_style_or_script(booked: Booked, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await booked.site.of("viewer")
    found = opened_bodies(monkeypatch)
    answer = await browser.get("/p/elm")
    plots = re.findall(r"<svg class=\"plot\".*?</svg>", answer.text, flags=re.DOTALL)
    assert len(plots) == 2
    assert all("style" not in one and "<script" not in one for one in plots)
    assert all("2 changes written" in one for one in plots)
    assert 'class="written"' in plots[0]
    assert "for longer" in answer.text, "what waits since March is older than both plots"
    assert found == []
