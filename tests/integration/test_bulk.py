"""Deeds by query, with the count shown and asked; an item is told apart by its code and by how long it waits."""

from __future__ import annotations

import argparse
import io
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.cli.bulk import age
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.commands import Followed
from events.commands import DismissRequested, ResyncRequested
from events.ids import BillingPatientId, EhrChartId
from events.schema import BillingChartObserved, ChangeQuarantined, EhrChartObserved
from events.writes import System
from tests.conftest import PRACTICE
from tests.integration.place import Make, Place, recording
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    """Three charts without a name wait, and a record is in quarantine."""
    async with recording(postgres, tmp_path_factory, "bulk") as (desk, name, folder):
        await desk.see(
            EhrChartObserved(chart=replace(ADA, first_name="")),
            EhrChartObserved(chart=replace(ADA, id=EhrChartId(102), last_name="")),
            BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(903), first_name="")),
            ChangeQuarantined(system=System.BILLING, resource="patients", record="7", reason="unreadable", raw=b"x"),
        )
    return name, folder, 0


@pytest.fixture
def at(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> Place:
    return place(postgres.dsn(recorded[0], "chartwire"))


def call(at: Place, name: str, *more: str, answer: str = "") -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(answer))
        return main([name, str(PRACTICE), *more, "--config", str(at.config)])


def test_every_item_of_a_code_is_one_deed_after_one_question(
    at: Place, written: list[Followed], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(at, "resync", "--code", "incomplete") == 2
    told = capsys.readouterr()
    assert "     3 incomplete" in told.out
    assert "resync: 3 items of 3 patients?" in told.out
    assert written == []
    call(at, "resync", "--code", "incomplete", answer="yes\n")
    bodies = [one.command.body for one in written]
    assert [type(one) for one in bodies] == [ResyncRequested] * 3
    assert {(one.command.ehr, one.command.billing) for one in written} == {(101, None), (102, None), (None, 903)}


def test_dismissing_many_needs_a_reason_and_leaves_other_codes_alone(at: Place, written: list[Followed]) -> None:
    assert call(at, "dismiss", "--code", "incomplete", "--yes") == 2
    assert written == []
    call(at, "dismiss", "--code", "incomplete", "--yes", "--reason", "test charts")
    assert {type(one.command.body) for one in written} == {DismissRequested}
    assert {one.command.body.slot for one in written} == {"chart"}  # type: ignore[union-attr]
    assert len(written) == 3


def test_only_older_items_are_meant(at: Place, written: list[Followed], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(at, "resync", "--code", "incomplete", "--older", "9999w", "--yes") == 0
    assert "nothing waits" in capsys.readouterr().out
    call(at, "resync", "--code", "incomplete", "--older", "1m", "--yes")
    assert len(written) == 3


def test_what_the_deed_cannot_help_is_left_out(
    at: Place, written: list[Followed], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("retry", "resend", "seen"):
        assert call(at, name, "--code", "incomplete", "--yes") == 0
    assert capsys.readouterr().out.count("nothing waits that this could be done about") == 3
    call(at, "redrive", "--code", "quarantined", "--yes")
    assert len(written) == 1


@pytest.mark.parametrize("more", [("elation:101", "--code", "incomplete"), ()])
def test_either_one_or_many(at: Place, written: list[Followed], more: tuple[str, ...]) -> None:
    assert call(at, "resync", *more) == 2
    assert written == []


def test_options_stand_anywhere(at: Place, written: list[Followed]) -> None:
    call(at, "resync", "--reason", "moved", "elation:101")
    assert [one.command.ehr for one in written] == [101]


@pytest.mark.parametrize(
    ("text", "meant"),
    [("30m", timedelta(minutes=30)), ("12h", timedelta(hours=12)), ("7d", timedelta(days=7)), ("2w", timedelta(weeks=2))],
)
def test_ages(text: str, meant: timedelta) -> None:
    assert age(text) == meant


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "7y", "1000000d"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        age(text)
