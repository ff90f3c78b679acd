"""`python -m tests.bench`: every figure against its aim, as the median and the quartiles of several rounds.

A ratio compares two sides of the same round, on this machine; it is met where its worse quartile meets the aim.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from daemon.demo.embedded import EmbeddedPostgres
from tests.bench import table
from tests.bench.table import FEWEST, Line

PARTS = ("storage", "recording", "intake", "latency", "day", "long", "flat", "scrape", "commands")


async def run(arguments: argparse.Namespace) -> list[Line]:
    from tests.bench import commands, day, flat, intake, latency, recording, scrape, storage

    quick, rounds = arguments.quick, arguments.rounds
    patients, each = (20, 100) if quick else (400, 100)
    small, large = (1000, 3000) if quick else (100_000, 10_000_000 if arguments.ten_million else 1_000_000)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="chartwire-bench-") as name:
        folder = Path(name)
        async with EmbeddedPostgres() as server:
            parts = {
                "storage": lambda: storage.storage(server, folder / "a", patients, each, rounds),
                "recording": lambda: recording.recording(server, folder / "b", 40 if quick else 1000, rounds),
                "intake": lambda: intake.intake(server, folder / "c", 0.5 if quick else 2.0, rounds),
                "latency": lambda: latency.latency(10 if quick else 50, 2.0 if quick else 5.0, rounds),
                "day": lambda: day.day(3 if quick else 8, rounds),
                "long": lambda: recording.long_history(server, folder / "d", 300 if quick else 10_000, rounds),
                "flat": lambda: flat.flat(server, folder / "e", small, large, 100 if quick else 2000, rounds),
                "commands": lambda: commands.commands(folder / "f", rounds),
                "scrape": lambda: scrape.scrape(rounds, 100 if quick else scrape.PRACTICES),
            }
            for part in PARTS:
                if arguments.only is None or part in arguments.only:
                    table.progress(f"== {part}")
                    lines += await parts[part]()
    return lines


def positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--rounds", type=positive, default=FEWEST, help=f"rounds of every figure ({FEWEST})")
    parser.add_argument(
        "--ten-million", action="store_true", help="cost per event up to 10,000,000 events (about two hours)"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=" ".join(PARTS))
    arguments = parser.parse_args()
    lines = asyncio.run(run(arguments))
    print(table.show(lines))
    if arguments.json:
        table.write(lines, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
