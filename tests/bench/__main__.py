"""`python -m tests.bench`: every figure of one run, measured against its aim. Ratios are of this run, on this machine."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from daemon.demo.embedded import EmbeddedPostgres
from tests.bench import storage, table
from tests.bench.table import Line


async def run(arguments: argparse.Namespace) -> list[Line]:
    from tests.bench import day, intake, latency, recording

    quick = arguments.quick
    patients, each = (20, 100) if quick else (2000, 100)
    steps = (1000, 3000) if quick else (100_000, 10_000_000 if arguments.ten_million else 1_000_000)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="chartwire-bench-") as name:
        folder = Path(name)
        async with EmbeddedPostgres() as server:
            parts = {
                "storage": lambda: storage.storage(server, folder / "a", patients, each),
                "recording": lambda: recording.recording(server, folder / "b", 40 if quick else 1000),
                "intake": lambda: intake.intake(server, folder / "c", 5.0 if not quick else 0.5),
                "latency": lambda: latency.latency(10 if quick else 50, 2.0 if quick else 20.0),
                "day": lambda: day.day(3 if quick else 8),
                "long": lambda: recording.long_history(server, folder / "d", 300 if quick else 10_000),
                "flat": lambda: storage.flat(server, folder / "e", steps, 2000 if not quick else 100),
            }
            for part, work in parts.items():
                if arguments.only and part not in arguments.only:
                    continue
                table.progress(f"== {part}")
                lines += await work()
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--ten-million", action="store_true", help="cost per event up to 10,000,000 events (about an hour)")
    parser.add_argument("--only", nargs="*", help="storage recording intake latency day long flat")
    arguments = parser.parse_args()
    lines = asyncio.run(run(arguments))
    print(table.show(lines))
    if arguments.json:
        table.write(lines, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
