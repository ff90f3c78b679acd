"""A link by hand is shown with all that it would write, and nothing is asked for before a person has confirmed it."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.deeds import Asking, as_planned
from daemon.operator.find import NeverSeen
from daemon.operator.links import LinkPlan, plan_of_link
from events.codec import Keyring
from events.commands import LinkRequested
from events.ids import BillingPatientId, EhrChartId
from events.schema import BillingChartObserved, Body, EhrChartObserved
from events.store import Store
from events.writes import Resource, System, UpdateEhrChart
from projections.matching import Level
from projections.words.shown import MASK
from tests.conftest import PRACTICE
from tests.integration.place import Make, Place, recording
from tests.integration.recorder_driver import NOON, POLICY, RecorderDriver
from tests.unit.records import ADA, ADA_THERE

TWIN = replace(ADA_THERE, id=BillingPatientId(902), first_name="Augusta", middle_name="", city="Athens")
NICKNAMED = replace(ADA, id=EhrChartId(103), first_name="Bill", last_name="King", birth_date=date(1950, 2, 1))
NAMED = replace(ADA_THERE, id=BillingPatientId(903), first_name="William", last_name="King", birth_date=date(1950, 2, 1))
SECRETS = ("Augusta", "Byron", "Athens", str(ADA.birth_date))


def seen() -> list[Body]:
    """Four charts, none linked: two persons of one last name and birth date, and one person of two names."""
    return [
        EhrChartObserved(chart=ADA),
        BillingChartObserved(chart=TWIN),
        EhrChartObserved(chart=NICKNAMED),
        BillingChartObserved(chart=NAMED),
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    async with recording(postgres, tmp_path_factory, "links") as (desk, name, folder):
        await desk.see(*seen())
    return name, folder, 0


@pytest.fixture
def at(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> Place:
    """Where Kafka is away: whatever is asked for ends with exit code 3."""
    return place(postgres.dsn(recorded[0], "chartwire"))


async def planned(store: Store, keyring: Keyring, ehr: int, billing: int) -> LinkPlan:
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    await desk.see(*seen())
    head = await store.head(PRACTICE)
    plan = await plan_of_link(store, POLICY, EhrChartId(ehr), BillingPatientId(billing), NOON)
    assert await store.head(PRACTICE) == head, "a plan records nothing"
    return plan


async def test_a_plan_shows_both_charts_how_alike_they_are_and_every_write(store: Store, keyring: Keyring) -> None:
    plan = await planned(store, keyring, ADA.id, TWIN.id)
    fields = {one.name: one for one in plan.fields}
    assert (fields["first_name"].ehr, fields["first_name"].billing) == ("Ada", "Augusta")
    assert fields["birth_date"].same
    assert fields["first_name"].level not in ("", Level.EXACT)
    assert not plan.alike.certain
    assert plan.alike.vetoes
    assert {one.resource for one in plan.writes} == {Resource.DEMOGRAPHICS}
    (write,) = [one.write for one in plan.writes if isinstance(one.write, UpdateEhrChart)]
    assert write.fields == {"first_name": "Augusta", "city": "Athens"}
    assert fields["middle_name"].written == {System.BILLING: "King"}
    assert fields["first_name"].written == {System.EHR: "Augusta"}
    assert fields["city"].written == {System.EHR: "Athens"}
    assert plan.differ == ("first_name",)
    assert plan.refused is not None
    assert plan.refused.code == "differs"


async def test_a_nickname_is_no_other_person(store: Store, keyring: Keyring) -> None:
    plan = await planned(store, keyring, NICKNAMED.id, NAMED.id)
    assert plan.refused is None
    assert plan.differ == ()
    assert {one.name: one.level for one in plan.fields}["first_name"] == Level.NICKNAME
    (asked,) = await as_planned(Asking(store, POLICY, "ann"), plan, force=True)
    body = asked.command.body
    assert isinstance(body, LinkRequested)
    assert not body.force, "force is not asked for where it is not needed"
    assert body.seen == plan.seen != ""


async def test_what_was_shown_is_what_is_linked(store: Store, keyring: Keyring) -> None:
    plan = await planned(store, keyring, NICKNAMED.id, NAMED.id)
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE), NOON.replace(hour=22))
    await desk.see(BillingChartObserved(chart=replace(NAMED, city="Macon")))
    later = await plan_of_link(store, POLICY, NICKNAMED.id, NAMED.id, NOON)
    assert later.seen != plan.seen


async def test_a_chart_never_seen_is_named(store: Store, keyring: Keyring) -> None:
    with pytest.raises(NeverSeen) as caught:
        await planned(store, keyring, ADA.id, 999)
    assert caught.value.charts.billing == 999


# -- the command --------------------------------------------------------------------------------------------------------------


def call(at: Place, *more: str, answer: str = "", monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    return main(["link", str(PRACTICE), *more, "--config", str(at.config)])


PASTED = ("elation:101", "kareo:902")


def test_d1_the_remedy_pasted_for_two_persons_writes_nothing(
    at: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(at, *PASTED, answer="y\n", monkeypatch=monkeypatch) == 1
    told = capsys.readouterr()
    assert "they differ in first name: two persons?" in told.out
    assert "linking them would ask for: to set First name, City in Elation" in told.out
    assert "repeat with --force" in told.err
    assert [one for one in SECRETS if one in told.out + told.err] == []
    assert MASK in told.out


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "maybe\n"])
def test_d1_forced_it_is_asked_first(
    at: Place, answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(at, *PASTED, "--force", answer=answer, monkeypatch=monkeypatch) == 2
    told = capsys.readouterr()
    assert "Are they one person?" in told.out
    assert "nothing was asked for" in told.err


@pytest.mark.parametrize(("more", "answer"), [((), "y\n"), (("--yes",), "")])
def test_only_a_yes_asks_the_owner(at: Place, more: tuple[str, ...], answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.cli.asking.BROKER_SECONDS", 0.5)
    assert call(at, *PASTED, "--force", *more, answer=answer, monkeypatch=monkeypatch) == 3


def test_values_and_names_are_shown_when_asked(
    at: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(at, *PASTED, "--show", "--names", "--values", monkeypatch=monkeypatch) == 0
    out = capsys.readouterr().out
    assert [one for one in SECRETS if one not in out] == []
    assert "-> Elation becomes Athens" in out


REVIEWED = """elation,kareo,force,reason
elation:103,903,,same person
101,902,no,
x,902,,
105,905,maybe,
104,999,yes,
"""


def test_a_reviewed_list_names_the_rows_left_out_and_asks_with_the_count(
    at: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = at.folder / "reviewed.csv"
    file.write_text(REVIEWED)
    assert call(at, "--from", str(file), monkeypatch=monkeypatch) == 2
    told = capsys.readouterr()
    assert "1 pairs to link" in told.out
    assert "4 rows left out" in told.out
    assert "Link these 1 pairs?" in told.out
    for line, why in {
        3: "they differ in first name",
        4: "elation: is not an id",
        5: "neither yes nor no",
        6: "never been seen",
    }.items():
        assert any(one.startswith(f"{file}:{line}: left out: ") and why in one for one in told.err.splitlines()), told.err
    assert call(at, "--from", str(file), *PASTED, monkeypatch=monkeypatch) == 2
