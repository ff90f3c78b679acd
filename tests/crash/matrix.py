"""The crash matrix: every kill point x every kind of write, as a table. `python -m tests.crash.matrix`; exits 1 if a cell is red.

A cell is green when what happened is neither lost nor doubled: `0/0`. Killing the broker needs Java 17 and Maven.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.crash.kill_points import POINTS, POINTS_OF, VICTIMS, Victim
from tests.crash.matrix_row import Cell, Nursery, Row
from tests.crash.scenes import SCENES


async def play(
    rows: Sequence[tuple[Victim, str, Sequence[str]]],
    *,
    lanes: int,
    tell: Callable[[Cell], None],
    folder: Path,
    bug: str = "",
) -> list[Cell]:
    """Play the rows (victim, kind, points), so many at a time; `tell` is told of each cell. `bug`: of victim.BUGS."""
    left = list(enumerate(rows))
    done: list[Cell] = []

    def say(cell: Cell) -> None:
        done.append(cell)
        tell(cell)

    async def in_one_clinic(victim: Victim, kind: str, points: list[str], nursery: Nursery, here: Path) -> None:
        """Until a cell is red: what is wrong stays wrong, so the next one gets a new clinic."""
        async with Row.opened(victim, kind, len(points), nursery, here) as row:
            while points:
                say(await row.cell(points.pop(0)))
                if not done[-1].green:
                    return

    async def lane(nursery: Nursery) -> None:
        while left:
            number, (victim, kind, points) = left.pop(0)
            remaining = list(points)
            while remaining:
                here = folder / f"{number}-{len(remaining)}"
                here.mkdir()
                try:
                    await in_one_clinic(victim, kind, remaining, nursery, here)
                except TimeoutError as error:
                    say(Cell(victim, kind, remaining.pop(0), wrong=[f"before the kill: {error}"]))

    async with Nursery(bug) as nursery, asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane(nursery))
    return done


def table(cells: Sequence[Cell]) -> list[str]:
    """A line a kind, a column a point, of each victim; `lost/doubled`, with a `!` where anything is wrong."""
    lines = []
    for victim in VICTIMS:
        mine = {(one.kind, one.point): one for one in cells if one.victim == victim}
        points = [point for point in POINTS_OF[victim] if any(key[1] == point for key in mine)]
        if not mine:
            continue
        lines += ["", f"{victim} killed (lost/doubled)"]
        for at in (0, 1):
            lines.append(" " * 34 + "".join(f"{point.split()[at]:<9}" for point in points).rstrip())
        for kind in dict.fromkeys(key[0] for key in mine):
            shown = "".join(f"{_mark(mine.get((kind, point))):<9}" for point in points)
            lines.append(f"{kind:<34}{shown}".rstrip())
    return lines


def _mark(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.lost}/{cell.doubled}{'' if cell.green else '!'}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.matrix", description=__doc__)
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS)
    parser.add_argument("--kinds", nargs="+", choices=SCENES, default=tuple(SCENES), metavar="KIND", help="; ".join(SCENES))
    parser.add_argument("--points", nargs="+", choices=POINTS, default=POINTS, metavar="POINT", help=", ".join(POINTS))
    parser.add_argument("--lanes", type=int, default=6, help="rows at a time (default 6)")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps the daemons' logs")
    given = parser.parse_args(argv)
    rows = [
        (victim, kind, [point for point in POINTS_OF[victim] if point in given.points])
        for victim in given.victims
        for kind in given.kinds
    ]
    rows = [row for row in rows if row[2]]
    expected, count = sum(len(points) for _, _, points in rows), 0

    def tell(cell: Cell) -> None:
        nonlocal count
        count += 1
        said = "green" if cell.green else "RED: " + "; ".join(cell.wrong)
        print(f"{count}/{expected} {cell.victim} {cell.point}, {cell.kind}: {said} ({cell.seconds:.1f} s)", flush=True)

    with tempfile.TemporaryDirectory(prefix="chartwire-crash-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        cells = asyncio.run(play(rows, lanes=given.lanes, tell=tell, folder=folder))
    print("\n".join(table(cells)))
    red = [cell for cell in cells if not cell.green]
    lost, doubled = sum(cell.lost for cell in cells), sum(cell.doubled for cell in cells)
    print(f"\n{len(cells)} cells, {len(cells) - len(red)} green, {lost} lost, {doubled} doubled")
    return 1 if red or len(cells) < expected else 0


if __name__ == "__main__":
    sys.exit(main())
