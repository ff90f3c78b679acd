"""A selection of the crash matrix; all of it is `python -m tests.crash.matrix`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.crash.kill_points import KINDS, POINTS_OF, Victim
from tests.crash.matrix import main, play, table
from tests.crash.matrix_row import Cell
from tests.crash.scenes import SCENES, write_of
from tests.crash.victim import BUGS
from tests.kafka.conftest import kafka_jars  # noqa: F401 - a fixture

SELECTED: list[tuple[Victim, str, Sequence[str]]] = [
    (
        "daemon",
        "CreateElationAppointment",
        ("after publish", "before commit", "after commit", "after call", "before outcome"),
    ),
    ("daemon", "CreateEncounter", ("after attempt", "before call", "after call")),
    ("daemon", "SyncPolicies", ("before offsets", "after call", "after outcome")),
    ("daemon", "ChangeKareoPolicies", ("before offsets", "after attempt", "after call", "before outcome")),
    ("daemon", "ChangeKareoPolicies, new company", ("after attempt", "after call")),
    ("daemon", "CreateKareoChart", ("before publish", "after call")),
    ("daemon", "CreateKareoChart, new company", ("after call",)),
    ("daemon", "CreateKareoAppointment", ("before commit", "after attempt", "after call", "before outcome")),
    ("daemon", "UpdateKareoAppointment", ("after call",)),
    ("daemon", "DeleteKareoAppointment", ("before call", "after call", "before outcome")),
    ("daemon", "DeleteKareoAppointment, deleted", ("after call",)),
    ("daemon", "UpdateCarrier", ("after attempt", "after call", "before outcome")),
    ("postgres", "CreateCarrier", ("after append", "after commit", "after outcome")),
    ("postgres", "UpdateKareoChart", ("after attempt", "after call")),
]


def quiet(cell: Cell) -> None:
    pass


def red(cells: Sequence[Cell]) -> list[str]:
    return [f"{cell.victim} {cell.point} {cell.kind}: {'; '.join(cell.wrong)}" for cell in cells if not cell.green]


def test_every_kind_of_write_has_its_scene() -> None:
    assert {write_of(scene) for scene in SCENES} == set(KINDS)
    assert len(KINDS) == 21


@pytest.mark.slow
async def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    cells = await play(SELECTED, lanes=6, tell=quiet, folder=tmp_path)
    assert red(cells) == []
    assert len(cells) == sum(len(points) for _, _, points in SELECTED)


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.usefixtures("kafka_jars")
async def test_a_killed_broker_costs_nothing(tmp_path: Path) -> None:
    row: tuple[Victim, str, Sequence[str]] = ("broker", "CreateElationChart", ("before offsets",))
    assert red(await play([row], lanes=1, tell=quiet, folder=tmp_path)) == []


@pytest.mark.slow
async def test_a_bug_is_caught(tmp_path: Path) -> None:
    row: tuple[Victim, str, Sequence[str]] = ("daemon", "CreateElationAppointment", ("after call",))
    folders = {bug: tmp_path / str(number) for number, bug in enumerate(BUGS)}
    for folder in folders.values():
        folder.mkdir()
    played = [play([row], lanes=1, tell=quiet, folder=folder, bug=bug) for bug, folder in folders.items()]
    for bug, (cell,) in zip(BUGS, await asyncio.gather(*played), strict=True):
        assert cell.doubled > 0, bug
        assert cell.lost == 0, bug


def test_the_table_shows_what_is_red() -> None:
    cells = [
        Cell("daemon", "CreatePlan", "before call"),
        Cell("daemon", "CreatePlan", "after call", doubled=2, wrong=["+1 plans"]),
        Cell("postgres", "CreatePlan", "before call", wrong=["no rest"]),
    ]
    text = "\n".join(table(cells))
    assert f"{'CreatePlan':<34}0/0      0/2!" in text
    assert "0/0!" in text.partition("postgres killed")[2]


def test_a_point_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--points", "before lunch"])
    assert "before lunch" in capsys.readouterr().err
    assert POINTS_OF["broker"]
