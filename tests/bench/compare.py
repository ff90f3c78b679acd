"""`python -m tests.bench.compare A B`: the figures of two commits, each measured by its own bench, in turn.

Nothing is known of a commit but the command line and the JSON of its `python -m tests.bench`. A figure is "worse" or "better"
only where its median moved by more than 5 % and by more than the distance between its quartiles.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import msgspec

from tests.bench import verdict
from tests.bench.__main__ import PARTS, positive
from tests.bench.rounds import order
from tests.bench.table import FEWEST, progress
from tests.bench.verdict import Figure, Key

ROOT = Path(__file__).resolve().parents[2]
BENCH = ("-m", "tests.bench")
LONGEST = 3600.0
"""Seconds after which a run of one part is given up."""
ENDING = 60.0
"""Seconds for a run to stop its servers."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WHERE = "import importlib.util, sys; print(*(importlib.util.find_spec(name).origin for name in sys.argv[1:]), sep='\\n')"


class Failed(Exception):
    """A commit that cannot be compared, and why."""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def commit(name: str) -> str:
    """The full id of a commit."""
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except Failed:
        raise Failed(f"{name} names no commit of this repository") from None


@dataclass(kw_only=True)
class Side:
    """One commit in a worktree of its own, and what its runs have given so far."""

    name: str
    commit: str
    folder: Path
    rounds: bool = False
    runs: list[dict[Key, Figure]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:9]})"

    def _start(self, *arguments: str, quiet: bool) -> subprocess.Popen[str]:
        """A Python of this environment that sees the worktree before anything that is installed."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder)},
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _python(self, *arguments: str, quiet: bool = False) -> str:
        """What it printed. However this ends, the process ends first, and gets the time to stop its servers."""
        process = self._start(*arguments, quiet=quiet)
        try:
            out, _ = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self}: {' '.join(arguments)} was given up after {LONGEST:.0f} s") from None
        finally:
            end(process)
        if process.returncode:
            raise Failed(f"{self}: {' '.join(arguments)} ended with {process.returncode}")
        return out or ""

    def prepare(self) -> None:
        """Compile, so that no run pays for it, and see to it that the worktree's own packages are imported.

        Raises Failed where Python finds one of them elsewhere.
        """
        self._python("-m", "compileall", "-q", ".", quiet=True)
        packages = sorted(one.parent.name for one in self.folder.glob("*/__init__.py"))
        origins = self._python("-c", WHERE, *packages, "tests.bench").split("\n")
        for origin in filter(None, origins):
            progress(f"{self} imports {origin}")
            if not Path(origin).is_relative_to(self.folder):
                raise Failed(f"{self} would measure {origin}, not its own files")
        self.rounds = "--rounds" in self._python(*BENCH, "--help")

    def measure(self, part: str, *, quick: bool) -> dict[Key, Figure]:
        file = self.folder.parent / f"{self.name}.json"
        file.unlink(missing_ok=True)
        options = [*(("--rounds", "1") if self.rounds else ()), *(("--quick",) if quick else ())]
        self._python(*BENCH, "--only", part, "--json", str(file), *options, quiet=True)
        try:
            return verdict.read(file.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            raise Failed(f"{self}: the figures of {part} cannot be read: {error}") from error


def end(process: subprocess.Popen[str]) -> None:
    """Interrupt a process that still runs, as one would at its terminal; kill it only when that does not help."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def worktrees(a: str, b: str) -> Iterator[tuple[Side, Side]]:
    """A worktree for each commit; both are gone afterwards, whatever happened."""
    commits = [commit(one) for one in (a, b)]
    with tempfile.TemporaryDirectory(prefix="chartwire-compare-") as name:
        sides = [
            Side(name=side, commit=found, folder=Path(name).resolve() / side)
            for side, found in zip("AB", commits, strict=True)
        ]
        try:
            for side in sides:
                git("worktree", "add", "--quiet", "--detach", str(side.folder), side.commit)
            yield sides[0], sides[1]
        finally:
            for side in sides:
                with suppress(Failed):  # where it was not made
                    git("worktree", "remove", "--force", str(side.folder))


def measure(sides: Sequence[Side], parts: Sequence[str], rounds: int, *, quick: bool) -> list[str]:
    """Each part, A B, then B A, then A B; what failed, in words. A part that fails once is left out from then on."""
    failures = []
    for part in parts:
        try:
            for number in range(rounds):
                for name in order(number, ["A", "B"]):
                    side = next(one for one in sides if one.name == name)
                    progress(f"=== {part}, round {number + 1} of {rounds}: {side}")
                    side.runs.append(side.measure(part, quick=quick))
        except Failed as failure:
            failures.append(f"{part} is left out or incomplete: {failure}")
            progress(failures[-1])
    return failures


def report(a: Side, b: Side, rounds: int) -> str:
    text = [f"A is {a.commit[:12]}, B is {b.commit[:12]}", verdict.show(verdict.compared(a.runs, b.runs))]
    for one, other in ((a, b), (b, a)):
        text += [f"only in {one.name}: {' '.join(key)}" for key in verdict.alone(one.runs, other.runs)]
    if changed := git("diff", "--name-only", a.commit, b.commit, "--", "tests/bench"):
        text.append(f"The benches differ, which may be why figures do: {' '.join(changed.split())}")
    if rounds < FEWEST:
        text.append(f"A verdict from fewer than {FEWEST} rounds is not to be trusted.")
    return "\n".join(text)


def write(a: Side, b: Side, file: Path) -> None:
    figures = verdict.as_json(verdict.compared(a.runs, b.runs))
    file.write_text(json.dumps({"a": a.commit, "b": b.commit, "figures": figures}, indent=1))


def stop(number: int, _frame: FrameType | None) -> None:
    """End, and let nothing disturb what is cleaned up then."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compare", description=__doc__)
    parser.add_argument("a", metavar="A", help="a commit")
    parser.add_argument("b", metavar="B", help="the commit that is to be judged by it")
    parser.add_argument(
        "--only", nargs="+", default=PARTS, metavar="PART", help=f"parts that both commits have ({' '.join(PARTS)})"
    )
    parser.add_argument("--rounds", type=positive, default=FEWEST, help=f"runs of each commit ({FEWEST})")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--json", type=Path, help="also write the comparison there")
    arguments = parser.parse_args()
    for one in SIGNALS:
        signal.signal(one, stop)
    try:
        with worktrees(arguments.a, arguments.b) as (a, b):
            for side in (a, b):
                side.prepare()
            failures = measure((a, b), arguments.only, arguments.rounds, quick=arguments.quick)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 2
    print(report(a, b, arguments.rounds))
    if arguments.json:
        write(a, b, arguments.json)
    print(*failures, sep="\n", end="\n" if failures else "", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
