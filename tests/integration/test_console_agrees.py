"""The command line and the console cannot disagree: each deed and each reading has one function below both.

Every deed is asked for by a form of the console and by a command: what would be published is the same but for who asks, and it was made
by the same function. Every reading that both have goes through one function, too.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, get_args

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.cli.commands import COMMANDS
from daemon.console.pages.deeds import DEEDS
from daemon.console.publishing import Publishing
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator import deeds
from daemon.operator.commands import Followed, login
from daemon.operator.links import plan_of_link, plan_of_move
from daemon.operator.worklist import kinds_of, work_of
from events import commands
from events.ids import BillingPatientId, Charts, EhrChartId, PatientKey
from events.maps import MapKind
from events.schema import BillingChartObserved, BillingChartVanished, BillObserved, ChangeQuarantined, EhrChartObserved
from events.slots import SlotKind
from events.topics import Note
from events.writes import Resource, System
from projections.words.headings import heading_of
from tests.conftest import PRACTICE
from tests.integration.place import Make, Place, recording
from tests.integration.recorder_driver import NOON, POLICY, insured
from tests.integration.test_duplicates import ask
from tests.integration.visiting import Browser, Site, site, waits
from tests.unit.records import ADA, ADA_THERE, BLUE, GOOD_BILL, KAREO_MAIN_STREET, MAIN_STREET

ROOT = Path(__file__).parents[2]
ALONE, OTHER_ALONE = EhrChartId(102), EhrChartId(103)
PAIR = (EhrChartId(104), BillingPatientId(904))
GRACE = {"first_name": "Grace", "last_name": "Hopper"}
MERGED = (BillingPatientId(905), BillingPatientId(906))
MARY = {"first_name": "Mary", "last_name": "Shelley"}
QUARANTINED = "quarantine:kareo:patients:7"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    """A linked patient with a bill, a chart without a name, a pair that nobody has linked, and a record in quarantine."""
    async with recording(postgres, tmp_path_factory, "agreeing") as (desk, name, folder):
        await desk.link(there=insured(BLUE))
        await desk.see(
            EhrChartObserved(chart=replace(ADA, id=ALONE, first_name="")),
            EhrChartObserved(chart=replace(ADA, id=PAIR[0], **GRACE)),
            BillingChartObserved(chart=replace(ADA_THERE, id=PAIR[1], **GRACE)),
            ChangeQuarantined(system=System.BILLING, resource="patients", record="7", reason="unreadable", raw=b"x"),
        )
        await desk.link(replace(ADA, id=EhrChartId(105), **MARY), replace(ADA_THERE, id=MERGED[0], **MARY))
        gone = desk.change(BillingChartVanished(patient=MERGED[0]))
        await desk.recorder.record_messages([replace(gone, event=replace(gone.event, billing=MERGED[0]))])
        await desk.see(BillingChartObserved(chart=replace(ADA_THERE, id=MERGED[1], **MARY)))
        note = Note(system=System.EHR, resource="bills", record=str(GOOD_BILL.id), content_hash="a", parent=str(ADA.id))
        await desk.recorder.record_messages([desk.change(BillObserved(bill=GOOD_BILL), notes=[note])])
        held = commands.HoldRequested(who="ann", reason="an audit", resource=Resource.BILL, system=System.BILLING)
        assert await ask(desk, held, Charts()) == ""
        saved = commands.MapRequested(kind=MapKind.LOCATION, id=MAIN_STREET, to=str(KAREO_MAIN_STREET), who="ann")
        assert await ask(desk, saved, Charts()) == ""
    return name, folder, 0


@pytest.fixture
def at(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> Place:
    return place(postgres.dsn(recorded[0], "chartwire"))


@dataclass
class Both:
    """The console and the command line of one configuration; `published` is what either would have handed to Kafka."""

    site: Site
    browser: Browser
    config: Path
    published: list[Followed]

    async def console(self, deed: str, fields: dict[str, str], patient: str = "") -> list[Followed]:
        """What a form of the console asks for."""
        self.published.clear()
        handle = {"patient": self.site.console.handles.of(PRACTICE, PatientKey(patient))} if patient else {}
        answer = await self.browser.post("/p/elm/deed", {"deed": deed, "once": "x" * 22, **handle, **fields})
        assert answer.status == 303, answer.text
        return list(self.published)

    async def command(self, *words: str) -> tuple[list[Followed], set[str]]:
        """What a command asks for, and by which functions."""
        self.published.clear()
        name, *more = words
        called = await asyncio.to_thread(run, [name, str(PRACTICE), *more], self.config, "operator/deeds")
        return list(self.published), called


@pytest_asyncio.fixture
async def both(at: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Both]:
    published: list[Followed] = []

    async def take(_bus: object, _store: object, several: Sequence[Followed], **_more: object) -> None:
        published.extend(several)

    async def taken(_publishing: object, _practice: object, asks: Sequence[Followed]) -> None:
        published.extend(asks)

    async def nothing(*_any: object) -> None: ...

    monkeypatch.setattr("daemon.cli.asking.bus_of", lambda *_any: SimpleNamespace(stop=nothing))
    monkeypatch.setattr("daemon.cli.asking._reach", nothing)
    monkeypatch.setattr("daemon.cli.asking.write_all", take)
    monkeypatch.setattr(Publishing, "publish", taken)
    async with site(at.config) as opened:
        yield Both(opened, await opened.of("operator"), at.config, published)


class Calls:
    """The functions of a module of `daemon` that are called within the context, in the thread that it is entered in."""

    def __init__(self, module: str) -> None:
        self.found: set[str] = set()
        self._file = str(ROOT / "daemon" / f"{module}.py")

    def _look(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename == self._file:
            self.found.add(frame.f_code.co_name)

    def __enter__(self) -> set[str]:
        sys.setprofile(self._look)
        return self.found

    def __exit__(self, *_error: object) -> None:
        sys.setprofile(None)


def run(words: Sequence[str], config: Path, module: str) -> set[str]:
    """A command, and the functions of the module that it called."""
    with Calls(module) as found:
        main([*words, "--config", str(config)])
    return found


@dataclass(frozen=True)
class Asked:
    """One deed as a form has it and as a command has it, and the function of operator/deeds.py that both stand on."""

    function: str
    fields: dict[str, str]
    command: tuple[str, ...]
    patient: str = ""


SCOPE, SCOPED = {"resource": "bill", "system": "kareo"}, ("--resource", "bill", "--direction", "to-billing")
HELD = "hold:bill:kareo"
LOCUM = {"kind": "provider", "id": "11"}
ADA_PAIR = ("elation:101", "kareo:901")
SAME = {
    "resync": Asked("resync", {}, ("resync", "kareo:901"), "K:901"),
    "create": Asked("resync", {}, ("resync", "elation:102", "--as-new"), "E:102"),
    "retry": Asked("retry", {"slot": "chart"}, ("retry", "elation:102", "chart"), "E:102"),
    "retry-shared": Asked("retry", {"slot": QUARANTINED}, ("retry", QUARANTINED)),
    "try-systems": Asked("retry", {}, ("retry",)),
    "resend": Asked("resend", {"bill": "4001"}, ("resend", "4001")),
    "release-bill": Asked("release_bill", {"bill": "4001"}, ("release-bill", "4001")),
    "dismiss": Asked("dismiss", {"slot": "chart"}, ("dismiss", "elation:102", "chart"), "E:102"),
    "seen": Asked("seen", {"field": "city"}, ("seen", "kareo:901", "city"), "K:901"),
    "redrive": Asked("redrive", {"slot": QUARANTINED}, ("redrive", QUARANTINED)),
    "link": Asked("link", {"ehr": "104", "billing": "904"}, ("link", "elation:104", "kareo:904", "--yes", "--undecided")),
    "move-link": Asked(
        "move_link",
        {"source": "905", "target": "906", "ehr": "105"},
        ("move-link", "kareo:905", "kareo:906", "--yes"),
    ),
    "not-the-same": Asked("unlink", {"ehr": "101", "billing": "901"}, ("unlink", *ADA_PAIR, "--undecided")),
    "unlink": Asked("unlink", {}, ("unlink", "kareo:901"), "K:901"),
    "apart": Asked("apart", {"system": "elation", "one": "104", "other": "102"}, ("apart", "elation:102", "elation:104")),
}
SAME |= {
    "hold": Asked("hold", SCOPE, ("hold", *SCOPED, "--patient", "kareo:901"), "K:901"),
    "release": Asked("release_slot", {"slot": HELD}, ("release", *SCOPED)),
    "keep-out": Asked("keep_out", {}, ("keep-out", "kareo:901"), "K:901"),
    "take-in": Asked("keep_out", {}, ("keep-out", "kareo:901", "--undo"), "K:901"),
    "go-live": Asked("go_live", {"sure": "yes"}, ("onboard", "--go-live", "--yes")),
    "observe": Asked("go_live", {}, ("onboard", "--go-live", "--undo", "--yes")),
}
SAME |= {
    "map": Asked("map_row", {**LOCUM, "to": "509", "was": "501"}, ("map", "provider", "11", "509", "--yes")),
    "give-back": Asked("give_back", {"kind": "location", "id": "21"}, ("map", "location", "21", "--give-back", "--yes")),
}
NOT_POSSIBLE = {
    "remove-policy": Asked(
        "remove_policy", {"slot": f"{SlotKind.EHR_POLICY}:77"}, ("remove-policy", "kareo:901", "77"), "K:901"
    )
}
"""What nothing here can be asked for about: both refuse it, by the same function and in the same words."""

REASON = "so it is"


def test_every_deed_of_both_is_compared() -> None:
    assert set(SAME) | set(NOT_POSSIBLE) == set(DEEDS)
    asking = {name for module, names in COMMANDS.items() for name in names if "add_asking" in source(f"cli/{module}.py")}
    asking = (asking - {"duplicates", "maps"}) | {"onboard"}
    both = [*SAME.values(), *NOT_POSSIBLE.values()]
    assert {one.command[0] for one in both} == asking
    functions = {
        name
        for name, one in inspect.getmembers(deeds, inspect.iscoroutinefunction)
        if one.__module__ == deeds.__name__ and "it" in inspect.signature(one).parameters
    }
    assert {one.function for one in both} == functions - {"as_planned", "release"}


@pytest.mark.parametrize("deed", SAME)
async def test_a_form_and_a_command_ask_for_the_same_by_the_same_function(both: Both, deed: str) -> None:
    one = SAME[deed]
    fields = dict(one.fields)
    if deed == "link":
        plan = await plan_of_link(both.site.console.store, POLICY, *PAIR, NOON)
        fields["seen"] = plan.seen
    if deed == "move-link":
        moving = await plan_of_move(both.site.console.store, POLICY, *MERGED, NOON)
        fields["seen"] = moving.seen
    with Calls("operator/deeds") as by_form:
        form = await both.console(deed, {**fields, "reason": REASON}, one.patient)
    command, by_command = await both.command(*one.command, "--reason", REASON)
    assert one.function in by_form & by_command
    assert len(form) == len(command) == 1
    mine, theirs = form[0], command[0]
    assert mine.command.body == replace(theirs.command.body, who="operator")
    assert theirs.command.body.who == login()  # type: ignore[union-attr]
    assert (mine.command.ehr, mine.command.billing) == (theirs.command.ehr, theirs.command.billing)
    assert (mine.open, mine.reading, mine.slots) == (theirs.open, theirs.reading, theirs.slots)


@pytest.mark.parametrize("deed", NOT_POSSIBLE)
async def test_a_form_and_a_command_refuse_the_same_by_the_same_function(
    both: Both, deed: str, owner_of_recorded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one, handle = NOT_POSSIBLE[deed], both.site.console.handles.of(PRACTICE, PatientKey("K:901"))
    async with waits(owner_of_recorded, [("elm", one.patient, one.fields["slot"], "beyond-case")]):
        with Calls("operator/deeds") as by_form:
            answer = await both.browser.post(
                "/p/elm/deed", {"deed": deed, "once": "x" * 22, "patient": handle, **one.fields}
            )
        asked, by_command = await both.command(*one.command)
    assert one.function in by_form & by_command
    assert (answer.status, asked, both.published) == (404, [], [])
    told = capsys.readouterr().err.strip()
    assert told
    assert f"{told[:1].upper()}{told[1:]}." in answer.text


@pytest.fixture
def owner_of_recorded(postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> str:
    return postgres.dsn(recorded[0])


@dataclass(frozen=True)
class Read:
    """A page and a command that read the same, and the module and function below both; `form` is what the page is sent."""

    page: str
    command: tuple[str, ...]
    below: tuple[str, str]
    form: tuple[tuple[str, str], ...] = ()


READINGS = {
    "history": Read("patient", ("history", "elm", "kareo:901"), ("operator/past", "past_of")),
    "why": Read("why", ("explain", "elm", "kareo:901", "last_name"), ("operator/past", "why_field")),
    "duplicates": Read("duplicates", ("duplicates", "elm"), ("operator/duplicates", "find_duplicates")),
    "accounts": Read("balance", ("balance", "elm", "--recorded"), ("operator/balance", "accounts_of")),
    "onboarding": Read("onboarding", ("onboard", "elm"), ("operator/onboarding", "progress")),
    "what waits": Read("work", ("waiting", "elm"), ("operator/worklist", "work_of")),
    "maps": Read("maps", ("maps", "elm"), ("operator/maps", "maps_of")),
    "settings": Read("settings", ("settings", "elm"), ("operator/settings", "settings_of")),
    "state": Read("", ("status", "elm"), ("tables/status", "practice_status")),
    "effect of a row": Read(
        "maps/effect",
        ("map", "elm", "provider", "11", "509"),
        ("operator/maps", "effect_of"),
        (("kind", "provider"), ("id", "11"), ("to", "509")),
    ),
    "what linking writes": Read(
        "link", ("link", "elm", "elation:102", "kareo:906", "--show"), ("operator/links", "plan_of_link"), (("to", "906"),)
    ),
    "what moving a link writes": Read(
        "move",
        ("move-link", "elm", "kareo:905", "kareo:906", "--show"),
        ("operator/links", "plan_of_move"),
        (("to", "906"),),
    ),
}


@pytest.mark.parametrize("reading", READINGS)
async def test_a_page_and_a_command_read_by_the_same_function(
    both: Both, reading: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = READINGS[reading]
    module, function = one.below
    keys = ("K:901", f"K:{MERGED[0]}", "E:102")
    handle, gone, alone = (both.site.console.handles.of(PRACTICE, PatientKey(key)) for key in keys)
    paths = {"patient": handle, "why": f"{handle}/why/last_name", "move": f"{gone}/move", "link": f"{alone}/link"}
    path = f"/p/elm/patient/{paths[one.page]}" if one.page in paths else f"/p/elm/{one.page}".rstrip("/")
    with Calls(module) as by_page:
        answer = await (both.browser.post(path, dict(one.form)) if one.form else both.browser.get(path))
    assert answer.status == 200, answer.text
    monkeypatch.setattr(sys, "stdin", io.StringIO("no\n"))
    by_command = await asyncio.to_thread(run, one.command, both.config, module)
    assert function in by_page & by_command


async def test_a_search_of_the_history_is_by_the_same_functions(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    auditor = await both.site.of("auditor")
    await auditor.get("/p/elm/audit/search")
    words = ("search-history", "elm", "--chart", "kareo:901", "--field", "last_name")
    by_command = await asyncio.to_thread(run, words, both.config, "operator/searching")
    told = re.findall(r"#(\d+)", capsys.readouterr().out)
    with Calls("operator/searching") as by_page:
        page = await auditor.post("/p/elm/audit/search", {"billing": "901", "field": "last_name"})
    assert "search_history" in by_page & by_command
    assert re.findall(r'<th scope="row" class="num">(\d+)</th>', page.text) == told != []
    looked = await asyncio.to_thread(run, ("search-history", "elm", "--looked"), both.config, "operator/searching")
    with Calls("operator/searching") as by_page:
        await auditor.post("/p/elm/audit/search", {"who": "auditor"})
    assert "search_access" in by_page & looked


async def test_what_waits_is_the_same_on_the_page_and_by_the_command(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    await asyncio.to_thread(main, ["waiting", "elm", "--config", str(both.config), "--json"])
    told = sorted(re.findall(r'"code":"([\w-]+)"', capsys.readouterr().out))
    page = (await both.browser.get("/p/elm/work")).text
    (rows,) = re.findall(r"<p[^>]*>\s*(\d+) items?, the oldest first", page)
    assert len(told) == int(rows) > 1
    for code in told:
        assert escape(heading_of(code, POLICY.names), quote=False)[1:] in page, code


async def test_what_the_overview_counts_is_what_the_work_list_lists(both: Both, owner_of_recorded: str) -> None:
    pool = both.site.console.store.pool
    more = [("elm", "K:901", "demographics:city", "refused"), ("elm", "", "reading:x", "refused")]
    async with waits(owner_of_recorded, more):
        work = await work_of(pool, PRACTICE)
        assert {one.key for one in work} > {""}
        assert {one.code: one.items for one in await kinds_of(pool, PRACTICE)} == Counter(one.code for one in work)
        page = (await both.browser.get("/p/elm")).text
    patients = len({one.key for one in work if one.key})
    assert re.search(rf"<b[^>]*>{len(work)}</b>\s*items wait, of {patients} patient", page)


# -- nobody else makes a command --------------------------------------------------------------------------------------------


def source(name: str) -> str:
    return (ROOT / "daemon" / name).read_text()


def makers(text: str) -> set[str]:
    """The types of commands that a file could make, and the function that makes an event of one."""
    wanted = {one.__name__ for one in get_args(commands.Command)} | {"command"}
    return {
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module in ("events.commands", "daemon.operator.commands")
        for alias in node.names
        if alias.name in wanted
    }


@pytest.mark.parametrize("room", ["cli", "console", "demo"])
def test_neither_makes_a_command_by_itself(room: str) -> None:
    found = {str(file): made for file in (ROOT / "daemon" / room).rglob("*.py") if (made := makers(file.read_text()))}
    assert found == {}


def test_the_test_of_makers_can_fail() -> None:
    assert makers("from events.commands import LinkRequested, Command") == {"LinkRequested"}
    assert makers("from daemon.operator.commands import command, login") == {"command"}
