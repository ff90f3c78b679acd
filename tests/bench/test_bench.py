"""The benchmarks themselves: every line is there and is a number, and the arithmetic of rounds and verdicts is right.

What they measure is never a test's business.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.bench import table, verdict
from tests.bench.compare import Failed, Side, worktrees
from tests.bench.rounds import Side as Measured
from tests.bench.rounds import in_turns, interleaved, repeated
from tests.bench.table import Line
from tests.bench.verdict import Comparison, Figure

ROOT = Path(__file__).resolve().parents[2]
AIMS = {
    ("append", 0.6),
    ("append", 5.0),
    ("rebuild", 0.5),
    ("rebuild", 2.0),
    ("rebuild", 1.6),
    ("history", 5.0),
    ("history", 1 / 3),
    ("history", 1.0),
    ("recording", 1.5),
    ("intake", 0.8),
    ("flat", 1.2),
    ("commands", 0.15),
    ("commands", 0.4),
    ("scrape", 100.0),
    ("scrape", 5000.0),
}


def line(*rounds: float, aim: float | None = None, unit: str = "x", more: bool | None = None) -> Line:
    return Line(subject="append", what="ratio", unit=unit, rounds=rounds, aim=aim, more=more)


def test_a_line_is_the_median_of_its_rounds_and_a_lucky_round_moves_nothing() -> None:
    assert line(0.34, 0.51, 0.68, 0.5, 9.0).value == 0.51
    assert table.quartiles((0.34, 0.51, 0.68, 0.5, 9.0)) == (0.5, 0.68)
    assert table.quartiles((1.0, 2.0)) == (1.25, 1.75)
    assert table.quartiles((3.0,)) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("rounds", "aim", "more", "met"),
    [
        ((1.0, 2.0, 3.0, 4.0, 5.0), 2.0, True, True),
        ((1.0, 2.0, 3.0, 4.0, 5.0), 2.1, True, False),
        ((1.0, 2.0, 3.0, 4.0, 5.0), 4.0, False, True),
        ((1.0, 2.0, 3.0, 4.0, 5.0), 3.9, False, False),
        ((1.0, 2.0, 3.0, 4.0, 5.0), None, True, None),
    ],
)
def test_an_aim_is_met_where_the_worse_quartile_meets_it(
    rounds: tuple[float, ...], aim: float | None, more: bool, met: bool | None
) -> None:
    assert line(*rounds, aim=aim, more=more).met is met


@pytest.mark.parametrize(("unit", "rising"), [("s", False), ("ms", False), ("bytes", False), ("1/s", True), ("x", True)])
def test_the_unit_says_which_way_is_better_where_the_line_does_not(unit: str, rising: bool) -> None:
    assert line(1.0, unit=unit).rising is rising
    assert line(1.0, unit=unit, more=not rising).rising is not rising


def test_rounds_are_merged_by_what_they_measure() -> None:
    other = Line(subject="append", what="events", unit="1/s", rounds=(7.0,))
    first, second = table.merged([[line(1.0, aim=2.0), other], [line(3.0, aim=2.0)]])
    assert (first.rounds, first.aim, second.rounds) == ((1.0, 3.0), 2.0, (7.0,))


async def test_every_side_is_measured_once_a_round_and_what_went_first_goes_last_next() -> None:
    measured: list[str] = []

    def side(name: str) -> Measured:
        async def work() -> float:
            measured.append(name)
            return float(len(measured))

        return work

    async def work(number: int) -> list[Line]:
        took = await interleaved(number, {"ours": side("ours"), "theirs": side("theirs")})
        return [line(took["ours"] / took["theirs"])]

    (found,) = await repeated("append", 3, work)
    assert measured == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert found.rounds == (1 / 2, 4 / 3, 5 / 6), "each ratio is of one round"


async def test_sides_take_turns_batch_by_batch_until_all_are_done() -> None:
    measured: list[str] = []

    async def side(name: str, seconds: Sequence[float]) -> AsyncIterator[float]:
        for one in seconds:
            measured.append(name)
            yield one

    took = await in_turns(1, {"ours": side("ours", [1.0, 2.0]), "theirs": side("theirs", [4.0, 5.0, 6.0])})
    assert measured == ["theirs", "ours", "ours", "theirs", "theirs"]
    assert took == {"ours": 3.0, "theirs": 15.0}


def test_the_table_and_the_json_show_median_quartiles_and_rounds(tmp_path: Path) -> None:
    lines = [line(1.0, 2.0, 3.0, 4.0, 5.0, aim=2.5), line(4.0, aim=2.0, unit="ms", more=False)]
    shown = table.show(lines)
    assert "2 .. 4" in shown
    assert shown.count("MISSED") == 2
    assert "fewer than 5 rounds" in shown
    assert "fewer than 5 rounds" not in table.show(lines[:1])
    table.write(lines, tmp_path / "lines.json")
    first, second = json.loads((tmp_path / "lines.json").read_text())
    assert (first["value"], first["quartiles"], first["rounds"]) == (3.0, [2.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert (first["met"], first["more"], second["more"]) == (False, True, False)


def compare(a: Sequence[float], b: Sequence[float], *, rising: bool = True) -> Comparison:
    return Comparison(subject="append", what="events", unit="1/s", rising=rising, a=tuple(a), b=tuple(b))


@pytest.mark.parametrize(
    ("a", "b", "rising", "expected"),
    [
        ([100, 101, 102], [80, 81, 82], True, "worse"),
        ([100, 101, 102], [80, 81, 82], False, "better"),
        ([100, 101, 102], [120, 121, 122], True, "better"),
        ([100, 101, 102], [120, 121, 122], False, "worse"),
        ([100, 100, 100], [96, 96, 96], True, "same"),
        ([60, 100, 140], [70, 80, 90], True, "same"),
        ([99, 100, 101], [40, 80, 120], True, "same"),
        ([0, 0, 0], [1, 1, 1], False, "worse"),
        ([0, 0, 0], [0, 0, 0], True, "same"),
    ],
)  # fmt: skip
def test_a_verdict_needs_five_percent_and_more_than_the_spread(
    a: list[float], b: list[float], rising: bool, expected: str
) -> None:
    assert compare(a, b, rising=rising).verdict == expected


def test_a_change_is_a_share_of_the_first_median() -> None:
    assert compare([100, 200, 300], [150, 150, 150]).change == -0.25


def run(value: float, *, what: str = "events", unit: str = "1/s", **more: object) -> dict[verdict.Key, Figure]:
    raw = {"subject": "append", "what": what, "value": value, "unit": unit, "aim": None, "more": True, "met": None} | more
    return verdict.read(json.dumps([raw]).encode())


def test_figures_of_old_and_new_benches_are_matched_by_their_words() -> None:
    old = [run(10.0, what="whole process", unit="s"), run(4.0, what="gone")]
    new = [
        run(20.0, what="whole process", unit="s", more=False, quartiles=[20.0, 20.0], rounds=[20.0]),
        run(5.0, what="came"),
    ]
    (one,) = verdict.compared(old, new)
    assert (one.what, one.a, one.b, one.verdict) == ("whole process", (10.0,), (20.0,), "worse")
    assert (verdict.alone(old, new), verdict.alone(new, old)) == ([("append", "gone")], [("append", "came")])


def test_old_benches_say_nothing_of_the_direction_without_an_aim() -> None:
    (cost,), (aimed,) = (run(1.0, unit="ms").values(), run(1.0, unit="x", aim=1.2, more=False).values())
    (said,) = run(1.0, unit="ms", more=True, rounds=[1.0]).values()
    assert (cost.rising, aimed.rising, said.rising) == (False, False, True)


def repository() -> bool:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, check=False)
    return done.returncode == 0


def listed() -> str:
    return subprocess.run(["git", "-C", str(ROOT), "worktree", "list"], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not repository(), reason="not a git repository")
def test_worktrees_have_their_own_files_and_are_gone_whatever_happens(capfd: pytest.CaptureFixture[str]) -> None:
    folders = []

    def work() -> None:
        with worktrees("HEAD", "HEAD") as sides:
            for side in sides:
                folders.append(side.folder)
                assert str(side.folder) in listed()
                side.prepare()
                assert f"{side} imports {side.folder / 'tests' / 'bench' / '__init__.py'}" in capfd.readouterr().err
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        work()
    assert len(folders) == 2
    assert not any(folder.exists() or str(folder) in listed() for folder in folders)


@pytest.mark.skipif(not repository(), reason="not a git repository")
def test_an_unknown_commit_is_refused_before_anything_is_made() -> None:
    with pytest.raises(Failed, match="no-such-commit"), worktrees("HEAD", "no-such-commit"):
        pytest.fail("there is no such commit")


def test_packages_from_elsewhere_are_never_measured(tmp_path: Path) -> None:
    """Python finds `sys` in itself before any folder, as it would find a checkout that is installed in a bad way."""
    for package in ("sys", "tests", "tests/bench"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    side = Side(name="A", commit="0" * 40, folder=tmp_path)
    with pytest.raises(Failed, match="would measure built-in"):
        side.prepare()


@pytest.mark.slow
def test_every_line_is_measured_against_its_aim(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    parts = ("storage", "recording", "intake", "long", "flat", "scrape", "commands")
    command = [sys.executable, "-m", "tests.bench", "--quick", "--rounds", "2", "--json", str(file), "--only", *parts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    lines = json.loads(file.read_text())
    assert {(line["subject"], line["aim"]) for line in lines if line["aim"] is not None} == AIMS
    assert all(len(line["rounds"]) == 2 for line in lines)
    assert all(math.isfinite(value) and value > 0 for line in lines for value in line["rounds"])
    assert all(line["met"] in (True, False) for line in lines if line["aim"] is not None)
    assert done.stdout.count("MISSED") == sum(line["met"] is False for line in lines), "what misses is shown as missed"
