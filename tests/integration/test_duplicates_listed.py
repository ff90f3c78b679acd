"""`chartwire duplicates` and `chartwire apart`: what is listed, in which direction to merge, and nothing of a person unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.commands import Followed
from events.commands import TellApartRequested
from events.ids import BillingPatientId, EhrChartId
from events.merges import ToldApart
from events.schema import BillingChartObserved, EhrChartObserved
from events.writes import System
from tests.conftest import PRACTICE
from tests.integration.place import Make, Place, recording
from tests.integration.test_duplicates import filled
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    """Ada is linked; both systems have her again, and two charts that somebody told apart."""
    async with recording(postgres, tmp_path_factory, "twice") as (desk, name, folder):
        await desk.link()
        mary = replace(ADA_THERE, first_name="Mary", last_name="Shelley", zip="10001", email="", home_phone="")
        await desk.see(
            EhrChartObserved(chart=replace(ADA, id=EhrChartId(88))),
            BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(950), city="Macon")),
            BillingChartObserved(chart=replace(mary, id=BillingPatientId(960))),
            BillingChartObserved(chart=replace(mary, id=BillingPatientId(961))),
        )
        told = ToldApart(system=System.BILLING, one=960, other=961, who="ann", reason="both were here")
        await desk.recorder.record_practice([told])
        await filled(desk)
    return name, folder, 0


@pytest.fixture
def at(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> Place:
    return place(postgres.dsn(recorded[0], "chartwire"))


def listed(at: Place, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["duplicates", str(PRACTICE), *more, "--config", str(at.config)]) == 0
    return capsys.readouterr().out


def test_what_to_merge_into_what_is_said_and_nobody_named(at: Place, capsys: pytest.CaptureFixture[str]) -> None:
    out = listed(at, capsys)
    assert "Elation: 1 pairs that are likely one person" in out
    assert "in Elation merge 88 into 101: 101 is connected with 901 in Kareo and must be kept" in out
    assert "in Kareo merge 950 into 901: 901 is connected with 101 in Elation and must be kept" in out
    assert f"chartwire apart elm kareo:901 kareo:950 --reason TEXT --config {at.config}" in out
    assert "961" not in out
    assert [one for one in (ADA.last_name, ADA_THERE.city, str(ADA.birth_date)) if one in out] == []
    assert f"({ADA.first_name} {ADA.last_name} | " in listed(at, capsys, "--names")


def test_those_told_apart_are_listed_apart(at: Place, capsys: pytest.CaptureFixture[str]) -> None:
    out = listed(at, capsys, "--told-apart")
    assert "two persons, says ann: both were here" in out
    assert "apart elm kareo:960 kareo:961 --undo" in out
    assert "merge" not in out


def test_programs_get_the_same(at: Place, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(listed(at, capsys, "--json"))
    pairs = {(one["system"], *one["charts"]): one for one in told["pairs"]}
    assert set(pairs) == {("elation", 88, 101), ("kareo", 901, 950)}
    one = pairs["elation", 88, 101]
    assert (one["keep"], one["merge"], one["linked"], one["doubts"]) == (101, 88, [None, 901], [])
    assert "names" not in one
    assert told["complete"] is True


def test_telling_apart_needs_one_system_and_a_reason(
    at: Place, written: list[Followed], capsys: pytest.CaptureFixture[str]
) -> None:
    config = ("--config", str(at.config))
    assert main(["apart", str(PRACTICE), "kareo:950", "kareo:901", *config]) == 2
    assert main(["apart", str(PRACTICE), "kareo:950", "elation:101", "--reason", "x", *config]) == 2
    assert "chartwire unlink elm" in capsys.readouterr().err
    assert written == []
    main(["apart", str(PRACTICE), "kareo:950", "kareo:901", "--reason", "two cousins", *config])
    (body,) = [one.command.body for one in written]
    assert isinstance(body, TellApartRequested)
    assert (body.system, body.one, body.other, body.reason, body.undo) == (System.BILLING, 901, 950, "two cousins", False)
